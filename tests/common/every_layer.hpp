// Small networks that together have the layers of all kinds, for images of `every_layer_image`.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/conv_transpose2d.hpp>
#include <coldzoom/nn/dropout.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/linear_attention.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/nn/upsample.hpp>

inline constexpr coldzoom::shape every_layer_image{3, 1, 8, 6};

inline auto small_u_net() {
  namespace cz = coldzoom;
  return cz::sequence(cz::conv2d::same(1, 5, 3), cz::gelu{},
                      cz::skip_concat(cz::sequence(cz::max_pool(2), cz::residual(cz::conv2d::same(5, 5, 3)),
                                                   cz::silu{}, cz::upsample_nearest(2))),
                      cz::conv2d{10, 12, 3, 5, 1, 2, 1, 1}, cz::group_norm(3, 12), cz::conv2d::same(12, 4, 1),
                      cz::layer_norm_image(4, 8, 6), cz::conv2d::same(4, 1, 3));
}

/// Patches, linear attention and a transposed convolution.
inline auto small_patch_network() {
  namespace cz = coldzoom;
  return cz::sequence(cz::patchify(2), cz::conv2d::same(4, 6, 1), cz::linear_attention(6, 2, 4),
                      cz::dropout(0.25f), cz::conv_transpose2d(6, 5), cz::conv2d::same(5, 1, 3));
}

/// Ten numbers an image.
inline auto small_classifier() {
  namespace cz = coldzoom;
  return cz::sequence(cz::conv2d{1, 5, 3, 3, 1, 1, 2, 1}, cz::silu{}, cz::average_pool(2), cz::flatten{},
                      cz::linear{5 * 2 * 3, 10});
}
