"""compare_pytorch.sh on the CPU: both sides on the same cores."""

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from compare_sides import Ours, Report, Task, build, environment, in_turn, output, timed
from pytorch_ways import LAYOUTS, PyTorch, PyTorchSide, Reference, Way, check, choose, release, warm_up

PAUSE = 0.1  # seconds after a timing
TRIES = 6  # of a timing for which the threads had a core each
OWN_CORE = 0.8  # of what a core does that nobody shares
TASKS = [
    Task("train", "reconstructor", "train"),
    Task("forward", "reconstructor", "forward"),
    Task("zoom_loop", "reconstructor", "zoom", needs="torchvision"),
    Task("zoom_grid_sample", "reconstructor", "zoom"),
    Task("unet_train", "unet", "train"),
    Task("unet_forward", "unet", "forward"),
    Task("unet2d_small_train", "unet2d_small", "train", 64, "diffusers"),
    Task("unet2d_small_forward", "unet2d_small", "forward", 64, "diffusers"),
    Task("unet2d_train", "unet2d", "train", 16, "diffusers"),
    Task("unet2d_forward", "unet2d", "forward", 16, "diffusers"),
]
ZOOMS = {"zoom_loop": "resized_crop", "zoom_grid_sample": "grid_sample"}
PRECISIONS = ["float32", "bf16"]
PACKAGES = ["torch", "torchvision", "diffusers", "denoising_diffusion_pytorch", "onnxruntime"]
COMPILER_FLAGS = {"native": "-march=native", "avx2": "-mavx2 -mfma", "generic": ""}


def megabytes(pid, entry):
    """VmRSS, the memory of a process now, or VmHWM, the most it ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(entry):
            return int(line.split()[1]) / 1024
    raise KeyError(entry)


def bind(cpus):
    """This process, and those it starts, to the first CPUs that it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpus])


class OursOnCpu(Ours):
    name = "ours"

    def __init__(self, program, data, threads, precision):
        super().__init__(program, data, str(threads), precision, preexec_fn=lambda: bind(threads))
        self.precision = precision

    def cores(self, threads):
        time.sleep(PAUSE)  # OpenMP threads spin on for a while after their work, and would be in the way
        return float(self.ask("cores")) if threads > 1 else 1


class Cpu:
    kind, optimizers = "cpu", ["fused Adam", "foreach Adam"]

    @staticmethod
    def milliseconds(f, count):
        return 1000 * timed(f, count)

    def release(self):
        """There is nothing to give back."""


def our_precisions(program):
    """Those that differ on this CPU, in what the program was compiled for."""
    return subprocess.run([program, "--precisions"], check=True, capture_output=True, text=True).stdout.split()


def sides_beside(task, pytorch, precisions, modes):
    """What a task of ours is compared with."""
    if task.work == "zoom":
        return [PyTorchSide(pytorch, "float32", [ZOOMS[task.name]])]
    name = "diffusers" if task.needs == "diffusers" else "PyTorch"
    sides = [PyTorchSide(pytorch, precision, modes, name) for precision in precisions]
    if lucidrains_of(task) in pytorch.problems:
        sides += [PyTorchSide(pytorch, precision, modes, "lucidrains", "_lucidrains") for precision in precisions]
    if task.name == "forward" and find_spec("onnxruntime"):
        sides.append(PyTorchSide(pytorch, "float32", ["onnxruntime"], "ONNX Runtime"))
    return sides


def lucidrains_of(task):
    """The name that its U-Net beside the task's would have."""
    return f"{task.network}_lucidrains"


def images_of(tasks):
    """Of each network, ours and those beside it."""
    images = {task.network: task.batch for task in tasks}
    if find_spec("denoising_diffusion_pytorch"):
        images.update({lucidrains_of(task): task.batch for task in tasks if task.needs == "diffusers"})
    return images


def start(program, threads, folder, tasks):
    """PyTorch in this process and a function that starts our side on so many threads, both on the same CPUs."""
    import torch

    bind(threads)
    torch.set_num_threads(threads)
    pytorch = PyTorch(Cpu(), images_of(tasks))
    data = Path(folder) / "data.safetensors"
    pytorch.networks.save(data, {task.network: pytorch.problems[task.network] for task in tasks})
    return pytorch, partial(OursOnCpu, program, data)


def measure_memory(program, threads, task):
    """Peak memory of a training step, in MB, and what the processes took before it."""
    with tempfile.TemporaryDirectory() as folder:
        pytorch, start_ours = start(program, threads, folder, [task])
        with start_ours(threads, "float32") as ours:
            ours.ask("cores")
            before = [megabytes(pid, "VmRSS") for pid in (ours.process.pid, os.getpid())]
            ours.milliseconds(task, task.batch, 2)
            way = Way("float32", "eager", LAYOUTS[0], "foreach Adam")
            timed(pytorch.repetition(task, task.batch, way), 2)
            peak = [megabytes(pid, "VmHWM") for pid in (ours.process.pid, os.getpid())]
    row = {"task": task.name, "threads": threads}
    for name, values in ("before_mb", before), ("peak_mb", peak):
        row[name] = dict(zip(("ours", "pytorch"), map(round, values)))
    return row


