#!/usr/bin/env python3
"""Compares attention_unet with diffusers' UNet2DModel: output, loss, the gradient of every parameter, and the
parameters after one step of AdamW. With --convert, folders of UNet2DModel go through the program convert_diffusers to a
model file and back, and all three give one output.

diffusers computes in float64. Every tensor must agree to 1e-4 of its norm. See README.md here.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from diffusers.models.downsampling import Downsample2D
from diffusers.models.upsampling import Upsample2D
from torch_parity import coldzoom_pass, report, save_safetensors

STEPS = 1000
EPS = 1e-3  # of AdamW: large, so that gradients that are zero but for rounding move nothing
# The networks that benchmarks/compare_pytorch.sh times too.
SMALL = {"widths": [32, 64, 96], "blocks": 2, "attention": [2], "head_channels": 8, "groups": 8, "channels": 1}
COLOUR = {"widths": [64, 128, 128], "blocks": 2, "attention": [1, 2], "head_channels": 8, "groups": 32}


def model_of(
    widths, blocks, attention, head_channels, groups, classes=0, channels=3, scale_shift=False, resampled=False, size=32
):
    """The UNet2DModel that an attention_unet of these numbers equals. `resampled`: averages lead down and transposed
    convolutions up, which no option of UNet2DModel asks for, but its modules are there."""
    down = ["AttnDownBlock2D" if i in attention else "DownBlock2D" for i in range(len(widths))]
    up = ["AttnUpBlock2D" if i in attention else "UpBlock2D" for i in reversed(range(len(widths)))]
    model = UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=tuple(widths),
        layers_per_block=blocks,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        norm_num_groups=groups,
        attention_head_dim=head_channels,
        resnet_time_scale_shift="scale_shift" if scale_shift else "default",
        num_class_embeds=classes + 1 if classes else None,
    )
    if resampled:
        for i, width in enumerate(widths[:-1]):
            model.down_blocks[i].downsamplers[0] = Downsample2D(width, use_conv=False)
        for i, width in enumerate(widths[:0:-1]):
            model.up_blocks[i].upsamplers[0] = Upsample2D(width, use_conv_transpose=True)
    return model


def described(config, steps):
    """The arrays that unet_of of network_pass.hpp reads."""
    channels = config.get("channels", 3)
    numbers = [channels, channels, config["blocks"], config["head_channels"] or 0, config["groups"]]
    numbers += [int(config.get("scale_shift", False))] + 2 * [int(config.get("resampled", False))]
    numbers += [config.get("classes", 0), steps]
    arrays = {"widths": config["widths"], "attention": config["attention"] or [-1], "numbers": numbers}
    return {name: np.asarray(values, np.float32) for name, values in arrays.items()}


def random_model(config, seed):
    """Initial values, moved a little: ones and zeros would hide errors."""
    torch.manual_seed(seed)
    model = model_of(**config)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * p.std(unbiased=False).clamp(min=0.5) * torch.randn(p.shape)
    return model


def random_inputs(config, shape, times, seed):
    rng = np.random.default_rng(seed)
    x_t, x0 = rng.uniform(-1, 1, (2, len(times), config.get("channels", 3), *shape)).astype(np.float32)
    inputs = {"x_t": x_t, "x0": x0, "t": ((np.asarray(times) + 1) / STEPS).astype(np.float32)}
    if classes := config.get("classes", 0):
        inputs["label"] = (np.arange(len(times)) % (classes + 1)).astype(np.float32)
    return {**inputs, **described(config, STEPS)}


def diffusers_pass(model, inputs, times):
    """What run_pass of network_pass.hpp computes, in float64."""
    model = model.double()
    labels = torch.tensor(inputs["label"]).long() if "label" in inputs else None
    y = model(torch.tensor(inputs["x_t"]).double(), torch.tensor(times), class_labels=labels).sample
    loss = torch.nn.functional.mse_loss(y, torch.tensor(inputs["x0"]).double())
    loss.backward()
    result = {"y": y.detach().numpy(), "loss": loss.detach().numpy()}
    result.update({f"grad.{name}": p.grad.numpy() for name, p in model.named_parameters()})
    torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, eps=EPS).step()
    result.update({f"updated.{name}": p.detach().numpy() for name, p in model.named_parameters()})
    return result


def weights_of(model):
    return {name: p.detach().numpy().astype(np.float32) for name, p in model.named_parameters()}


def make_golden(path, **options):
    """Weights, inputs and results for tests/nn/test_golden.cpp. The steps are small: their products with the
    frequencies are nearly exact in float."""
    config = {"widths": [4, 8], "blocks": 1, "attention": [1], "head_channels": 4, "groups": 2, "classes": 2}
    config.update(options)
    model, times = random_model(config, seed=1), [0, 2, 3]
    weights, inputs = weights_of(model), random_inputs(config, (6, 4), times, seed=2)
    result = diffusers_pass(model, inputs, times)
    result = {name: values for name, values in result.items() if not name.startswith("updated.")}
    save_safetensors(path, {**weights, **inputs, **result})
    print(f"{path}: {Path(path).stat().st_size} bytes")


def settings_of(model):
    """Without those that speak of the folder and the version; a list may have become a tuple."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in model.config.items()}
    return {name: value for name, value in plain.items() if not name.startswith("_")}


