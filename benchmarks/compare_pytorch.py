#!/usr/bin/env python3
"""Times ColdZoom and PyTorch on the same networks, the same data and the same cores, in turn.

Before that it checks that both compute the same: zoomed images bit for bit, outputs, losses and the gradient of every
parameter to 1e-4 of the tensor's norm. Exits with 1 where they do not. docs/benchmarks.md says what each task is.

The CPUs of a virtual machine may share one core for seconds. So it measures before and after each timing on several
threads how many cores they have, repeats the timing of either side where that is less than a core a thread (at most 6
times, then the best of these counts), and prints the median of it: `cores`.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BATCH, STEPS, SIDE, RATE = 128, 24, 28, 2e-4
TOLERANCE = 1e-4
LEAST_SECONDS = 0.25  # of one timing
PAUSE = 0.1  # seconds after a timing
TRIES = 6  # of a timing for which the threads had a core each
OWN_CORE = 0.8  # of what a core does that nobody shares
TASKS = ["train", "forward", "zoom_loop", "zoom_grid_sample", "unet_train"]
OUR_TASK = {"zoom_loop": "zoom", "zoom_grid_sample": "zoom"}
COMPILER_FLAGS = {"native": "-march=native", "avx2": "-mavx2 -mfma", "generic": ""}


def build(isa):
    folder = ROOT / f"build/benchmarks-{isa}"
    configure = [
        "cmake", "-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", "-DCOLDZOOM_BUILD_TESTS=OFF",
        "-DCOLDZOOM_BUILD_EXAMPLES=OFF", "-DCOLDZOOM_NATIVE=OFF", f"-DCMAKE_CXX_FLAGS={COMPILER_FLAGS[isa]}",
    ]
    for command in configure, ["cmake", "--build", folder, "--target", "bench_network"]:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\ncompare_pytorch: the build failed")
    return folder / "benchmarks/bench_network"


def megabytes(pid, entry):
    """VmRSS, the memory of a process now, or VmHWM, the most it ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(entry):
            return int(line.split()[1]) / 1024
    raise KeyError(entry)


def bind(cpus):
    """This process, and those it starts, to the first CPUs that it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpus])


class Ours:
    def __init__(self, program, data, threads):
        self.process = subprocess.Popen(
            [program, data, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: bind(threads)
        )

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("compare_pytorch: bench_network stopped")
        return answer

    def milliseconds(self, task, count):
        return float(self.ask(f"{OUR_TASK.get(task, task)} {count}"))

    def cores(self, threads):
        time.sleep(PAUSE)  # OpenMP threads spin on for a while after their work, and would be in the way
        return float(self.ask("cores")) if threads > 1 else 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class PyTorch:
    """`ways_of` a task are what PyTorch's user can choose between; `choose` takes the fastest."""

    def __init__(self, threads):
        import torch
        from torchvision.transforms.functional import InterpolationMode, resized_crop

        import pytorch_networks

        self.torch, self.networks, self.resized_crop = torch, pytorch_networks, resized_crop
        self.nearest = InterpolationMode.NEAREST
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.step = torch.randint(1, STEPS + 1, (BATCH,))
        self.time = self.step / torch.tensor(STEPS, dtype=torch.float32)
        self.x0 = torch.rand(BATCH, 1, SIDE, SIDE) - 0.5
        # Where the zoom of each step reads: rows, equal to columns.
        steps = torch.arange(STEPS + 1)[:, None]
        source = (steps + 1) // 2 + torch.arange(SIDE) * (SIDE - steps) // SIDE
        self.pixel = (source[:, :, None] * SIDE + source[:, None, :]).flatten(1)
        centre = (2 * source + 1) / SIDE - 1
        grid = torch.stack([centre[:, None, :].expand(-1, SIDE, -1), centre[:, :, None].expand(-1, -1, SIDE)], dim=-1)
        self.grid = grid[self.step]
        self.state = {}
        for make in pytorch_networks.original_reconstructor, pytorch_networks.small_unet:
            self.state[make] = make().state_dict()
        self.x_t = self.zoom_gather()

    def data(self):
        arrays = {"x0": self.x0, "step": self.step.float()}
        for state in self.state.values():
            arrays.update(state)
        return {name: tensor.numpy() for name, tensor in arrays.items()}

    # The zoom in three forms: the original project's, one call, and the fastest that PyTorch offers.
    def zoom_loop(self):
        images = []
        for image, step in zip(self.x0, self.step.tolist()):
            first, size = (step + 1) // 2, SIDE - step
            images.append(self.resized_crop(image, first, first, size, size, [SIDE, SIDE], self.nearest))
        return self.torch.stack(images)

    def zoom_grid_sample(self):
        return self.torch.nn.functional.grid_sample(self.x0, self.grid, mode="nearest", align_corners=False)

    def zoom_gather(self):
        return self.x0.flatten(1).gather(1, self.pixel[self.step]).view_as(self.x0)

    def network(self, make, memory_format):
        model = make()
        model.load_state_dict(self.state[make])
        return model.to(memory_format=memory_format)

    def reconstruct(self, model, x):
        return model.gt(x, self.time)

    def training(self, make, call, zoom, memory_format):
        model = self.network(make, memory_format)
        optimizer = self.torch.optim.Adam(model.parameters(), RATE, foreach=True)
        x_t = self.x_t.to(memory_format=memory_format)

        def step():
            optimizer.zero_grad(set_to_none=True)
            x = self.zoom_gather().to(memory_format=memory_format) if zoom else x_t
            loss = self.torch.nn.functional.mse_loss(call(model, x), self.x0)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def forward(self, memory_format):
        model = self.network(self.networks.original_reconstructor, memory_format).eval()
        x_t = self.x_t.to(memory_format=memory_format)

        def predict():
            with self.torch.inference_mode():
                return self.reconstruct(model, x_t)

        return predict

    def ways_of(self, task):
        if task in ("zoom_loop", "zoom_grid_sample"):
            return [("", getattr(self, task))]
        formats = [("NCHW", self.torch.contiguous_format), ("channels last", self.torch.channels_last)]
        if task == "forward":
            return [(name, self.forward(memory_format)) for name, memory_format in formats]
        if task == "train":
            arguments = self.networks.original_reconstructor, self.reconstruct, True
        else:
            arguments = self.networks.small_unet, lambda model, x: model(x), False
        return [(name, self.training(*arguments, memory_format)) for name, memory_format in formats]

    def choose(self, task):
        """The name of the fastest way and the way."""

        def seconds(way):
            way()
            return min(timed(way, 1) for _ in range(2))

        return min(self.ways_of(task), key=lambda named: seconds(named[1]))

    def results(self):
        """What bench_network writes on `check`."""
        found = {"x_t": self.zoom_loop()}
        assert self.torch.equal(found["x_t"], self.zoom_grid_sample()) and self.torch.equal(found["x_t"], self.x_t)
        for prefix, make, call in (
            ("reconstructor.", self.networks.original_reconstructor, self.reconstruct),
            ("unet.", self.networks.small_unet, lambda model, x: model(x)),
        ):
            model = self.network(make, self.torch.contiguous_format)
            found[prefix + "y"] = call(model, self.x_t)
            found[prefix + "loss"] = loss = self.torch.nn.functional.mse_loss(found[prefix + "y"], self.x0)
            loss.backward()
            found.update({f"{prefix}grad.{name}": p.grad for name, p in model.named_parameters()})
        return {name: tensor.detach().numpy() for name, tensor in found.items()}


