"""The networks of the benchmarks in PyTorch, with the names of parameters that bench_network expects, and their data."""

import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "oracle"))
from torch_parity import Model, errors, load_safetensors, save_safetensors  # noqa: E402,F401

STEPS, SIDE, RATE = 24, 28, 2e-4


def original_reconstructor():
    return Model(1, [16, 32, 32, 16], 7, (SIDE, SIDE))


class Block(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.GroupNorm(8, channels_out), nn.SiLU(inplace=True)
        )

    def forward(self, x):
        return self.net(x)


class SkipConcat(nn.Sequential):
    def forward(self, x):
        return torch.cat([x, super().forward(x)], dim=1)


def pair(channels_in, channels_out):
    return nn.Sequential(Block(channels_in, channels_out), Block(channels_out, channels_out))


def small_unet():
    quarter = SkipConcat(nn.AvgPool2d(2), pair(64, 96), nn.Upsample(scale_factor=2))
    half = SkipConcat(nn.AvgPool2d(2), pair(32, 64), quarter, pair(64 + 96, 64), nn.Upsample(scale_factor=2))
    return nn.Sequential(
        pair(1, 32), half, nn.Sequential(Block(32 + 64, 32), Block(32, 32), nn.Conv2d(32, 1, 3, padding=1))
    )


def reconstruct(model, x, time):
    return model.gt(x, time)


def run_unet(model, x, time):
    return model(x)


def unet2d(name):
    """diffusers' UNet2DModel, which attention_unet equals."""
    import diffusers_parity

    return diffusers_parity.model_of(**getattr(diffusers_parity, name))


def run_unet2d(model, x, time):
    return model(x, time).sample


def lucidrains_unet(channels, width, multiples, full_attention, head_channels):
    """The U-Net of denoising-diffusion-pytorch. It computes another function than UNet2DModel: RMS norms, linear
    attention where there is no full attention, 1 x 1 convolutions on the way down. Width and heads make its
    multiply-adds equal to within 1 %."""
    from denoising_diffusion_pytorch import Unet

    return Unet(width, dim_mults=multiples, channels=channels, full_attn=full_attention, attn_dim_head=head_channels,
                flash_attn=True)


def run_lucidrains(model, x, time):
    return model(x, time)


def zoom(x0, pixel, step):
    """The zoom in the fastest form that PyTorch offers. `pixel` says where each step reads."""
    return x0.flatten(1).gather(1, pixel[step]).view_as(x0)


class Problem:
    """Images, what a network sees of them, at which times, and its weights: the same for both sides. `call` asks the
    network."""

    def __init__(self, make, call):
        torch.manual_seed(1)
        self.make, self.call = make, call
        self.state = make().state_dict()

    def to(self, device):
        """Moves what does not belong to a network."""
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value.to(device))

    def arrays(self):
        """For bench_network, without the network's name."""
        return {"x0": self.x0, "x_t": self.x_t, "time": self.our_time(), **self.state}

    def network(self):
        model = self.make()
        model.load_state_dict(self.state)
        return model


class Zoomed(Problem):
    """Each image at a step of the zoom of its own."""

    def __init__(self, make, call, images):
        super().__init__(make, call)
        self.step = torch.randint(1, STEPS + 1, (images,))
        self.time_of_step = torch.arange(STEPS + 1) / torch.tensor(STEPS, dtype=torch.float32)
        self.time = self.time_of_step[self.step]
        self.x0 = torch.rand(images, 1, SIDE, SIDE) - 0.5
        # Where the zoom of each step reads: rows, equal to columns.
        steps = torch.arange(STEPS + 1)[:, None]
        self.source = (steps + 1) // 2 + torch.arange(SIDE) * (SIDE - steps) // SIDE
        self.pixel = (self.source[:, :, None] * SIDE + self.source[:, None, :]).flatten(1)
        self.x_t = zoom(self.x0, self.pixel, self.step)

    def our_time(self):
        return self.time


class Noised(Problem):
    """Uniform noise for all images, at steps 0 .. 999."""

    def __init__(self, make, call, shape, images):
        super().__init__(make, call)
        self.x0, self.x_t = 2 * torch.rand(2, images, *shape) - 1
        self.time = torch.randint(0, 1000, (images,))

    def our_time(self):
        return (self.time + 1) / 1000


# By name, problem(images). Those that bench_network has, and a U-Net of others beside each UNet2DModel.
PROBLEMS = {
    "reconstructor": partial(Zoomed, original_reconstructor, reconstruct),
    "unet": partial(Zoomed, small_unet, run_unet),
    "unet2d_small": partial(Noised, partial(unet2d, "SMALL"), run_unet2d, (1, 28, 28)),
    "unet2d": partial(Noised, partial(unet2d, "COLOUR"), run_unet2d, (3, 32, 32)),
    "unet2d_small_lucidrains": partial(
        Noised, partial(lucidrains_unet, 1, 36, (1, 2, 3), (False, False, True), 24), run_lucidrains, (1, 28, 28)
    ),
    "unet2d_lucidrains": partial(
        Noised, partial(lucidrains_unet, 3, 74, (1, 2, 2), (False, True, True), 32), run_lucidrains, (3, 32, 32)
    ),
}


def save(path, problems):
    """The file that bench_network reads: `problems` by the names of their networks."""
    arrays = {f"{name}.{key}": tensor for name, problem in problems.items() for key, tensor in problem.arrays().items()}
    save_safetensors(path, {name: tensor.cpu().float().numpy() for name, tensor in arrays.items()})
