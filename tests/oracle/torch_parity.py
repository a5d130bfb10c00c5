#!/usr/bin/env python3
"""Compares the reconstructor with the same network in PyTorch: output, loss and the gradient of every parameter.

PyTorch computes in float64. Every tensor must agree to 1e-4 of its norm. See README.md here.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

TOLERANCE = 1e-4
DTYPES = {"F32": np.float32, "F64": np.float64}


def load_safetensors(path):
    raw = Path(path).read_bytes()
    begin = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:begin])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = np.frombuffer(raw[begin + first : begin + last], DTYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"])
    return arrays


def save_safetensors(path, arrays):
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    header, data = {}, b""
    for name in sorted(arrays, key=lambda n: -arrays[n].itemsize):  # aligned: wide elements first
        array = arrays[name]
        extent = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": extent}
        data += array.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + data)


class Block(nn.Module):
    def __init__(self, channels_in, channels_out, kernel, size):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2), nn.LayerNorm(size), nn.GELU()
        )

    def forward(self, x):
        return self.net(x)


class Reconstructor(nn.Module):
    """The network of the original Cold Zoom Diffusion project."""

    def __init__(self, channels, widths, kernel, size):
        super().__init__()
        frequencies = [0.0] + [2 * np.pi * 1.5**i for i in range(15)]
        self.register_buffer("frequencies", torch.tensor(frequencies, dtype=torch.float32))
        self.blocks = nn.ModuleList(
            [Block(a, b, kernel, size) for a, b in zip([channels] + widths, widths)]
            + [nn.Conv2d(widths[-1], channels, 3, padding=1)]
        )
        sizes = [2 * len(frequencies), 128, 128, 128, widths[0]]
        layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.GELU())]
        self.time_embed = nn.Sequential(*layers[:-1])

    def forward(self, x, t):
        angle = t[:, None] * self.frequencies
        condition = self.time_embed(torch.cat([torch.sin(angle), torch.cos(angle) - 1], dim=1))
        x = self.blocks[0](x) + condition[:, :, None, None]
        for block in self.blocks[1:]:
            x = block(x)
        return x


class Model(nn.Module):
    def __init__(self, channels, widths, kernel, size):
        super().__init__()
        self.gt = Reconstructor(channels, widths, kernel, size)


def model_of(weights):
    """The model that the shapes of its weights describe, with these weights, in float64."""
    widths = []
    while (name := f"gt.blocks.{len(widths)}.net.0.weight") in weights:
        widths.append(weights[name].shape[0])
    _, channels, kernel, _ = weights["gt.blocks.0.net.0.weight"].shape
    model = Model(channels, widths, kernel, weights["gt.blocks.0.net.1.weight"].shape)
    # strict: every name and shape, gt.frequencies too
    model.load_state_dict({k: torch.tensor(v) for k, v in weights.items() if k.startswith("gt.")}, strict=True)
    return model.double()


def random_weights(channels, widths, kernel, size, seed):
    """PyTorch's initial values, moved a little: ones and zeros would hide errors."""
    torch.manual_seed(seed)
    state = Model(channels, widths, kernel, size).state_dict()
    return {
        name: (v if name == "gt.frequencies" else v + 0.1 * v.std(unbiased=False).clamp(min=0.5) * torch.randn(v.shape))
        .numpy()
        .astype(np.float32)
        for name, v in state.items()
    }


def random_inputs(weights, t, seed):
    channels = weights["gt.blocks.0.net.0.weight"].shape[1]
    rng = np.random.default_rng(seed)
    x_t, x0 = rng.uniform(-0.5, 0.5, (2, len(t), channels, *weights["gt.blocks.0.net.1.weight"].shape))
    return {"x_t": x_t.astype(np.float32), "x0": x0.astype(np.float32), "t": np.asarray(t, np.float32)}


def torch_pass(weights, inputs):
    """What run_pass of network_pass.hpp computes, in float64."""
    model = model_of(weights)
    x_t, x0, t = (torch.tensor(inputs[name]).double() for name in ("x_t", "x0", "t"))
    y = model.gt(x_t, t)
    loss = nn.functional.mse_loss(y, x0)
    loss.backward()
    result = {"y": y.detach().numpy(), "loss": loss.detach().numpy()}
    result.update({f"grad.{name}": p.grad.numpy() for name, p in model.named_parameters()})
    return result


