#!/usr/bin/env python3
"""Times ColdZoom and PyTorch on the same networks, the same data and the same cores or device, in turn.

Before that it checks both against the same in float64: zoomed images bit for bit; outputs, losses and the gradient of every
parameter to a part of the tensor's norm, 1e-4 in float32. Exits with 1 where ours differs. PyTorch takes part in the fastest
of all ways that compute what they should. docs/benchmarks.md says what each task is.

The CPUs of a virtual machine may share one core for seconds. So it measures before and after each timing on several
threads how many cores they have, repeats the timing of either side where that is less than a core a thread (at most 6
times, then the best of these counts), and prints the median of it: `cores`.
"""

import argparse
import os
from pathlib import Path

import compare_cpu
import compare_cuda
from compare_sides import OurError, fail
from pytorch_ways import MODES

TASKS = {"cpu": compare_cpu.TASKS, "cuda": compare_cuda.TASKS}
LISTS = {
    "tasks": {device: [task.name for task in tasks] for device, tasks in TASKS.items()},
    "precisions": {"cpu": compare_cpu.PRECISIONS, "cuda": compare_cuda.PRECISIONS},
    "modes": {"cpu": MODES, "cuda": MODES},
}
ONLY = {"cpu": ["threads", "isa"], "cuda": ["program", "largest_batch"]}


def thread_counts(text):
    counts = [int(part) for part in text.split(",")]
    if min(counts) < 1:
        raise ValueError
    return counts


def some_of(option, text, device, parser):
    """Of the names that a list has on a device, in their order, those in `text`; all where there is none."""
    names = LISTS[option][device]
    chosen = names if text is None else text.split(",")
    if not set(chosen) <= set(names):
        parser.error(f"argument --{option}: found '{text}', wanted some of {','.join(names)}")
    return [name for name in names if name in chosen]


def main():
    parser = argparse.ArgumentParser(
        prog="compare_pytorch.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cpus = len(os.sched_getaffinity(0))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="what to run on (default: cpu)")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="timings of each side (default: 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table, and what it was measured on")
    for option, names in LISTS.items():
        listed = "; ".join(dict.fromkeys(f"{device}: {', '.join(names[device])}" for device in names))
        parser.add_argument(f"--{option}", metavar="NAME[,NAME...]", help=f"some of them (default: all; {listed})")
    on_cpu = parser.add_argument_group("on the CPU")
    on_cpu.add_argument("--threads", type=thread_counts, action="append", metavar="N[,N...]",
                        help="threads of both sides; may be repeated (default: 1 and all CPUs)")
    on_cpu.add_argument("--isa", choices=compare_cpu.COMPILER_FLAGS,
                        help="instruction set of our build; avx2 also holds PyTorch to AVX2 (default: native)")
    on_cuda = parser.add_argument_group("on a CUDA device")
    on_cuda.add_argument("--program", type=Path, action="append", metavar="FILE",
                         help="bench_network_cuda or bench_network_cudnn as built elsewhere; may be repeated "
                         "(default: build both here)")
    on_cuda.add_argument("--largest-batch", type=int, metavar="N",
                         help="where the search for the best batch size ends; 128 leaves it out (default: 4096)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    for name in ONLY["cuda" if options.device == "cpu" else "cpu"]:
        if getattr(options, name) is not None:
            parser.error(f"--{name.replace('_', '-')} is no option of --device {options.device}")
    names, precisions, modes = (some_of(option, getattr(options, option), options.device, parser) for option in LISTS)
    tasks = [task for task in TASKS[options.device] if task.name in names]
    try:
        if options.device == "cuda":
            largest = 4096 if options.largest_batch is None else options.largest_batch
            if largest < compare_cuda.BATCH:
                parser.error(f"--largest-batch must be at least {compare_cuda.BATCH}")
            compare_cuda.run(options.program, tasks, precisions, modes, largest, options.rounds, options.json)
        else:
            counts = sorted({n for part in options.threads for n in part} if options.threads else {1, cpus})
            if counts[-1] > cpus:
                parser.error(f"there are {cpus} CPUs; --threads must be 1 to {cpus}")
            compare_cpu.run(counts, options.isa or "native", tasks, precisions, modes, options.rounds, options.json)
    except OurError as error:
        fail(f"bench_network: {error}")


if __name__ == "__main__":
    main()
