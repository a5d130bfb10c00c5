#!/usr/bin/env python3
"""Writes data/metrics_golden.safetensors: small inputs, and their metrics by numpy and scipy, written from the papers.

Read by metrics/test_golden. What is compared is computed another way than in the library: the Frechet distance by the
Schur square root of A B, SSIM by two-dimensional convolution, distances by cdist. Made once with numpy 1.24 and scipy
1.10; the tests read the file alone.
"""

from pathlib import Path

import numpy as np
from scipy.linalg import sqrtm
from scipy.signal import convolve2d
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import entropy

from torch_parity import save_safetensors

rng = np.random.default_rng(1)
f32, f64 = np.float32, np.float64

x = (rng.standard_normal((60, 6)) @ rng.standard_normal((6, 6)) + rng.standard_normal(6)).astype(f32)
y = (rng.standard_normal((48, 6)) @ rng.standard_normal((6, 6))).astype(f32)
logits = (3 * rng.standard_normal((40, 5))).astype(f32)
original = rng.random((3, 2, 15, 19), f32)
restored = np.clip(original + 0.2 * rng.standard_normal(original.shape), 0, 1).astype(f32)


def frechet(a, b):
    p, q = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(p + q - 2 * sqrtm(p @ q).real)


def kernel(a, b):
    def off_diagonal(k):
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    def k(u, v):
        return (u @ v.T / u.shape[1] + 1) ** 3

    return off_diagonal(k(a, a)) + off_diagonal(k(b, b)) - 2 * k(a, b).mean()


def manifold(samples, reference, k):
    def radii(a):
        return np.sort(cdist(a, a), axis=1)[:, k]  # column 0 is the row itself

    d = cdist(samples, reference)
    in_reference, in_samples = d <= radii(reference)[None, :], d <= radii(samples)[:, None]
    return [in_reference.any(1).mean(), in_samples.any(0).mean(), in_reference.sum() / (k * len(samples)), in_reference.any(0).mean()]


def ssim(a, b):
    g = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(g, g) / g.sum() ** 2

    def blur(image):
        return convolve2d(image, window, mode="valid")

    ma, mb = blur(a), blur(b)
    va, vb, vab = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()


x64, y64, p = x.astype(f64), y.astype(f64), softmax(logits.astype(f64), axis=1)
a64, b64 = restored.astype(f64), original.astype(f64)
mse = ((a64 - b64) ** 2).mean((1, 2, 3))
shares = np.bincount(p.argmax(1), minlength=5) / len(p)
even = np.full(5, 0.2)

save_safetensors(
    Path(__file__).parent / "data" / "metrics_golden.safetensors",
    {
        "x": x,
        "y": y,
        "logits": logits,
        "restored": restored,
        "original": original,
        "frechet": np.array([frechet(x64, y64)]),
        "kernel": np.array([kernel(x64[:48], y64)]),
        "manifold": np.array(manifold(x64, y64, 5)),
        "classifier_score": np.array([np.exp(entropy(p, p.mean(0)[None], axis=1).mean())]),
        "histogram": shares,
        "divergence": np.array([entropy(shares, even)]),
        "variation": np.array([np.abs(shares - even).sum() / 2]),
        "unconfident": np.array([(p.max(1) < 0.9).mean()]),
        "rmse": np.sqrt(mse),
        "psnr": 10 * np.log10(1 / mse),
        "ssim": np.array([np.mean([ssim(u, v) for u, v in zip(i, j)]) for i, j in zip(a64, b64)]),
    },
)
