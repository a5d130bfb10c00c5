"""compare_pytorch.sh on a CUDA device: both sides on the same device, in turn, by its own events.

PyTorch runs in this process; each of our programs in a process of its own, one for each precision.
"""

import gc
import json
import os
import shlex
import statistics
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from compare_sides import TOLERANCE, OurError, Ours, build, environment, fail, in_turn, output, repetitions

BATCH = 128
TASKS = ["train", "unet_train", "forward", "sample"]
SEARCHED = ["train", "unet_train", "sample"]  # the tasks that are timed at their best batch size too
PRECISIONS = ["float32", "tf32", "bf16"]
OUR_PRECISIONS = ["float32", "tf32"]
MODES = ["eager", "compile", "max-autotune"]
LAYOUTS = ["NCHW", "channels last"]
COPY_FLOATS, PRODUCT_SIZE = 1 << 27, 8192  # of what finds the ceilings: half a gigabyte, and the side of matrices
# Of the norm of a tensor. With factors rounded to the bits of TF32 the worst tensor of these networks is off by 2e-3,
# with PyTorch's autocast to bf16 on a CPU by 4e-2; a device may cut bits off where those round.
TOLERANCES = {"float32": TOLERANCE, "tf32": 1e-2, "bf16": 1e-1}


class OutOfMemory(Exception):
    """The device has no room for a batch."""


class Mismatch(Exception):
    """Results differ by more than the tolerance."""


class CudaDevice:
    """The first device, as PyTorch sees it, and its clock."""

    kind = "cuda"

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


@dataclass(frozen=True)
class Way:
    """What PyTorch's user can choose."""

    precision: str
    mode: str
    layout: str

    def __str__(self):
        return f"{self.mode}, {self.layout}"


class PyTorch:
    """The tasks in PyTorch, in every way."""

    def __init__(self, device, images):
        import torch

        import pytorch_networks

        self.torch, self.networks, self.device = torch, pytorch_networks, device
        self.problem = pytorch_networks.Problem(images)
        self.problem.to(device.kind)
        torch.backends.cudnn.benchmark = True  # the fastest algorithm by the clock

    def use(self, precision):
        """The switches of TF32, which hold for all work from now on."""
        for library in self.torch.backends.cuda.matmul, self.torch.backends.cudnn:
            library.allow_tf32 = precision != "float32"

    def autocast(self, precision):
        """For one step. Parameters stay float32: the frequencies of the time features would not survive bf16."""
        if precision != "bf16":
            return nullcontext()
        return self.torch.autocast(self.device.kind, dtype=self.torch.bfloat16)

    def compiled(self, f, way):
        if way.mode == "eager":
            return f
        # Of one size: with sizes left open the kernels would be slower.
        return self.torch.compile(f, mode="default" if way.mode == "compile" else way.mode, dynamic=False)

    def begin_step(self, way):
        if way.mode == "max-autotune":
            self.torch.compiler.cudagraph_mark_step_begin()

    def network(self, make, way):
        layout = self.torch.channels_last if way.layout == "channels last" else self.torch.contiguous_format
        return self.problem.network(make).to(self.device.kind, memory_format=layout), layout

    def batch(self, images, *names):
        return [getattr(self.problem, name)[:images] for name in names]

    def repetition(self, task, images, way):
        return (Training if task in ("train", "unet_train") else Calls)(self, task, images, way)

    def release(self):
        """Forgets compiled code and gives memory back; repetitions made before are of no use after it."""
        gc.collect()
        self.torch._dynamo.reset()
        self.device.release()

    def ceilings(self):
        """Bytes per second of a copy, and multiply-adds per second of a product in each precision."""

        def best(f):
            f()
            return min(self.device.milliseconds(f, 3) for _ in range(10))

        torch, kind, n = self.torch, self.device.kind, PRODUCT_SIZE
        source = torch.zeros(COPY_FLOATS, device=kind)
        target = torch.empty_like(source)
        found = {"copy_bytes_per_s": 2e3 * source.nbytes / best(lambda: target.copy_(source))}
        for precision in PRECISIONS:
            self.use(precision)
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            x, y = (torch.rand(n, n, device=kind).sub(0.5).to(dtype) for _ in range(2))
            found[f"{precision}_product_fma_per_s"] = 1e3 * n**3 / best(lambda: torch.mm(x, y))
        return found


