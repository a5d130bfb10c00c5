"""PyTorch's side of the comparisons, on the CPU and on a device: the tasks in every way that PyTorch's user can choose,
what they should compute, and the choice of the fastest."""

import gc
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

from compare_sides import TOLERANCE, fail, repetitions

MODES = ["eager", "compile", "max-autotune", "freeze"]
LAYOUTS = ["NCHW", "channels last"]
OPTIMIZERS = {"fused Adam": {"fused": True}, "foreach Adam": {"foreach": True}}
# Of the norm of a tensor. With factors rounded to the bits of TF32 the worst tensor of these networks is off by 2e-3,
# with PyTorch's autocast to bf16 on a CPU by 7e-2; a device may cut bits off where those round.
TOLERANCES = {"float32": TOLERANCE, "tf32": 1e-2, "bf16": 1e-1}


class OutOfMemory(Exception):
    """The device has no room for a batch."""


class Mismatch(Exception):
    """Results differ by more than the tolerance."""


@dataclass(frozen=True)
class Way:
    """What PyTorch's user can choose."""

    precision: str
    mode: str
    layout: str = ""
    optimizer: str = ""

    def __str__(self):
        return ", ".join(part for part in (self.mode, self.layout, self.optimizer) if part)


class PyTorch:
    """The tasks in PyTorch, in every way."""

    def __init__(self, device, images):
        """`images` of each network by its name."""
        import torch

        import pytorch_networks

        self.torch, self.networks, self.device = torch, pytorch_networks, device
        self.problems = {name: pytorch_networks.PROBLEMS[name](count) for name, count in images.items()}
        for problem in self.problems.values():
            problem.to(device.kind)
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
        # Of one size: with sizes left open the kernels would be slower.
        if way.mode == "eager":
            return f
        if way.mode == "freeze":
            return self.torch.compile(f, options={"freezing": True, "max_autotune": True}, dynamic=False)
        return self.torch.compile(f, mode="default" if way.mode == "compile" else way.mode, dynamic=False)

    def begin_step(self, way):
        if way.mode == "max-autotune":
            self.torch.compiler.cudagraph_mark_step_begin()

    def network(self, name, way):
        layout = self.torch.channels_last if way.layout == "channels last" else self.torch.contiguous_format
        return self.problems[name].network().to(self.device.kind, memory_format=layout), layout

    def batch(self, network, images, *names):
        return [getattr(self.problems[network], name)[:images] for name in names]

    def repetition(self, task, images, way):
        if way.mode == "onnxruntime":
            return OnnxCalls(self, task, images)
        return {"train": Training, "zoom": Zoom}.get(task.work, Calls)(self, task, images, way)

    def multiply_adds(self, network):
        """Of a call on one image, in convolutions and products."""
        from torch.utils.flop_counter import FlopCounterMode

        problem = self.problems[network]
        with FlopCounterMode(display=False) as counter, self.torch.no_grad():
            problem.call(problem.network().to(self.device.kind), *self.batch(network, 1, "x_t", "time"))
        return counter.get_total_flops() // 2

    def release(self):
        """Forgets compiled code and gives memory back; repetitions made before are of no use after it."""
        gc.collect()
        if hasattr(self.torch, "_dynamo"):
            self.torch._dynamo.reset()
        self.device.release()


class Reference:
    """What a network should give for the first images, computed in float64."""

    def __init__(self, pytorch, network, images):
        self.pytorch, self.name, self.images, self.problem = pytorch, network, images, pytorch.problems[network]
        x0, x_t, time = (tensor.double() for tensor in pytorch.batch(network, images, "x0", "x_t", "time"))
        model = self.problem.network().to(pytorch.device.kind).double()
        self.network = partial(self.problem.call, model)
        y = self.network(x_t, time)
        loss = pytorch.torch.nn.functional.mse_loss(y, x0)
        loss.backward()
        found = {"x_t": x_t, "y": y, "forward": y, "loss": loss}
        found.update({f"grad.{name}": p.grad for name, p in model.named_parameters()})
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
        pixel = self.problem.pixel.cpu().numpy()
        for number in range(1, len(z)):
            source = pixel[self.pytorch.networks.STEPS - number]
            self.require_equal(z[number].reshape(len(z[0]), -1), x0_hat[number - 1].reshape(len(z[0]), -1)[:, source],
                               f"the zoom after call {number} of the sampler")

    def answer(self, z, number):
        """The network's, in call `number` of the sampler."""
        torch = self.pytorch.torch
        images = torch.tensor(z, device=self.pytorch.device.kind).double()
        time = self.problem.time_of_step[self.pytorch.networks.STEPS - number].double()
        with torch.no_grad():
            return self.network(images, time.repeat(len(images))).cpu().numpy()

    @staticmethod
    def require_equal(found, wanted, what):
        if not (found == wanted).all():
            raise Mismatch(f"{what} differ")


