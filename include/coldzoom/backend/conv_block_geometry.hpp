/// Shapes of a convolution block, shared by all its implementations.
#pragma once

#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/generic/normalisation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = function(norm(convolution(x) + bias)) + addend, the addend being one number per image and channel.
/// A `plain` block is the convolution with its bias alone; it stands among others in a stack.
///
/// Parameters lie in one array: weights, bias, and the norm's weight and bias unless the block is plain.
struct conv_block_geometry {
  convolution_geometry convolution;
  generic::normalisation_geometry norm;  // of the convolution's output
  float eps = 1e-5f;
  bool plain = false;

  static constexpr conv_block_geometry of_plain(const convolution_geometry& g) { return {g, {}, 0, true}; }

  /// Where the bias of the convolution and the affine of the norm begin.
  constexpr index_t bias() const { return convolution.weights(); }
  constexpr index_t affine() const { return bias() + convolution.out_channels; }

  constexpr shape input(index_t n) const {
    return {n, convolution.in_channels, convolution.in_h, convolution.in_w};
  }
  constexpr shape output(index_t n) const {
    return {n, convolution.out_channels, convolution.out_h(), convolution.out_w()};
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
