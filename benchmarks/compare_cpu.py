"""compare_pytorch.sh on the CPU: both sides on the same cores."""

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

from compare_sides import TOLERANCE, Ours, build, environment, fail, in_turn, output, repetitions, timed

BATCH = 128
PAUSE = 0.1  # seconds after a timing
TRIES = 6  # of a timing for which the threads had a core each
OWN_CORE = 0.8  # of what a core does that nobody shares
TASKS = ["train", "forward", "zoom_loop", "zoom_grid_sample", "unet_train"]
OUR_TASK = {"zoom_loop": "zoom", "zoom_grid_sample": "zoom"}
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
    def __init__(self, program, data, threads):
        super().__init__(program, data, str(threads), preexec_fn=lambda: bind(threads))

    def milliseconds(self, task, count):
        return super().milliseconds(OUR_TASK.get(task, task), BATCH, count)

    def cores(self, threads):
        time.sleep(PAUSE)  # OpenMP threads spin on for a while after their work, and would be in the way
        return float(self.ask("cores")) if threads > 1 else 1


class PyTorch:
    """`ways_of` a task are what PyTorch's user can choose between; `choose` takes the fastest."""

    def __init__(self, threads):
        import torch
        from torchvision.transforms.functional import InterpolationMode, resized_crop

        import pytorch_networks

        self.torch, self.networks, self.resized_crop = torch, pytorch_networks, resized_crop
        self.nearest = InterpolationMode.NEAREST
        torch.set_num_threads(threads)
        self.problem = pytorch_networks.Problem(BATCH)
        side, source = pytorch_networks.SIDE, self.problem.source
        centre = (2 * source + 1) / side - 1
        grid = torch.stack([centre[:, None, :].expand(-1, side, -1), centre[:, :, None].expand(-1, -1, side)], dim=-1)
        self.grid = grid[self.problem.step]

    # The zoom in forms beside the fastest one: the original project's, and one call.
    def zoom_loop(self):
        images, side = [], self.networks.SIDE
        for image, step in zip(self.problem.x0, self.problem.step.tolist()):
            first, size = (step + 1) // 2, side - step
            images.append(self.resized_crop(image, first, first, size, size, [side, side], self.nearest))
        return self.torch.stack(images)

    def zoom_grid_sample(self):
        return self.torch.nn.functional.grid_sample(self.problem.x0, self.grid, mode="nearest", align_corners=False)

    def training(self, prefix, zooms, memory_format):
        make, call = self.networks.NETWORKS[prefix]
        problem, model = self.problem, self.problem.network(make).to(memory_format=memory_format)
        optimizer = self.torch.optim.Adam(model.parameters(), self.networks.RATE, foreach=True)
        x_t = problem.x_t.to(memory_format=memory_format)

        def step():
            optimizer.zero_grad(set_to_none=True)
            x = x_t
            if zooms:
                x = self.networks.zoom(problem.x0, problem.pixel, problem.step).to(memory_format=memory_format)
            loss = self.torch.nn.functional.mse_loss(call(model, x, problem.time), problem.x0)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def forward(self, memory_format):
        make, call = self.networks.NETWORKS["reconstructor."]
        model = self.problem.network(make).to(memory_format=memory_format).eval()
        x_t = self.problem.x_t.to(memory_format=memory_format)

        def predict():
            with self.torch.inference_mode():
                return call(model, x_t, self.problem.time)

        return predict

    def ways_of(self, task):
        if task in ("zoom_loop", "zoom_grid_sample"):
            return [("", getattr(self, task))]
        formats = [("NCHW", self.torch.contiguous_format), ("channels last", self.torch.channels_last)]
        if task == "forward":
            return [(name, self.forward(memory_format)) for name, memory_format in formats]
        arguments = ("reconstructor.", True) if task == "train" else ("unet.", False)
        return [(name, self.training(*arguments, memory_format)) for name, memory_format in formats]

    def choose(self, task):
        """The name of the fastest way and the way."""

        def seconds(way):
            way()
            return min(timed(way, 1) for _ in range(2))

        return min(self.ways_of(task), key=lambda named: seconds(named[1]))

    def results(self):
        """What bench_network writes on `check`, but for network calls and samples."""
        x_t = self.problem.x_t
        found = {"x_t": self.zoom_loop()}
        assert self.torch.equal(found["x_t"], self.zoom_grid_sample()) and self.torch.equal(found["x_t"], x_t)
        for prefix, (make, call) in self.networks.NETWORKS.items():
            model = self.problem.network(make)
            found[prefix + "y"] = y = call(model, x_t, self.problem.time)
            found[prefix + "loss"] = loss = self.torch.nn.functional.mse_loss(y, self.problem.x0)
            loss.backward()
            found.update({f"{prefix}grad.{name}": p.grad for name, p in model.named_parameters()})
        return {name: tensor.detach().numpy() for name, tensor in found.items()}