class Training:
    """A training step; in the reconstructor's the zoom is part of what is compiled."""

    def __init__(self, pytorch, task, images, way):
        torch, problem = pytorch.torch, pytorch.problems[task.network]
        self.pytorch, self.way = pytorch, way
        self.model, layout = model, layout = pytorch.network(task.network, way)
        self.optimizer = torch.optim.Adam(model.parameters(), pytorch.networks.RATE, **OPTIMIZERS[way.optimizer])

        def loss(x, time, target):
            return torch.nn.functional.mse_loss(problem.call(model, x, time), target)

        def zoom_and_loss(x0, pixel, step, time):
            return loss(pytorch.networks.zoom(x0, pixel, step).to(memory_format=layout), time, x0)

        if task.network == "reconstructor":
            x0, step, time = pytorch.batch(task.network, images, "x0", "step", "time")
            self.find_loss = partial(pytorch.compiled(zoom_and_loss, way), x0, problem.pixel, step, time)
        else:
            x_t, time, x0 = pytorch.batch(task.network, images, "x_t", "time", "x0")
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
        return {name: tensor.detach().double().cpu().numpy() for name, tensor in found.items()}


class Calls:
    """A network call, or all calls that make samples."""

    def __init__(self, pytorch, task, images, way):
        self.pytorch, self.task, self.way = pytorch, task, way
        torch, problem = pytorch.torch, pytorch.problems[task.network]
        model, layout = pytorch.network(task.network, way)
        model.eval()
        self.network = pytorch.compiled(lambda x, time: problem.call(model, x, time).float(), way)
        x_t, self.time = pytorch.batch(task.network, images, "x_t", "time")
        self.x_t = x_t.to(memory_format=layout)
        if task.work == "sample":
            self.time_of_step = [time.repeat(images) for time in problem.time_of_step]
            self.pixel = list(problem.pixel)
        self.no_gradients = torch.inference_mode if way.mode == "eager" else torch.no_grad

    def __call__(self):
        with self.no_gradients(), self.pytorch.autocast(self.way.precision):
            return self.sample() if self.task.work == "sample" else self.ask(self.x_t, self.time)

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
        if self.task.work == "forward":
            return {"forward": self().cpu().numpy()}
        seen = []
        with self.no_gradients(), self.pytorch.autocast(self.way.precision):
            self.sample(lambda z, x0_hat: seen.append([tensor.clone().cpu().numpy() for tensor in (z, x0_hat)]))
        return dict(zip(("sample.z", "sample.x0_hat"), map(list, zip(*seen))))


class OnnxCalls:
    """A network call by ONNX Runtime on the CPU."""

    def __init__(self, pytorch, task, images):
        import onnxruntime

        problem = pytorch.problems[task.network]
        inputs = pytorch.batch(task.network, images, "x_t", "time")

        class Network(pytorch.torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = problem.network()

            def forward(self, x_t, time):
                return problem.call(self.model, x_t, time)

        program = pytorch.torch.onnx.export(Network().eval(), tuple(inputs), input_names=["x_t", "time"], dynamo=True,
                                            verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = pytorch.torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), options,
                                                    providers=["CPUExecutionProvider"])
        self.inputs = {name: tensor.numpy() for name, tensor in zip(("x_t", "time"), inputs)}

    def __call__(self):
        return self.session.run(None, self.inputs)

    def results(self):
        return {"forward": self()[0]}


