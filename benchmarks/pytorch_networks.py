"""The networks of the benchmarks in PyTorch, with the names of parameters that bench_network expects, and the data."""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "oracle"))
from torch_parity import Model, errors, load_safetensors, save_safetensors  # noqa: E402,F401

BATCH, STEPS, SIDE, RATE = 128, 24, 28, 2e-4


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


# The networks by the prefix of their results in what bench_network writes on `check`: how to make and to call each.
NETWORKS = {"reconstructor.": (original_reconstructor, reconstruct), "unet.": (small_unet, run_unet)}


def zoom(x0, pixel, step):
    """The zoom in the fastest form that PyTorch offers. `pixel` says where each step reads."""
    return x0.flatten(1).gather(1, pixel[step]).view_as(x0)


class Problem:
    """Images, a step of the zoom for each, and the weights of both networks: the same for both sides."""

    def __init__(self, images):
        torch.manual_seed(1)
        self.step = torch.randint(1, STEPS + 1, (images,))
        self.time_of_step = torch.arange(STEPS + 1) / torch.tensor(STEPS, dtype=torch.float32)
        self.time = self.time_of_step[self.step]
        self.x0 = torch.rand(images, 1, SIDE, SIDE) - 0.5
        # Where the zoom of each step reads: rows, equal to columns.
        steps = torch.arange(STEPS + 1)[:, None]
        self.source = (steps + 1) // 2 + torch.arange(SIDE) * (SIDE - steps) // SIDE
        self.pixel = (self.source[:, :, None] * SIDE + self.source[:, None, :]).flatten(1)
        self.state = {make: make().state_dict() for make, _ in NETWORKS.values()}
        self.x_t = zoom(self.x0, self.pixel, self.step)

    def to(self, device):
        """Moves the images and what belongs to them."""
        for name in "x0", "x_t", "step", "time", "time_of_step", "pixel":
            setattr(self, name, getattr(self, name).to(device))

    def save(self, path):
        """The file that bench_network reads."""
        arrays = {"x0": self.x0, "step": self.step.float()}
        for state in self.state.values():
            arrays.update(state)
        save_safetensors(path, {name: tensor.cpu().numpy() for name, tensor in arrays.items()})

    def network(self, make):
        model = make()
        model.load_state_dict(self.state[make])
        return model
