"""compare_pytorch.sh on a CUDA device: both sides on the same device, in turn, by its own events.

PyTorch runs in this process; each of our programs in a process of its own, one for each precision.
"""

import json
import os
import shlex
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from compare_sides import OurError, Ours, Report, Task, build, environment, fail, in_turn, output
from pytorch_ways import (
    OutOfMemory, PyTorch, PyTorchSide, Reference, briefly, check, choose, release, warm_up
)

TASKS = [
    Task("train", "reconstructor", "train"),
    Task("unet_train", "unet", "train"),
    Task("forward", "reconstructor", "forward"),
    Task("sample", "reconstructor", "sample"),
]
BATCH = TASKS[0].batch
SEARCHED = ["train", "unet_train", "sample"]  # the tasks that are timed at their best batch size too
PRECISIONS = ["float32", "tf32", "bf16"]
OUR_PRECISIONS = ["float32", "tf32"]
COPY_FLOATS, PRODUCT_SIZE = 1 << 27, 8192  # of what finds the ceilings: half a gigabyte, and the side of matrices


class CudaDevice:
    """The first device, as PyTorch sees it, and its clock."""

    kind, optimizers = "cuda", ["fused Adam"]

    def __init__(self, torch):
        if not torch.cuda.is_available():
            fail(f"PyTorch {torch.__version__} of {sys.executable} sees no CUDA device; PYTHON names another Python")
        if not hasattr(torch, "compile"):
            fail(f"PyTorch {torch.__version__} of {sys.executable} has no torch.compile; PYTHON names another Python")
        self.torch, self.name = torch, torch.cuda.get_device_name(0)

    def milliseconds(self, f, count):
        """For one call, by events around `count` calls."""
        first, last = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.torch.cuda.synchronize()
        first.record()
        for _ in range(count):
            f()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / count

    def release(self):
        """Gives back memory that nothing uses."""
        self.torch.cuda.empty_cache()

    def versions(self):
        driver = output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
        return {
            "device": self.name,
            "driver": driver.splitlines()[0] if driver else "unknown",
            "pytorch": self.torch.__version__,
            "cuda_of_pytorch": self.torch.version.cuda,
            "cudnn_of_pytorch": self.torch.backends.cudnn.version(),
        }


class OursOnCuda(Ours):
    """One of our programs in one precision."""

    def __init__(self, program, data, precision):
        super().__init__(program, data, precision, env=with_libraries_of_pytorch())
        self.about = json.loads(self.ask("about"))
        self.name, self.precision = self.about["backend"], precision

    def milliseconds(self, task, images, count):
        try:
            return super().milliseconds(task, images, count)
        except OurError as error:
            if "out of memory" not in str(error):
                raise
            raise OutOfMemory(str(error)) from None


def with_libraries_of_pytorch():
    """The environment, with the CUDA libraries that PyTorch brings along: both sides use the same where they can."""
    import torch

    folders = sorted(str(folder) for folder in Path(torch.__file__).parent.parent.glob("nvidia/*/lib"))
    present = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders + ([present] if present else []))}


def search(sides, task, largest, pytorch, report):
    """The batch size at which each side makes most images a second, among powers of two."""
    rates = {side: {} for side in sides}
    full = set()
    images = BATCH
    while images <= largest:
        release(sides, pytorch)
        for side in sides:
            try:
                if side not in full:
                    rates[side][images] = 1000 * images / briefly(side, task, images)
            except OutOfMemory:
                full.add(side)
        images *= 2
    for side in sides:
        report.add({"task": task.name, "search": True, "side": side.name, "precision": side.precision,
                    "images_per_second": rates[side]})
    return {side: max(rates[side], key=rates[side].get) for side in sides}


