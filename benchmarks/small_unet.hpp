/// A small U-Net of the library's layers, for the benchmarks: 3x3 kernels, 32, 64 and 96 channels at full,
/// half and quarter size.
#pragma once

#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv_stack.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/nn/upsample.hpp>

/// The height and width of the images must divide by 4. pytorch_networks.py describes the same network with
/// the same names of parameters.
inline auto small_unet(coldzoom::index_t channels = 1) {
  using namespace coldzoom;
  using stack = conv_stack<group_norm, silu>;
  const auto block = [](index_t in, index_t out) -> stack::block {
    return {conv2d::same(in, out, 3), group_norm(8, out)};
  };
  const auto pair = [&](index_t in, index_t out) { return stack({block(in, out), block(out, out)}); };
  auto quarter = sequence(average_pool(2), pair(64, 96), upsample_nearest(2));
  auto half = sequence(average_pool(2), pair(32, 64), skip_concat(std::move(quarter)), pair(64 + 96, 64),
                       upsample_nearest(2));
  return sequence(pair(channels, 32), skip_concat(std::move(half)),
                  stack({block(32 + 64, 32), block(32, 32)}, conv2d::same(32, channels, 3)));
}
