/// Shapes of a two-dimensional convolution, shared by every implementation of it.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// y[o, p, q] = bias[o] + sum over i, a, b of w[o, i, a, b] * x[i, p * stride_h + a - pad_h, q * stride_w + b
/// - pad_w] with zeros outside the picture (cross-correlation, as in every deep-learning library). Weights
///   are dense [out_channels][in_channels][kernel_h][kernel_w].
struct convolution_geometry {
  index_t in_channels = 1, out_channels = 1;
  index_t kernel_h = 1, kernel_w = 1;
  index_t stride_h = 1, stride_w = 1;
  index_t pad_h = 0, pad_w = 0;
  index_t in_h = 1, in_w = 1;

  COLDZOOM_HD constexpr index_t out_h() const { return (in_h + 2 * pad_h - kernel_h) / stride_h + 1; }
  COLDZOOM_HD constexpr index_t out_w() const { return (in_w + 2 * pad_w - kernel_w) / stride_w + 1; }
  COLDZOOM_HD constexpr index_t taps() const { return kernel_h * kernel_w; }
  COLDZOOM_HD constexpr index_t weights() const { return out_channels * in_channels * taps(); }
  /// Output as large as the input: stride 1, odd kernel, padding of half a kernel.
  COLDZOOM_HD constexpr bool same() const {
    return stride_h == 1 && stride_w == 1 && kernel_h % 2 == 1 && kernel_w % 2 == 1 &&
           pad_h == kernel_h / 2 && pad_w == kernel_w / 2;
  }
};

/// Which algorithm carries a convolution. `automatic` takes the one with fewer multiplies by `cost`, a
/// function of the shapes alone: a choice by the clock would change the bits from run to run. `bf16` rounds the
/// factors, so the user must have allowed it.
enum class convolution_algorithm { automatic, direct, transformed, bf16 };

}  // namespace coldzoom::inline COLDZOOM_ISA