def timed(f, count):
    start = time.perf_counter()
    for _ in range(count):
        f()
    return (time.perf_counter() - start) / count


def start(program, threads, folder):
    """Both sides, this process being PyTorch's, on the same `threads` CPUs."""
    bind(threads)
    pytorch = PyTorch(threads)
    data = Path(folder) / "data.safetensors"
    pytorch.networks.save_safetensors(data, pytorch.data())
    return pytorch, Ours(program, data, threads)


def measure_memory(program, threads):
    """Peak memory of a training step, in MB, and what the processes took before it."""
    with tempfile.TemporaryDirectory() as folder:
        pytorch, ours = start(program, threads, folder)
        with ours:
            ours.milliseconds("zoom", 1)
            before = [megabytes(pid, "VmRSS") for pid in (ours.process.pid, os.getpid())]
            ours.milliseconds("train", 2)
            timed(pytorch.ways_of("train")[0][1], 2)
            peak = [megabytes(pid, "VmHWM") for pid in (ours.process.pid, os.getpid())]
    names = ("ours", "pytorch")
    return {
        "peak_mb": dict(zip(names, (round(p) for p in peak))),
        "before_mb": dict(zip(names, (round(b) for b in before))),
    }


def check(pytorch, ours, folder):
    """The largest relative error and where it is."""
    path = Path(folder) / "check.safetensors"
    ours.ask(f"check {path}")
    found, wanted = pytorch.networks.load_safetensors(path), pytorch.results()
    if not (found["x_t"] == wanted["x_t"]).all():
        sys.exit("compare_pytorch: the zoomed images differ")
    return max((error, name) for name, error in pytorch.networks.errors(found, wanted))


def compare(program, threads, fewest, rounds):
    """Rows of the table, and versions and the largest error. Where `fewest` is less than `threads`, ours on so many is
    timed as well."""
    with tempfile.TemporaryDirectory() as folder:
        pytorch, ours = start(program, threads, folder)
        with ours, Ours(program, Path(folder) / "data.safetensors", fewest) as slower:
            error, where = check(pytorch, ours, folder)
            if not error <= TOLERANCE:
                sys.exit(f"compare_pytorch: {where} differs by {error:.1e} of its norm, more than {TOLERANCE:g}")
            print(f"results agree: largest difference {error:.1e} ({where})")
            print(f"{'task':17} {'threads':>7} {'cores':>6} {'ours, ms':>10} {'PyTorch, ms':>12} {'ratio':>7}   "
                  "lowest .. highest")
            rows = [measure(pytorch, ours, slower if fewest < threads else None, task, threads, rounds)
                    for task in TASKS]
    import torchvision

    return rows, {"pytorch": pytorch.torch.__version__, "torchvision": torchvision.__version__, "error": float(error)}


