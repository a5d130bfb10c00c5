#!/usr/bin/env python3
"""Writes digits of MNIST as PNG files into a tar archive, in folders by label, one after another and from the start again.

    python3 benchmarks/make_digit_tar.py --mnist FOLDER --count 100000 --out digits.tar

Needs Python alone.
"""
import argparse
import gzip
import io
import pathlib
import struct
import tarfile
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, height, width):
    rows = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", required=True, help="folder of train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    folder = pathlib.Path(options.mnist)
    images = gzip.open(folder / "train-images-idx3-ubyte.gz").read()
    labels = gzip.open(folder / "train-labels-idx1-ubyte.gz").read()[8:]
    height, width = struct.unpack(">II", images[8:16])
    size = height * width
    with tarfile.open(options.out, "w") as tar:
        for i in range(options.count):
            k = i % len(labels)
            data = png(images[16 + k * size : 16 + (k + 1) * size], height, width)
            entry = tarfile.TarInfo(f"{labels[k]}/{i:06}.png")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main()