def coldzoom_pass(program, weights, inputs):
    """`weights` are arrays or the path of a file."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("weights", "inputs", "result")]
        if isinstance(weights, dict):
            save_safetensors(paths[0], weights)
        else:
            paths[0] = weights
        save_safetensors(paths[1], inputs)
        subprocess.run([program, *paths], check=True)
        return load_safetensors(paths[2])


def errors(ours, reference):
    """Relative Euclidean error of each tensor. The bias of a convolution in front of a layer norm has no influence, nor
    has that of the keys in front of a softmax; so their gradients are zero but for rounding, and are measured against
    those of the weights: both sum the same terms."""
    for name, wanted in reference.items():
        scale = reference[name.replace(".net.0.bias", ".net.0.weight").replace(".to_k.bias", ".to_k.weight")]
        yield name, np.linalg.norm((ours[name] - wanted).ravel()) / np.linalg.norm(scale.ravel())


def report(title, ours, reference):
    found = dict(errors(ours, reference))
    worst = max(found, key=found.get)
    print(f"{title}: y {found['y']:.1e}", end="")
    if "loss" in found:
        print(f", loss {found['loss']:.1e}, worst of {len(found) - 2} gradients", end="")
    print(f", worst {found[worst]:.1e} ({worst})")
    return found[worst] <= TOLERANCE


def check_pass(title, program, weights, inputs):
    ours = coldzoom_pass(program, weights, inputs)
    good = report(title, ours, torch_pass(weights, inputs))
    # What we write, PyTorch loads: names, shapes and, of the frequencies that we make, values.
    written = model_of(ours).state_dict()
    for name, tensor in model_of(weights).state_dict().items():
        assert torch.equal(tensor, written[name]), name
    return good


def make_golden(path):
    """Weights, inputs and results for tests/nn/test_golden.cpp. To keep it small, of a large matrix's gradient every
    eighth row only. The times are powers of two: their products with the frequencies are exact in float."""
    weights = random_weights(1, [6, 5, 4], 7, (12, 12), seed=1)
    inputs = random_inputs(weights, [1, 0.5, 0.25, 0.125, 0], seed=2)
    result = {k: v[::8] if v.size > 10000 else v for k, v in torch_pass(weights, inputs).items()}
    save_safetensors(path, {**weights, **inputs, **result})
    print(f"{path}: {Path(path).stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", help="coldzoom_network_dump, as built")
    parser.add_argument("--weights", help="safetensors file of a reconstructor to compare with, besides random ones")
    parser.add_argument("--outputs", help=".npz of x, t and the y that those weights must give")
    parser.add_argument("--make-golden", metavar="FILE", help="write the file that tests/nn/test_golden.cpp reads")
    options = parser.parse_args()
    if options.make_golden:
        make_golden(options.make_golden)
    if not options.program:
        return

    good = True
    for title, shape, count in (
        ("original network", (1, [16, 32, 32, 16], 7, (28, 28)), 40),
        ("three channels, not square", (3, [9, 17], 5, (11, 14)), 5),
        ("small network", (1, [6, 5, 4], 7, (12, 12)), 5),
    ):
        weights = random_weights(*shape, seed=3)
        times = np.random.default_rng(4).integers(1, 25, count) / 24
        good &= check_pass(title, options.program, weights, random_inputs(weights, times, seed=5))
    if options.weights:
        weights = load_safetensors(options.weights)
        inputs = random_inputs(weights, np.arange(1, 25) / 24, seed=6)
        good &= check_pass("given weights", options.program, weights, inputs)
        if options.outputs:
            given = np.load(options.outputs)
            inputs = {"x_t": given["x"], "x0": given["x"], "t": given["t"].astype(np.float32)}
            ours = coldzoom_pass(options.program, weights, inputs)
            good &= report("given outputs", ours, {"y": given["y"].astype(np.float64)})
    print(f"agree to {TOLERANCE:g}" if good else f"differ by more than {TOLERANCE:g}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
