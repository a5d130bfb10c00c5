// Two small networks that together have every layer, for images of `every_layer_image`.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/linear.hpp>
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

/// Ten numbers an image.
inline auto small_classifier() {
  namespace cz = coldzoom;
  return cz::sequence(cz::conv2d{1, 5, 3, 3, 1, 1, 2, 1}, cz::silu{}, cz::average_pool(2), cz::flatten{},
                      cz::linear{5 * 2 * 3, 10});
}