class Reference:
    """What the first batch should give, computed in float64."""

    def __init__(self, pytorch):
        self.pytorch = pytorch
        x0, x_t, time = (tensor.double() for tensor in pytorch.batch(BATCH, "x0", "x_t", "time"))
        found = {"x_t": x_t}
        for prefix, (make, call) in pytorch.networks.NETWORKS.items():
            model = pytorch.problem.network(make).to(pytorch.device.kind).double()
            found[prefix + "y"] = y = call(model, x_t, time)
            found[prefix + "loss"] = loss = pytorch.torch.nn.functional.mse_loss(y, x0)
            loss.backward()
            found.update({f"{prefix}grad.{name}": p.grad for name, p in model.named_parameters()})
            if prefix == "reconstructor.":
                found["forward"], self.network = y, partial(call, model)
        self.results = {name: tensor.detach().cpu().numpy() for name, tensor in found.items()}

    def verify(self, found, precision):
        """The largest relative error of arrays by the names of bench_network's `check`. Raises Mismatch where one is
        too large or a zoom is not exact."""
        found = dict(found)
        wanted = {name: self.results[name] for name in found if name in self.results}
        if "x_t" in found:
            self.require_equal(found["x_t"], wanted["x_t"], "the zoomed images")
        if "sample.z" in found:
            # Call by call: of a network that has learnt nothing yet, the sampler makes a rounding error of its first
            # call grow by 1.8 a call.
            self.check_zooms(found["sample.z"], found["sample.x0_hat"])
            for number, (z, x0_hat) in enumerate(zip(found["sample.z"], found["sample.x0_hat"])):
                name = f"sample, call {number + 1}"
                found[name], wanted[name] = x0_hat, self.answer(z, number)
        if "sample" in found:
            self.require_equal(found["sample"], found["sample.x0_hat"][-1], "the samples with and without an observer")
        error, name = max((error, name) for name, error in self.pytorch.networks.errors(found, wanted))
        if not error <= TOLERANCES[precision]:
            raise Mismatch(f"{name} differs by {error:.1e} of its norm, more than {TOLERANCES[precision]:g}")
        return float(error)

    def check_zooms(self, z, x0_hat):
        """Each state of the sampler is the answer before it, zoomed; the first the images that it starts from."""
        self.require_equal(z[0], self.results["x_t"], "the images that the sampler starts from")
        pixel = self.pytorch.problem.pixel.cpu().numpy()
        for number in range(1, len(z)):
            source = pixel[self.pytorch.networks.STEPS - number]
            self.require_equal(z[number].reshape(len(z[0]), -1), x0_hat[number - 1].reshape(len(z[0]), -1)[:, source],
                               f"the zoom after call {number} of the sampler")

    def answer(self, z, number):
        """The network's, in call `number` of the sampler."""
        torch, problem = self.pytorch.torch, self.pytorch.problem
        images = torch.tensor(z, device=self.pytorch.device.kind).double()
        time = problem.time_of_step[self.pytorch.networks.STEPS - number].double()
        with torch.no_grad():
            return self.network(images, time.repeat(len(images))).cpu().numpy()

    @staticmethod
    def require_equal(found, wanted, what):
        if not (found == wanted).all():
            raise Mismatch(f"{what} differ")