def check_conversion(program, convert, config):
    """UNet2DModel.save_pretrained -> model file -> UNet2DModel.from_pretrained."""
    model, times = random_model(config, seed=5), [0, 17, 999]
    inputs = random_inputs(config, (config["size"],) * 2, times, seed=6)
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours, back = (Path(folder) / name for name in ("theirs", "model.safetensors", "back"))
        model.save_pretrained(theirs)
        subprocess.run([convert, "--from", theirs, "--to", ours], check=True)
        subprocess.run([convert, "--from", ours, "--to", back], check=True)
        read = UNet2DModel.from_pretrained(back)
        assert settings_of(read) == settings_of(model), (settings_of(read), settings_of(model))
        wanted = {"y": diffusers_pass(model, inputs, times)["y"]}
        good = report("UNet2DModel -> model file", coldzoom_pass(program, ours, inputs), wanted)
        return good & report("... -> UNet2DModel", diffusers_pass(read, inputs, times), wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", help="coldzoom_network_dump, as built")
    parser.add_argument("--convert", metavar="PROGRAM", help="convert_diffusers, as built; wants --program too")
    parser.add_argument("--make-golden", metavar="FOLDER", help="write the files that tests/nn/test_golden.cpp reads")
    options = parser.parse_args()
    if options.make_golden:
        make_golden(f"{options.make_golden}/attention_unet_golden.safetensors")
        make_golden(
            f"{options.make_golden}/attention_unet_film_golden.safetensors", scale_shift=True, resampled=True
        )
    if not options.program:
        return

    good = True
    for title, config, shape in (
        ("28 x 28, attention at 7", SMALL, (28, 28)),
        ("32 x 32 in colour, attention at 16 and 8", COLOUR, (32, 32)),
        (
            "labels, scale and shift, not square",
            {
                "widths": [16, 32],
                "blocks": 1,
                "attention": [0, 1],
                "head_channels": 16,
                "groups": 8,
                "classes": 10,
                "scale_shift": True,
            },
            (12, 8),
        ),
        (
            "averages down, transposed convolutions up",
            {"widths": [16, 32, 48], "blocks": 1, "attention": [1], "head_channels": 8, "groups": 8, "resampled": True},
            (16, 12),
        ),
    ):
        model, times = random_model(config, seed=3), [0, 1, 17, 400, 999]
        inputs = random_inputs(config, shape, times, seed=4)
        weights = weights_of(model)
        ours = coldzoom_pass(options.program, weights, inputs)
        good &= report(title, ours, diffusers_pass(model, inputs, times))
        # What we write, diffusers loads: names and shapes.
        model_of(**config).load_state_dict({name: torch.tensor(ours[name].copy()) for name in weights}, strict=True)
    if options.convert:
        small = {"widths": [16, 32], "blocks": 1, "attention": [1], "head_channels": 8, "groups": 8, "size": 12}
        for config in (
            small,
            {**small, "attention": [0], "head_channels": None, "classes": 10, "scale_shift": True, "channels": 1},
        ):
            good &= check_conversion(options.program, options.convert, config)
    print("agree to 1e-4" if good else "differ by more than 1e-4")
    sys.exit(not good)


if __name__ == "__main__":
    main()
