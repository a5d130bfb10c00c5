#!/usr/bin/env python3
"""Cuts small colour pictures out of the photographs of scikit-image, as a folder that --data takes.

    python3 examples/make_photo_patches.py --out data/photos

Needs python3-skimage (Debian) or scikit-image (PyPI), whose photographs are free, and no network. Writes the four files of
MNIST's form with images of rank 4, N x 3 x SIZE x SIZE, and labels that number the photographs. Test patches come from
the lower fifth of each photograph, training patches from above it, so no pixel is in both.
"""
import argparse
import gzip
import pathlib
import struct
import sys

import numpy as np

PHOTOGRAPHS = ["astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"]


def photographs(shrink):
    """RGB images, uint8, made smaller by the factor, so that a patch shows more than one surface."""
    import skimage
    from skimage import io, transform

    folder = pathlib.Path(skimage.__file__).parent / "data"
    for name in PHOTOGRAPHS:
        path = folder / name
        if not path.exists():
            sys.exit(f"make_photo_patches.py: found no {path}; this scikit-image comes without its photographs")
        image = io.imread(path)[..., :3]
        size = (image.shape[0] // shrink, image.shape[1] // shrink)
        yield (transform.resize(image, size, anti_aliasing=True) * 255).round().astype(np.uint8)


def cut(image, top, bottom, count, size, random):
    """`count` patches of rows top .. bottom - 1, every second one mirrored."""
    for _ in range(count):
        y = random.integers(top, bottom - size + 1)
        x = random.integers(0, image.shape[1] - size + 1)
        patch = image[y : y + size, x : x + size].transpose(2, 0, 1)
        yield patch[:, :, ::-1] if random.integers(2) else patch


def write(path, array):
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape))
        file.write(array.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for the four files")
    parser.add_argument("--size", type=int, default=32, help="height and width of a patch (default 32)")
    parser.add_argument("--count", type=int, default=20000, help="training patches (default 20000)")
    parser.add_argument("--test-count", type=int, default=2000, help="test patches (default 2000)")
    parser.add_argument("--shrink", type=int, default=2, help="the photographs are made smaller by this (default 2)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    images = list(photographs(options.shrink))
    edges = [image.shape[0] - max(options.size, image.shape[0] // 5) for image in images]
    for image, edge in zip(images, edges):
        if min(edge, image.shape[1]) < options.size:
            sys.exit(f"make_photo_patches.py: --size: found {options.size}, but a photograph has {image.shape[1]} x {edge} pixels")
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    for split, total in ("train", options.count), ("t10k", options.test_count):
        patches, labels = [], []
        for label, (image, edge) in enumerate(zip(images, edges)):
            rows = (0, edge) if split == "train" else (edge, image.shape[0])
            count = total * (label + 1) // len(images) - total * label // len(images)
            patches.extend(cut(image, *rows, count, options.size, random))
            labels.extend([label] * count)
        order = random.permutation(total)
        write(out / f"{split}-images-idx4-ubyte.gz", np.ascontiguousarray(np.stack(patches)[order]))
        write(out / f"{split}-labels-idx1-ubyte.gz", np.array(labels, np.uint8)[order])
        print(f"{total} patches of 3 x {options.size} x {options.size}: {out}/{split}-images-idx4-ubyte.gz")


if __name__ == "__main__":
    main()