class Training:
    """A training step; in `train` the zoom is part of what is compiled."""

    def __init__(self, pytorch, task, images, way):
        torch = pytorch.torch
        self.pytorch, self.way = pytorch, way
        self.prefix = "unet." if task == "unet_train" else "reconstructor."
        make, call = pytorch.networks.NETWORKS[self.prefix]
        self.model, layout = model, layout = pytorch.network(make, way)
        self.optimizer = torch.optim.Adam(model.parameters(), pytorch.networks.RATE, fused=True)

        def loss(x, time, target):
            return torch.nn.functional.mse_loss(call(model, x, time), target)

        def zoom_and_loss(x0, pixel, step, time):
            return loss(pytorch.networks.zoom(x0, pixel, step).to(memory_format=layout), time, x0)

        if task == "train":
            x0, step, time = pytorch.batch(images, "x0", "step", "time")
            self.find_loss = partial(pytorch.compiled(zoom_and_loss, way), x0, pytorch.problem.pixel, step, time)
        else:
            x_t, time, x0 = pytorch.batch(images, "x_t", "time", "x0")
            self.find_loss = partial(pytorch.compiled(loss, way), x_t.to(memory_format=layout), time, x0)

    def gradients(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.pytorch.begin_step(self.way)
        with self.pytorch.autocast(self.way.precision):
            loss = self.find_loss()
        loss.backward()
        return loss

    def __call__(self):
        self.gradients()
        self.optimizer.step()

    def results(self):
        """The loss and the gradients of a third pass, which replays CUDA graphs where the mode has them."""
        for _ in range(3):
            loss = self.gradients()
        found = {"loss": loss, **{f"grad.{name}": p.grad for name, p in self.model.named_parameters()}}
        return {self.prefix + name: tensor.detach().double().cpu().numpy() for name, tensor in found.items()}


class Calls:
    """A network call, or all calls that make samples."""

    def __init__(self, pytorch, task, images, way):
        self.pytorch, self.task, self.way = pytorch, task, way
        torch, problem = pytorch.torch, pytorch.problem
        make, call = pytorch.networks.NETWORKS["reconstructor."]
        model, layout = pytorch.network(make, way)
        model.eval()
        self.network = pytorch.compiled(lambda x, time: call(model, x, time).float(), way)
        x_t, self.time = pytorch.batch(images, "x_t", "time")
        self.x_t = x_t.to(memory_format=layout)
        self.time_of_step = [time.repeat(images) for time in problem.time_of_step]
        self.pixel = list(problem.pixel)
        self.no_gradients = torch.inference_mode if way.mode == "eager" else torch.no_grad

    def __call__(self):
        with self.no_gradients(), self.pytorch.autocast(self.way.precision):
            return self.sample() if self.task == "sample" else self.ask(self.x_t, self.time)

    def ask(self, x, time):
        self.pytorch.begin_step(self.way)
        return self.network(x, time)

    def sample(self, observe=lambda z, x0_hat: None):
        """The naive sampler: the network at steps 24 .. 1, and between them the zoom of the next step."""
        z = self.x_t
        for step in range(len(self.pixel) - 1, 0, -1):
            x0_hat = self.ask(z, self.time_of_step[step])
            observe(z, x0_hat)
            if step > 1:
                z = x0_hat.flatten(1).index_select(1, self.pixel[step - 1]).view_as(x0_hat)
        return x0_hat

    def results(self):
        """Of a third repetition, which replays CUDA graphs where the mode has them."""
        for _ in range(2):
            self()
        if self.task == "forward":
            return {"forward": self().cpu().numpy()}
        seen = []
        with self.no_gradients(), self.pytorch.autocast(self.way.precision):
            self.sample(lambda z, x0_hat: seen.append([tensor.clone().cpu().numpy() for tensor in (z, x0_hat)]))
        return dict(zip(("sample.z", "sample.x0_hat"), map(list, zip(*seen))))


class PyTorchSide:
    """PyTorch in one precision, in the fastest way for each task."""

    name = "PyTorch"

    def __init__(self, pytorch, precision):
        self.pytorch, self.precision = pytorch, precision
        self.ways = {}
        self.release()

    def release(self):
        self.made_for, self.repetition = None, None

    def way(self, task):
        return str(self.ways[task])

    def prepare(self, task, images):
        self.pytorch.use(self.precision)  # before anything is compiled
        if self.made_for != (task, images):
            self.release()
            self.repetition = self.pytorch.repetition(task, images, self.ways[task])
            self.made_for = task, images

    def milliseconds(self, task, images, count):
        try:
            self.prepare(task, images)
            return self.pytorch.device.milliseconds(self.repetition, count)
        except RuntimeError as error:  # PyTorch's own, or a compiler's around it
            if "out of memory" not in str(error):
                raise
            self.release()
            raise OutOfMemory("the device is out of memory") from None

    def choose(self, task, modes, reference, report):
        """Tries every way, and keeps the fastest of those that compute what they should."""
        found = {}
        for mode in modes:
            for layout in layouts_of(mode, found):
                self.ways[task] = way = Way(self.precision, mode, layout)
                row = {"task": task, "batch": BATCH, "side": self.name, "precision": self.precision, "way": str(way)}
                release([self], self.pytorch)
                try:
                    self.prepare(task, BATCH)
                    row["error"] = reference.verify(self.repetition.results(), self.precision)
                    row["ms"] = found[way] = briefly(self, task, BATCH)
                except Mismatch as mismatch:
                    row["failed"] = str(mismatch)
                except Exception as failure:  # a compiler may fail at anything; the other ways still count
                    row["failed"] = f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
                report.add_way(row)
        if not found:
            fail(f"PyTorch does {task} in {self.precision} in none of these modes: {', '.join(modes)}")
        self.ways[task] = min(found, key=found.get)


def layouts_of(mode, found):
    """max-autotune compiles for minutes, so it is tried with the layout that was faster without it."""
    compiled = [way for way in found if way.mode == "compile"]
    if mode == "max-autotune" and compiled:
        return [min(compiled, key=found.get).layout]
    return LAYOUTS


class OurSide:
    """One of our programs in one precision."""

    def __init__(self, program, data, precision):
        self.process = Ours(program, data, precision, env=with_libraries_of_pytorch())
        self.about = json.loads(self.process.ask("about"))
        self.name, self.precision = self.about["backend"], precision

    def way(self, task):
        return ""

    def release(self):
        """Its process keeps its memory, which is small."""

    def milliseconds(self, task, images, count):
        try:
            return self.process.milliseconds(task, images, count)
        except OurError as error:
            if "out of memory" not in str(error):
                raise
            raise OutOfMemory(str(error)) from None

    def check(self, reference, folder, networks):
        """The largest error. Stops the program where it is too large."""
        path = Path(folder) / "check.safetensors"
        self.process.ask(f"check {path} {BATCH}")
        try:
            return reference.verify(networks.load_safetensors(path), self.precision)
        except Mismatch as mismatch:
            fail(f"{self.name}, {self.precision}: {mismatch}")


def with_libraries_of_pytorch():
    """The environment, with the CUDA libraries that PyTorch brings along: both sides use the same where they can."""
    import torch

    folders = sorted(str(folder) for folder in Path(torch.__file__).parent.parent.glob("nvidia/*/lib"))
    present = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders + ([present] if present else []))}


