#!/usr/bin/env python3
"""Compares linear_attention with LinearAttention of lucidrains' denoising-diffusion-pytorch: output, loss and gradients.

PyTorch computes in float64. Every tensor must agree to 1e-4 of its norm. See README.md here.
"""

import argparse
import sys

import numpy as np
import torch
from denoising_diffusion_pytorch.denoising_diffusion_pytorch import LinearAttention
from torch_parity import coldzoom_pass, report


def ours(name):
    """Our name of a parameter of theirs."""
    return "0." + name.replace(".g", ".weight")


def lucidrains_pass(layer, x, x0):
    layer = layer.double()
    y = x + layer(x)
    loss = torch.nn.functional.mse_loss(y, x0)
    loss.backward()
    result = {"y": y.detach().numpy(), "loss": loss.detach().numpy()}
    result.update({f"grad.{ours(name)}": p.grad.numpy() for name, p in layer.named_parameters() if p.numel()})
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="coldzoom_network_dump, as built")
    program = parser.parse_args().program
    good = True
    for channels, heads, width, shape in ((64, 4, 32, (16, 16)), (20, 3, 6, (7, 5))):
        torch.manual_seed(1)
        layer = LinearAttention(channels, heads=heads, dim_head=width, num_mem_kv=0)
        with torch.no_grad():
            for p in layer.parameters():  # initial values, moved: ones would hide errors
                p += 0.3 * torch.randn(p.shape)
        x, x0 = torch.randn(2, 5, channels, *shape)
        weights = {
            ours(name): (p.ravel() if name.endswith(".g") else p).detach().numpy()
            for name, p in layer.named_parameters()
            if p.numel()
        }
        weights["0.to_qkv.bias"] = np.zeros(3 * heads * width, np.float32)  # theirs has none
        inputs = {"x_t": x.numpy(), "x0": x0.numpy(), "t": np.zeros(5, np.float32)}
        inputs["numbers"] = np.asarray([channels, heads, width], np.float32)
        found = coldzoom_pass(program, weights, inputs)
        wanted = lucidrains_pass(layer, x.double(), x0.double())
        wanted = {name: values.reshape(found[name].shape) for name, values in wanted.items()}
        good &= report(f"{channels} channels, {heads} heads of {width}", found, wanted)
    print("agree to 1e-4" if good else "differ by more than 1e-4")
    sys.exit(not good)


if __name__ == "__main__":
    main()