class Zoom:
    """The zoom in forms beside the fastest one: the original project's, image by image, and one call."""

    def __init__(self, pytorch, task, images, way):
        torch, problem, side = pytorch.torch, pytorch.problems[task.network], pytorch.networks.SIDE
        x0, step = pytorch.batch(task.network, images, "x0", "step")
        if way.mode == "resized_crop":
            from torchvision.transforms.functional import InterpolationMode, resized_crop

            def zoom(image, step):
                first, size = (step + 1) // 2, side - step
                return resized_crop(image, first, first, size, size, [side, side], InterpolationMode.NEAREST)

            self.zoom = lambda: torch.stack([zoom(image, step) for image, step in zip(x0, step.tolist())])
        else:
            centre = (2 * problem.source + 1) / side - 1
            rows, columns = centre[:, :, None].expand(-1, -1, side), centre[:, None, :].expand(-1, side, -1)
            grid = torch.stack([columns, rows], dim=-1)[step]
            self.zoom = lambda: torch.nn.functional.grid_sample(x0, grid, mode="nearest", align_corners=False)

    def __call__(self):
        return self.zoom()

    def results(self):
        return {"x_t": self().numpy()}


class PyTorchSide:
    """PyTorch, or another library beside it, in one precision, in the fastest way for each task."""

    def __init__(self, pytorch, precision, modes, name="PyTorch", suffix=""):
        """`suffix` to the name of our network gives that of this side's."""
        self.pytorch, self.precision, self.modes, self.name, self.suffix = pytorch, precision, modes, name, suffix
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
            own = replace(task, network=task.network + self.suffix)
            self.repetition = self.pytorch.repetition(own, images, self.ways[task])
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

    def candidates(self, task, found):
        """The ways, one by one; `found` has the milliseconds of those that were tried. A compiler takes minutes, so what
        it compiles takes the optimiser that was faster in eager; and max-autotune and freeze, which take longest, the
        layout that was faster for `compile`."""

        def fastest(mode, of, names):
            tried = [way for way in found if way.mode == mode]
            return [getattr(min(tried, key=found.get), of)] if tried else names

        for mode in self.modes:
            layouts, optimizers = LAYOUTS, [""]
            if mode in ("max-autotune", "freeze"):
                layouts = fastest("compile", "layout", layouts)
            elif mode not in ("eager", "compile"):
                layouts = [""]
            if task.work == "train":
                optimizers = self.pytorch.device.optimizers
                if mode != "eager":
                    optimizers = fastest("eager", "optimizer", optimizers)
                if mode == "freeze":  # weights that change are not for it
                    continue
            for layout, optimizer in product(layouts, optimizers):
                yield Way(self.precision, mode, layout, optimizer)

    def choose(self, task, reference, report):
        """Tries every way, and keeps the fastest of those that compute what they should. Whether there is one."""
        found = {}
        for way in self.candidates(task, found):
            self.ways[task] = way
            row = {"task": task.name, "batch": task.batch, "side": self.name, "precision": self.precision,
                   "way": str(way)}
            release([self], self.pytorch)
            try:
                self.prepare(task, task.batch)
                row["error"] = reference.verify(self.repetition.results(), self.precision)
                row["ms"] = found[way] = briefly(self, task, task.batch)
            except Mismatch as mismatch:
                row["failed"] = str(mismatch)
            except Exception as failure:  # a compiler may fail at anything; the other ways still count
                row["failed"] = f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
            report.add_way(row)
        if found:
            self.ways[task] = min(found, key=found.get)
        return bool(found)


def check(side, reference, folder):
    """The largest error of ours. Stops the program where it is too large."""
    path = Path(folder) / "check.safetensors"
    side.ask(f"check {reference.name} {path} {reference.images}")
    try:
        return reference.verify(reference.pytorch.networks.load_safetensors(path), side.precision)
    except Mismatch as mismatch:
        fail(f"{side.name}, {side.precision}: {mismatch}")


def choose(sides, task, references, report):
    """Those of PyTorch's sides that do the task in some way, each with its fastest; `references` by their networks."""
    able = [side for side in sides if side.choose(task, references[task.network + side.suffix], report)]
    if not able:
        fail(f"nothing does {task.name} in any of these modes: {', '.join(sides[0].modes)}")
    return able


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