def measure(batches, task, rounds, pytorch):
    """Milliseconds of each round for each side; `batches` are its batch sizes."""
    release(batches, pytorch)
    sides = [partial(side.milliseconds, task, images) for side, images in batches.items()]
    counts = {side: warm_up(side) for side in sides}

    def find(side):
        side(1 + counts[side] // 10)  # wakes the device, and this side's own
        return side(counts[side])

    return dict(zip(batches, zip(*in_turn(sides, rounds, find))))


class Work:
    """What a task takes at least: multiply-adds as the definition of its layers counts them, and bytes of memory where
    each convolution and matrix product reads what it needs and writes what it makes once."""

    def __init__(self, pytorch, task):
        torch, networks, problem = pytorch.torch, pytorch.networks, pytorch.problems[task.network]
        self.trains, self.calls = task.work == "train", networks.STEPS if task.work == "sample" else 1
        self.multiply_adds = self.elements = 0  # of one image
        model = problem.make()
        for layer in model.modules():
            if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
                layer.register_forward_hook(self.see)
        problem.call(model, torch.zeros(1, *problem.x0.shape[1:]), torch.ones(1))
        self.parameters = sum(p.numel() for p in model.parameters())

    def see(self, layer, inputs, y):
        # Trained: forward, the gradient of the weights and, but for the images, that of the input.
        passes = (3 if inputs[0].requires_grad else 2) if self.trains else 1
        self.multiply_adds += passes * y.numel() * layer.weight[0].numel()
        self.elements += passes * inputs[0].numel() + (3 if self.trains else 1) * y.numel()

    def bytes(self, images, precision):
        # Parameters are float32: read, and in training read again, with the gradient and what Adam reads and writes.
        return self.calls * ((2 if precision == "bf16" else 4) * self.elements * images
                             + 4 * self.parameters * (10 if self.trains else 1))

    def shares(self, images, precision, milliseconds, ceilings):
        """Of what the device can do."""
        done = self.calls * self.multiply_adds * images
        return {
            "arithmetic_share": 1000 * done / milliseconds / ceilings[precision],
            "bandwidth_share": 1000 * self.bytes(images, precision) / milliseconds / ceilings["bandwidth"],
        }


def ceilings_of(pytorch):
    """Bytes per second of a copy, and multiply-adds per second of a product in each precision."""

    def best(f):
        f()
        return min(pytorch.device.milliseconds(f, 3) for _ in range(10))

    torch, kind, n = pytorch.torch, pytorch.device.kind, PRODUCT_SIZE
    source = torch.zeros(COPY_FLOATS, device=kind)
    target = torch.empty_like(source)
    found = {"copy_bytes_per_s": 2e3 * source.nbytes / best(lambda: target.copy_(source))}
    for precision in PRECISIONS:
        pytorch.use(precision)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        x, y = (torch.rand(n, n, device=kind).sub(0.5).to(dtype) for _ in range(2))
        found[f"{precision}_product_fma_per_s"] = 1e3 * n**3 / best(lambda: torch.mm(x, y))
    return found


def find_ceilings(pytorch, ours):
    """The most that either side saw: bytes per second, and multiply-adds per second by precision; and all that was
    seen."""
    seen = {"PyTorch": ceilings_of(pytorch)}
    for side in ours:
        if side.name == ours[0].name:
            seen[f"{side.name}, {side.precision}"] = json.loads(side.ask("ceilings"))
    most = {precision: seen["PyTorch"][f"{precision}_product_fma_per_s"] for precision in PRECISIONS}
    most["bandwidth"] = max(found["copy_bytes_per_s"] for found in seen.values())
    for side in ours:
        found = seen.get(f"{side.name}, {side.precision}", {})
        most[side.precision] = max(most[side.precision], found.get("product_fma_per_s", 0))
        most["float32"] = max(most["float32"], found.get("fma_per_s", 0))
    return most, seen


def built_programs():
    folder = build("benchmarks-cuda", "bench_device", "-DCOLDZOOM_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=native")
    return sorted(folder.glob("bench_network_cu*"))


def run(programs, tasks, precisions, modes, largest, rounds, path):
    """Prints the comparison, and writes it to `path` where there is one."""
    try:
        import torch
    except ImportError as missing:
        fail(f"{sys.executable} cannot import PyTorch ({missing}); PYTHON names another Python")
    device = CudaDevice(torch)
    for program in programs or []:
        if not os.access(program, os.X_OK):
            fail(f"{program} is no program that can be run; build it as docs/benchmarks.md says")
    programs = [program.resolve() for program in programs or built_programs()]
    compare(device, programs, tasks, precisions, modes, largest, rounds, path)


def compare(device, programs, tasks, precisions, modes, largest, rounds, path):
    about = {
        **environment(), **device.versions(), "command": shlex.join(["benchmarks/compare_pytorch.sh", *sys.argv[1:]]),
        "rounds": rounds,
    }
    report = Report(path, about, {"arithmetic_share": ".1%", "bandwidth_share": ".1%"})
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        pytorch = PyTorch(device, {task.network: largest for task in tasks})
        data = Path(folder) / "data.safetensors"
        pytorch.networks.save(data, pytorch.problems)
        ours = []
        for program in programs:
            for precision in OUR_PRECISIONS:
                if precision in precisions:
                    ours.append(OursOnCuda(program, data, precision))
                    running.enter_context(ours[-1])
        for side in ours:
            if side.about["device"] != device.name:
                fail(f"{side.name} runs on {side.about['device']}, PyTorch on {device.name}")
        about["programs"] = [side.about for side in ours]
        if ours:  # they may come from elsewhere, and the scripts lie in no repository
            about["commit"] = ", ".join(sorted({side.about["commit"] for side in ours}))

        ceilings, about["ceilings_seen"] = find_ceilings(pytorch, ours)
        about["ceilings"] = ceilings
        print(f"{device.name}, driver {about['driver']}, PyTorch {about['pytorch']}; at most "
              f"{ceilings['bandwidth'] * 1e-9:.0f} GB/s and, in T multiply-adds/s, "
              + ", ".join(f"{ceilings[precision] * 1e-12:.1f} in {precision}" for precision in PRECISIONS))
        references = {network: Reference(pytorch, network, BATCH) for network in pytorch.problems}
        for side in ours:
            side.about["error"] = max(check(side, references[network], folder) for network in references)
            print(f"{side.name}, {side.precision}: results agree, largest difference {side.about['error']:.1e}",
                  flush=True)

        theirs = [PyTorchSide(pytorch, precision, modes) for precision in precisions]
        for task in tasks:
            work = Work(pytorch, task)

            def shares(side, images, milliseconds):
                return work.shares(images, side.precision, milliseconds, ceilings)

            release(ours + theirs, pytorch)
            able = choose(theirs, task, references, report)
            batches = {side: BATCH for side in ours + able}
            for best in [False, True] if task.name in SEARCHED and largest > BATCH else [False]:
                if best:
                    batches = search(ours + able, task, largest, pytorch, report)
                report.add_measured(task, batches, measure(batches, task, rounds, pytorch), able, shares,
                                    best_batch=best)
                report.save()
    report.save()
