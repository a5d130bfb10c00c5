#!/usr/bin/env python3
"""Writes tests/oracle/data/zoom_golden.npy: one 28x28 image zoomed to all steps by torchvision.

float32, [nearest, bilinear] x [step 0..27] x 28 x 28; step 0 is the image. Neighbouring pixels differ by at most 1/2.
Made once with torch 1.13 and torchvision 0.14; the tests read the file alone.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resized_crop

SIDE = 28
image = torch.from_numpy(np.random.default_rng(1).integers(-256, 257, (1, SIDE, SIDE)).astype(np.float32) / 1024)

golden = np.empty((2, SIDE, SIDE, SIDE), np.float32)
for i, mode in enumerate((InterpolationMode.NEAREST, InterpolationMode.BILINEAR)):
    for step in range(SIDE):
        first, size = (step + 1) // 2, SIDE - step
        golden[i, step] = resized_crop(image, first, first, size, size, [SIDE, SIDE], mode)[0]

np.save(Path(__file__).parent / "data" / "zoom_golden.npy", golden)