def measure(pytorch, ours, slower, task, threads, rounds):
    """The row of a task; `slower` is ours on fewer threads, if anything."""
    layout, way = pytorch.choose(task)
    sides = [lambda times: ours.milliseconds(task, times), lambda times: 1000 * timed(way, times)]
    if slower:
        sides.append(lambda times: slower.milliseconds(task, times))
    for side in sides:
        side(1)
    counts = {side: max(1, math.ceil(1000 * LEAST_SECONDS / side(1))) for side in sides}

    def time_on_cores(side):
        """Milliseconds, and the fewest cores that were seen around it."""
        best = (0, 0)
        before = ours.cores(threads)
        for _ in range(TRIES):
            side(1)  # wakes this side's own
            found = side(counts[side])
            after = ours.cores(threads)
            best = max(best, (min(before, after), found))
            if best[0] >= OWN_CORE * threads:
                break
            before = after
        return best

    rows = []
    for number in range(rounds):
        found = {}
        for side in sides if number % 2 == 0 else reversed(sides):  # each follows itself as often as another
            found[side] = time_on_cores(side)
        rows.append([found[side] for side in sides])
    own, its, *more = ([milliseconds for _, milliseconds in side] for side in zip(*rows))
    ratios = [b / a for a, b in zip(own, its)]
    row = {
        "task": task,
        "threads": threads,
        "cores": round(statistics.median(cores for both in rows for cores, _ in both), 2),
        "ours_ms": statistics.median(own),
        "pytorch_ms": statistics.median(its),
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "pytorch_layout": layout,
    }
    if slower:
        gains = [b / a for a, b in zip(own, more[0])]
        row.update(scaling_median=statistics.median(gains), scaling_min=min(gains), scaling_max=max(gains))
    print(
        f"{task:17} {threads:7} {row['cores']:6.2f} {row['ours_ms']:10.3f} {row['pytorch_ms']:12.3f}"
        f" {row['ratio_median']:7.2f}   {row['ratio_min']:.2f} .. {row['ratio_max']:.2f}  {layout}",
        flush=True,
    )
    return row


def in_new_process(function, *arguments):
    """Affinity, threads and peak memory belong to a process, so each measurement gets one of its own."""
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except SystemExit as stop:
            sys.exit(stop.code)


def environment():
    def output(*command):
        return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()

    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", "include", "benchmarks")
    return {
        "task": "environment",
        "cpu": models[0].split(":")[1].strip() if models else "unknown",
        "cpus": len(os.sched_getaffinity(0)),
        "compiler": output("c++", "--version").splitlines()[0],
        "commit": output("git", "rev-parse", "--short", "HEAD") + (" and changes" if changed else ""),
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "load_before": os.getloadavg()[0],
    }


def thread_counts(text):
    counts = [int(part) for part in text.split(",")]
    if min(counts) < 1:
        raise ValueError
    return counts


def main():
    parser = argparse.ArgumentParser(
        prog="compare_pytorch.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cpus = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=thread_counts, action="append", metavar="N[,N...]",
                        help="threads of both sides; may be repeated (default: 1 and all CPUs)")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="timings of each side (default: 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table, and what it was measured on")
    parser.add_argument("--isa", choices=COMPILER_FLAGS, default="native",
                        help="instruction set of our build; avx2 also holds PyTorch to AVX2 (default: native)")
    options = parser.parse_args()
    counts = sorted({n for part in options.threads for n in part} if options.threads else {1, cpus})
    if counts[-1] > cpus:
        parser.error(f"there are {cpus} CPUs; --threads must be 1 to {cpus}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.isa == "avx2":
        os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")

    about = {**environment(), "isa": options.isa, "rounds": options.rounds, "batch": BATCH}
    program = build(options.isa)
    about["memory"] = in_new_process(measure_memory, program, counts[0])
    rows = []
    for threads in counts:
        found, versions = in_new_process(compare, program, threads, counts[0], options.rounds)
        rows += found
        about.update(versions)
    for row in rows:
        if "scaling_median" in row:
            print(f"{row['task']}: {row['threads']} threads are {row['scaling_median']:.2f} times as fast as {counts[0]} "
                  f"({row['scaling_min']:.2f} .. {row['scaling_max']:.2f})")
    peak, before = about["memory"]["peak_mb"], about["memory"]["before_mb"]
    print(f"peak memory of training: ours {peak['ours']} MB ({before['ours']} before it), PyTorch {peak['pytorch']} MB "
          f"({before['pytorch']} before it)")
    print(f"{about['cpu']}, {options.isa}, PyTorch {about['pytorch']}, commit {about['commit']}, load before "
          f"{about['load_before']:.1f}")
    if options.json:
        options.json.write_text(json.dumps(rows + [about], indent=1) + "\n")


if __name__ == "__main__":
    main()
