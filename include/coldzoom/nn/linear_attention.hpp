/// Attention between the pixels of an image in a time that grows with their number.
#pragma once

#include <coldzoom/backend/generic/linear_attention.hpp>
#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/rms_norm.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Queries, keys and values into what the heads make of them: (N, 3 heads D, H, W) -> (N, heads D, H, W).
struct linear_attention_mix {
  index_t heads, head_channels;

  shape output_shape(shape in) const { return {in.n, heads * head_channels, in.h, in.w}; }
  void describe(parameter_list&, const std::string&) const {}

  template <Backend B> using workspace = generic::linear_attention<B>;
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return {b, {heads, head_channels, in.pixels()}, in.n, mode == pass::train};
  }
  template <Backend B> void pack_weights(B&, const real_t<B>*, workspace<B>&) const {}
  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>& ws) const {
    ws.forward(b, x.dims.n, x.data, y.data);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>& ws) const {
    if (dx.data) ws.backward(b, x.dims.n, x.data, dy.data, dx.data);
  }
  template <Backend B> void reduce_gradients(B&, real_t<B>*, workspace<B>&) const {}
};

using linear_attention_chain = sequence<rms_norm, conv2d, linear_attention_mix, conv2d, rms_norm>;

}  // namespace detail

/// y = x + rms_norm(W_o mix(W n)), n = rms_norm(x): multi-head linear attention (Shen et al. 2021) as in
/// lucidrains' Unet without memories. Queries are softmaxes over the channels of a head, keys over the pixels; a
/// head mixes values by the product of keys and values, D x D for D channels. Both projections have a bias. Cost:
/// heads D (4 C + 2 D) multiply-adds a pixel of C channels. Names are those of lucidrains' LinearAttention, with
/// `weight` for the gains `g` of its norms.
struct linear_attention : residual<detail::linear_attention_chain> {
  /// Throws `error` for numbers below 1.
  explicit linear_attention(index_t channels, index_t heads = 4, index_t head_channels = 32)
      : residual(make(channels, heads, head_channels)) {}

  void describe(parameter_list& list, const std::string& prefix) const {
    const auto& [norm, to_qkv, mix, to_out, norm_out] = this->inner.layers;
    norm.describe(list, prefix + ".norm");
    to_qkv.describe(list, prefix + ".to_qkv");
    to_out.describe(list, prefix + ".to_out.0");
    norm_out.describe(list, prefix + ".to_out.1");
  }

 private:
  static detail::linear_attention_chain make(index_t c, index_t heads, index_t head_channels) {
    require(heads > 0 && head_channels > 0, "linear_attention", [&] {
      return "found " + std::to_string(heads) + " heads of " + std::to_string(head_channels) +
             " channels, wanted at least 1";
    });
    const index_t inner = heads * head_channels;
    return detail::linear_attention_chain(rms_norm(c), conv2d::same(c, 3 * inner, 1),
                                          detail::linear_attention_mix{heads, head_channels},
                                          conv2d::same(inner, c, 1), rms_norm(c));
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