def compare(program, threads, fewest, tasks, precisions, modes, rounds, report):
    """Adds to the report. Where `fewest` is less than `threads`, ours on so many is timed as well."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        pytorch, start_ours = start(program, threads, folder, tasks)
        ours = [running.enter_context(start_ours(threads, precision)) for precision in our_precisions(program)]
        slower = {}
        if fewest < threads:
            slower = {side: running.enter_context(start_ours(fewest, side.precision)) for side in ours}
        if not hasattr(pytorch.torch, "compile"):
            modes = [mode for mode in modes if mode == "eager"]
            print(f"left out, for PyTorch {pytorch.torch.__version__} has no torch.compile: all modes but eager")
        for network in dict.fromkeys(task.network for task in tasks):
            own = [task for task in tasks if task.network == network]
            references = {name: Reference(pytorch, name, images) for name, images in images_of(own).items()}
            for side in ours:
                error = check(side, references[network], folder)
                report.add({"network": network, "threads": threads, "precision": side.precision, "error": error})
                print(f"{network} in {side.precision} on {threads} threads: results agree, largest difference "
                      f"{error:.1e}", flush=True)
            if (other := lucidrains_of(own[0])) in references:
                counts = {name: pytorch.multiply_adds(name) for name in references}
                report.add({"network": network, "threads": threads, "multiply_adds": counts})
                print(f"{network}: of lucidrains, another function with {counts[other] / counts[network]:.3f} times the "
                      "multiply-adds", flush=True)
            for task in own:
                theirs = choose(sides_beside(task, pytorch, precisions, modes), task, references, report)
                release(theirs, pytorch)
                measure(task, ours, theirs, slower, threads, rounds, report)
                report.save()
    return report


def measure(task, ours, theirs, slower, threads, rounds, report):
    """Times all in turn; `slower` are those of ours on fewer threads, if any."""
    sides = ours + theirs + list(slower.values())
    times = {side: partial(side.milliseconds, task, task.batch) for side in sides}
    counts = {side: warm_up(times[side]) for side in sides}

    def time_on_cores(side):
        """Milliseconds, and the fewest cores that were seen around it."""
        best = (0, 0)
        before = ours[0].cores(threads)
        for _ in range(TRIES):
            times[side](1)  # wakes this side's own
            found = times[side](counts[side])
            after = ours[0].cores(threads)
            best = max(best, (min(before, after), found))
            if best[0] >= OWN_CORE * threads:
                break
            before = after
        return best

    found = dict(zip(sides, zip(*in_turn(sides, rounds, time_on_cores))))
    cores = {side: round(statistics.median(cores for cores, _ in found[side]), 2) for side in sides}
    milliseconds = {side: [time for _, time in found[side]] for side in sides}
    report.add_measured(task, {side: task.batch for side in ours + theirs}, milliseconds, theirs,
                        lambda side, *_: {"cores": cores[side]}, threads=threads)
    for side, fewer in slower.items():
        gains = [b / a for a, b in zip(milliseconds[side], milliseconds[fewer])]
        report.add({"task": task.name, "threads": threads, "side": side.name, "precision": side.precision,
                    "scaling_median": statistics.median(gains), "scaling_min": min(gains), "scaling_max": max(gains)})
        print(f"{task.name}: ours in {side.precision} is {statistics.median(gains):.2f} ({min(gains):.2f} .. "
              f"{max(gains):.2f}) times as fast on {threads} threads as on fewer", flush=True)


def in_new_process(function, *arguments):
    """Affinity, threads and peak memory belong to a process, so each measurement gets one of its own."""
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except SystemExit as stop:
            sys.exit(stop.code)


def at_hand(tasks):
    """The tasks for which this Python has what they need; says which it has not."""
    for package in dict.fromkeys(task.needs for task in tasks if task.needs and not find_spec(task.needs)):
        names = [task.name for task in tasks if task.needs == package]
        print(f"left out, for {sys.executable} has no {package}: {', '.join(names)}")
    if any(task.name == "forward" for task in tasks) and not find_spec("onnxruntime"):
        print(f"left out, for {sys.executable} has no onnxruntime: forward by ONNX Runtime")
    if any(task.needs == "diffusers" for task in tasks) and not find_spec("denoising_diffusion_pytorch"):
        print(f"left out, for {sys.executable} has no denoising_diffusion_pytorch: its Unet beside UNet2DModel")
    return [task for task in tasks if not task.needs or find_spec(task.needs)]


def versions():
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


def run(thread_counts, isa, tasks, precisions, modes, rounds, path):
    """Prints the comparison, and writes it to `path` where there is one."""
    if isa == "avx2":
        os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")
    compiler = output("c++", "--version").splitlines()[0]
    about = {
        **environment(), "command": shlex.join(["benchmarks/compare_pytorch.sh", *sys.argv[1:]]), "compiler": compiler,
        "isa": isa, "rounds": rounds, "versions": versions(),
    }
    tasks = at_hand(tasks)
    program = build(f"benchmarks-{isa}", "bench_network", f"-DCMAKE_CXX_FLAGS={COMPILER_FLAGS[isa]}") / "bench_network"
    report = Report(path, about, {"threads": "", "cores": ".2f"})
    for task in [task for task in tasks if task.work == "train"]:
        row = in_new_process(measure_memory, program, thread_counts[0], task)
        report.add(row)
        peak, before = row["peak_mb"], row["before_mb"]
        print(f"{task.name}: peak memory of ours {peak['ours']} MB ({before['ours']} before it), of PyTorch "
              f"{peak['pytorch']} MB ({before['pytorch']} before it)", flush=True)
    for threads in thread_counts:
        report = in_new_process(compare, program, threads, thread_counts[0], tasks, precisions, modes, rounds, report)
    report.save()
    packages = ", ".join(f"{package} {number}" for package, number in about["versions"].items())
    print(f"{about['cpu']}, {isa}, {packages}, commit {about['commit']}, load before {about['load_before']:.1f}")