def start(program, threads, folder):
    """Both sides, this process being PyTorch's, on the same `threads` CPUs."""
    bind(threads)
    pytorch = PyTorch(threads)
    data = Path(folder) / "data.safetensors"
    pytorch.problem.save(data)
    return pytorch, OursOnCpu(program, data, threads)


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
    ours.ask(f"check {path} {BATCH}")
    found, wanted = pytorch.networks.load_safetensors(path), pytorch.results()
    if not (found["x_t"] == wanted["x_t"]).all():
        fail("the zoomed images differ")
    return max((error, name) for name, error in pytorch.networks.errors(found, wanted))


def compare(program, threads, fewest, rounds):
    """Rows of the table, and versions and the largest error. Where `fewest` is less than `threads`, ours on so many is
    timed as well."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        pytorch, ours = start(program, threads, folder)
        running.enter_context(ours)
        slower = None
        if fewest < threads:
            slower = running.enter_context(OursOnCpu(program, Path(folder) / "data.safetensors", fewest))
        error, where = check(pytorch, ours, folder)
        if not error <= TOLERANCE:
            fail(f"{where} differs by {error:.1e} of its norm, more than {TOLERANCE:g}")
        print(f"results agree: largest difference {error:.1e} ({where})")
        print(f"{'task':17} {'threads':>7} {'cores':>6} {'ours, ms':>10} {'PyTorch, ms':>12} {'ratio':>7}   "
              "lowest .. highest")
        rows = [measure(pytorch, ours, slower, task, threads, rounds) for task in TASKS]
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
    counts = {side: repetitions(side(1)) for side in sides}

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

    rows = in_turn(sides, rounds, time_on_cores)
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


def run(thread_counts, isa, rounds):
    """Prints the comparison; the rows of its table and, last, what they were measured on."""
    if isa == "avx2":
        os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")
    compiler = output("c++", "--version").splitlines()[0]
    about = {**environment(), "compiler": compiler, "isa": isa, "rounds": rounds, "batch": BATCH}
    program = build(f"benchmarks-{isa}", "bench_network", f"-DCMAKE_CXX_FLAGS={COMPILER_FLAGS[isa]}") / "bench_network"
    about["memory"] = in_new_process(measure_memory, program, thread_counts[0])
    rows = []
    for threads in thread_counts:
        found, versions = in_new_process(compare, program, threads, thread_counts[0], rounds)
        rows += found
        about.update(versions)
    for row in rows:
        if "scaling_median" in row:
            print(f"{row['task']}: {row['threads']} threads are {row['scaling_median']:.2f} times as fast as "
                  f"{thread_counts[0]} ({row['scaling_min']:.2f} .. {row['scaling_max']:.2f})")
    peak, before = about["memory"]["peak_mb"], about["memory"]["before_mb"]
    print(f"peak memory of training: ours {peak['ours']} MB ({before['ours']} before it), PyTorch {peak['pytorch']} MB "
          f"({before['pytorch']} before it)")
    print(f"{about['cpu']}, {isa}, PyTorch {about['pytorch']}, commit {about['commit']}, load before "
          f"{about['load_before']:.1f}")
    return rows + [about]
