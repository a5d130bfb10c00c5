"""The networks of the benchmarks in PyTorch, with the names of parameters that bench_network expects."""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "oracle"))
from torch_parity import Model, errors, load_safetensors, save_safetensors  # noqa: E402,F401


def original_reconstructor():
    return Model(1, [16, 32, 32, 16], 7, (28, 28))


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


def small_unet():
    quarter = SkipConcat(nn.AvgPool2d(2), Block(64, 96), Block(96, 96), nn.Upsample(scale_factor=2))
    half = SkipConcat(
        nn.AvgPool2d(2), Block(32, 64), Block(64, 64), quarter, Block(64 + 96, 64), Block(64, 64),
        nn.Upsample(scale_factor=2),
    )
    return nn.Sequential(
        Block(1, 32), Block(32, 32), half, Block(32 + 64, 32), Block(32, 32), nn.Conv2d(32, 1, 3, padding=1)
    )