def warm_up(time):
    """Recorded and compiled work is recorded at the second repetition and replayed from the third on."""
    time(3)
    return repetitions(time(1))


def briefly(side, task, images):
    """Milliseconds of one repetition: the faster of two timings."""
    time = partial(side.milliseconds, task, images)
    count = warm_up(time)
    return min(time(count) for _ in range(2))


def release(sides, pytorch):
    """Before other work is compiled: what sides have made is in the way of it."""
    for side in sides:
        side.release()
    pytorch.release()


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
        report.add({"task": task, "search": True, "side": side.name, "precision": side.precision,
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
        torch, networks = pytorch.torch, pytorch.networks
        make, call = networks.NETWORKS["unet." if task == "unet_train" else "reconstructor."]
        self.trains, self.calls = task in ("train", "unet_train"), networks.STEPS if task == "sample" else 1
        self.multiply_adds = self.elements = 0  # of one image
        model = make()
        for layer in model.modules():
            if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
                layer.register_forward_hook(self.see)
        call(model, torch.zeros(1, 1, networks.SIDE, networks.SIDE), torch.ones(1))
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


class Report:
    """The lines of the table, printed as they come, and the JSON file, written anew after each task."""

    def __init__(self, path, about):
        self.path, self.about, self.rows = path, about, []

    def add(self, row):
        self.rows.append(row)

    def add_way(self, row):
        self.add(row)
        outcome = row["failed"] if "failed" in row else f"{row['ms']:.3f} ms, error {row['error']:.1e}"
        print(f"  {row['task']}, PyTorch {row['precision']}, {row['way']}: {outcome}", flush=True)

    def add_measured(self, task, batches, rounds, best, work, ceilings):
        """Lines of all sides, and the ratios of ours to PyTorch's."""
        for side, images in batches.items():
            milliseconds = statistics.median(rounds[side])
            row = {
                "task": task, "batch": images, "best_batch": best, "side": side.name, "precision": side.precision,
                "way": side.way(task), "ms": milliseconds, "ms_min": min(rounds[side]), "ms_max": max(rounds[side]),
                "images_per_second": 1000 * images / milliseconds,
                **work.shares(images, side.precision, milliseconds, ceilings),
            }
            self.add(row)
            print(f"{task:10} {images:5} {side.name:13} {side.precision:8} {milliseconds:9.3f} {row['ms_min']:9.3f} .. "
                  f"{row['ms_max']:9.3f} {row['images_per_second']:11.0f} {100 * row['arithmetic_share']:6.1f} % "
                  f"{100 * row['bandwidth_share']:5.1f} %  {row['way']}", flush=True)
        theirs = [side for side in batches if isinstance(side, PyTorchSide)]
        fastest = max(theirs, key=lambda side: batches[side] / statistics.median(rounds[side]))
        for side in batches:
            for other in theirs if side not in theirs else []:
                ratios = [batches[side] / own / (batches[other] / its)
                          for own, its in zip(rounds[side], rounds[other])]
                row = {
                    "task": task, "best_batch": best, "side": side.name, "precision": side.precision,
                    "pytorch_precision": other.precision, "ratio_median": statistics.median(ratios),
                    "ratio_min": min(ratios), "ratio_max": max(ratios),
                }
                self.add(row)
                if other.precision != side.precision and other is not fastest:
                    continue
                print(f"{task}{', best batches' if best else ''}: {side.name} in {side.precision} makes "
                      f"{row['ratio_median']:.2f} ({row['ratio_min']:.2f} .. {row['ratio_max']:.2f}) times the images "
                      f"of PyTorch in {other.precision}", flush=True)

    def save(self):
        if self.path:
            self.path.write_text(json.dumps(self.rows + [self.about], indent=1) + "\n")


def find_ceilings(pytorch, ours):
    """The most that either side saw: bytes per second, and multiply-adds per second by precision; and all that was
    seen."""
    seen = {"PyTorch": pytorch.ceilings()}
    for side in ours:
        if side.name == ours[0].name:
            seen[f"{side.name}, {side.precision}"] = json.loads(side.process.ask("ceilings"))
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
    report = Report(path, about)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        pytorch = PyTorch(device, largest)
        data = Path(folder) / "data.safetensors"
        pytorch.problem.save(data)
        ours = []
        for program in programs:
            for precision in OUR_PRECISIONS:
                if precision in precisions:
                    ours.append(OurSide(program, data, precision))
                    running.enter_context(ours[-1].process)
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
        reference = Reference(pytorch)
        for side in ours:
            side.about["error"] = side.check(reference, folder, pytorch.networks)
            print(f"{side.name}, {side.precision}: results agree, largest difference {side.about['error']:.1e}",
                  flush=True)

        sides = ours + [PyTorchSide(pytorch, precision) for precision in precisions]
        for task in tasks:
            work = Work(pytorch, task)
            release(sides, pytorch)
            for side in sides[len(ours):]:
                side.choose(task, modes, reference, report)
            print(f"{'task':10} {'batch':>5} {'side':13} {'':8} {'ms':>9} {'lowest .. highest':>22} {'images/s':>11} "
                  f"{'arithm.':>8} {'memory':>7}")
            batches = {side: BATCH for side in sides}
            report.add_measured(task, batches, measure(batches, task, rounds, pytorch), False, work, ceilings)
            report.save()
            if task in SEARCHED and largest > BATCH:
                batches = search(sides, task, largest, pytorch, report)
                report.add_measured(task, batches, measure(batches, task, rounds, pytorch), True, work, ceilings)
                report.save()
    report.save()
