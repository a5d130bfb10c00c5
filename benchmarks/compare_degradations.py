#!/usr/bin/env python3
"""The cost of each degradation beside torchvision, scikit-image or Pillow doing the same, an image on one thread.

usage: PYTHON benchmarks/compare_degradations.py [--bin FOLDER] [--rounds N]

Needs PyTorch, torchvision, scikit-image and Pillow (PyPI). Ours and a peer take turns, N rounds; the table has medians. Peers
work on batches where they can, and on one image after the other where they cannot. A degradation without a peer in these
libraries has no number there. "The same" is the work, not the numbers: kernels, edges and draws differ in detail.
"""
import argparse
import io
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
import PIL.Image
import skimage.transform
import skimage.util
import torch
import torchvision.transforms.v2.functional as vision

BATCH = 128


def blur(x):
    for _ in range(10):
        x = vision.gaussian_blur(x, [11, 11], [7.0, 7.0])
    return x


def pixelate(x):
    small = torch.nn.functional.interpolate(x, scale_factor=0.25, mode="area")
    return torch.nn.functional.interpolate(small, scale_factor=4, mode="nearest")


def motion(x):
    kernel = torch.eye(11)[None, None] / 11
    return torch.nn.functional.conv2d(x, kernel, padding=5)


def zoom(x):
    side = x.shape[-1]
    return vision.resized_crop(x, side // 4, side // 4, side // 2, side // 2, [side, side], antialias=False,
                               interpolation=vision.InterpolationMode.BICUBIC)


def kspace(x):
    spectrum = torch.fft.fft2(x)
    spectrum[:, :, 4:-4:2] = 0
    return torch.fft.ifft2(spectrum).real


def jpeg(x):
    out = []
    for image in (255 * x[:, 0]).to(torch.uint8).numpy():
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, "JPEG", quality=4)
        out.append(numpy.asarray(PIL.Image.open(file)))
    return out


def each(f):
    return lambda x: [f(image) for image in x[:, 0].numpy()]


def scan(image):
    angles = numpy.linspace(0, 180, 36, endpoint=False)
    sinogram = skimage.transform.radon(image, angles, circle=False)
    return skimage.transform.iradon(sinogram + numpy.random.randn(*sinogram.shape), angles, circle=False)


PEERS = {
    "blur": ("torchvision gaussian_blur, 10 times", blur),
    "heat": ("torchvision gaussian_blur, 41 x 41", lambda x: vision.gaussian_blur(
        torch.nn.functional.pad(x, [8] * 4), [41, 41], [7.0, 7.0])),
    "motion": ("torch conv2d, a diagonal kernel", motion),
    "pixelate": ("torch interpolate, area and nearest", pixelate),
    "zoom_cubic": ("torchvision resized_crop, bicubic", zoom),
    "kspace": ("torch fft2 and ifft2", kspace),
    "jpeg": ("Pillow, a JPEG file and back", jpeg),
    "salt_pepper": ("scikit-image random_noise s&p", each(lambda i: skimage.util.random_noise(i, "s&p", amount=0.5))),
    "dose": ("scikit-image radon and iradon", each(scan)),
    "blend": ("torch lerp to drawn pictures", lambda x: torch.lerp(x, x[torch.randint(BATCH, (BATCH,))], 0.5)),
    "fade": ("torch lerp and randn", lambda x: torch.lerp(x, torch.zeros(()), 0.5) + 0.1 * torch.randn_like(x)),
    "rows": ("torch lerp to the mean of rows", lambda x: torch.lerp(x, x.mean(3, keepdim=True).expand_as(x), 0.5)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(pathlib.Path(__file__).parent.parent / "build/release/examples"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.rand(BATCH, 1, 28, 28)
    methods = ["blur", "heat", "motion", "pixelate", "rows", "kspace", "zoom_cubic", "zoom_area", "inpaint_fading", "fade", "jpeg", "salt_pepper",
               "gaps", "snow", "dose", "blend", "mask", "inpaint_square", "zoom_nearest", "zoom_bilinear", "inpaint"]
    ours = {m: [] for m in methods}
    theirs = {m: [] for m in PEERS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for method in methods:
                file = folder + "/report.json"
                subprocess.run([arguments.bin + "/check_degradation", "--method", method, "--limit", "128", "--threads", "1",
                                "--json", file], check=True, stdout=subprocess.DEVNULL)
                ours[method].append(json.load(open(file))["microseconds"])
                if method in PEERS:
                    _, peer = PEERS[method]
                    best = float("inf")
                    for _ in range(3):
                        start = time.perf_counter()
                        peer(x)
                        best = min(best, time.perf_counter() - start)
                    theirs[method].append(1e6 * best / BATCH)
    print("| method | us an image | peer | us an image | peer / ours |\n|---|---|---|---|---|")
    for method in methods:
        mine = statistics.median(ours[method])
        if method in PEERS:
            peer = statistics.median(theirs[method])
            print(f"| `{method}` | {mine:.1f} | {PEERS[method][0]} | {peer:.1f} | {peer / mine:.1f} |")
        else:
            print(f"| `{method}` | {mine:.1f} | | | |")


if __name__ == "__main__":
    main()
