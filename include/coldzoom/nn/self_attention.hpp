/// Attention between the pixels of an image.
#pragma once

#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <optional>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = x + W attention(W_q n, W_k n, W_v n), n = group_norm(x), or x where `groups` is 0: multi-head softmax attention (Vaswani et al.
/// 2017, section 3.2) between the pixels, without positions, as in the U-Net of Ho et al. (2020, appendix B).
/// All four projections have a bias. Cost: 4 C^2 P + 2 C P^2 multiply-adds an image of C channels and P
/// pixels. Names are those of diffusers' Attention.
class self_attention {
 public:
  /// Throws `error` where groups or heads do not divide the channels.
  self_attention(index_t channels, index_t heads, index_t groups, float eps = 1e-5f)
      : c_(channels),
        heads_(heads),
        project_(conv2d::same(channels, 3 * channels, 1)),
        out_(conv2d::same(channels, channels, 1)) {
    if (groups != 0) norm_.emplace(groups, channels).eps = eps;
    require(heads > 0 && channels % heads == 0, "self_attention", [&] {
      return std::to_string(channels) + " channels do not divide into " + std::to_string(heads) + " heads";
    });
  }

  shape output_shape(shape in) const {
    require(in.c == c_, "self_attention", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the projections " + std::to_string(c_);
    });
    return in;
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    if (norm_) norm_->describe(list, prefix + ".group_norm");
    // The weights of the three projections lie one after another, as those of one convolution, and then the
    // biases.
    const float bound = 1.0f / std::sqrt(static_cast<float>(c_));
    for (const char* name : {".to_q", ".to_k", ".to_v"})
      list.push_back({prefix + name + ".weight", {c_, c_}, 0, bound});
    for (const char* name : {".to_q", ".to_k", ".to_v"})
      list.push_back({prefix + name + ".bias", {c_}, 0, bound});
    list.push_back({prefix + ".to_out.0.weight", {c_, c_}, 0, bound});
    list.push_back({prefix + ".to_out.0.bias", {c_}, 0, bound});
  }

  template <Backend B> struct workspace {
    std::optional<group_norm::workspace<B>> norm;
    conv2d::workspace<B> project, out;
    attention_t<B> attention;
    activation_buffer<B> normalised{}, qkv{}, mixed{};        // what each part makes
    activation_buffer<B> d_normalised{}, d_qkv{}, d_mixed{};  // training
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    const bool train = mode == pass::train;
    const shape three{in.n, 3 * c_, in.h, in.w};
    const index_t trained = train ? in.n : 0;
    workspace<B> ws{{},
                    project_.make_workspace(b, in, mode),
                    out_.make_workspace(b, in, mode),
                    make_attention(b, {c_, heads_, in.pixels()}, in.n, train)};
    if (norm_) {
      ws.norm = norm_->make_workspace(b, in, mode);
      ws.normalised = {b, in};
    }
    ws.qkv = {b, three};
    ws.mixed = {b, in};
    ws.d_normalised = {b, in.with_n(trained)};
    ws.d_qkv = {b, three.with_n(trained)};
    ws.d_mixed = {b, in.with_n(trained)};
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    project_.pack_weights(b, parameters + projections(), ws.project);
    out_.pack_weights(b, parameters + output(), ws.out);
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    const activation<B> qkv = ws.qkv.view(n), mixed = ws.mixed.view(n);
    if (norm_) norm_->forward(b, parameters, x, side, ws.normalised.view(n), *ws.norm);
    project_.forward(b, parameters + projections(), projected(x, ws), side, qkv, ws.project);
    ws.attention.forward(b, n, qkv.data, mixed.data);
    out_.forward(b, parameters + output(), mixed, side, y, ws.out);
    detail::add_channels<B>(b, x, y);
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    const activation<B> qkv = ws.qkv.view(n), mixed = ws.mixed.view(n),
                        d_normalised = ws.d_normalised.view(n), d_qkv = ws.d_qkv.view(n),
                        d_mixed = ws.d_mixed.view(n);
    // The convolution may overwrite what it is given; d_normalised is free until later.
    b.copy(dy.data, d_normalised.data, dy.size());
    out_.backward(b, parameters + output(), mixed, side, d_normalised, d_mixed, gradients + output(), ws.out);
    ws.attention.backward(b, n, qkv.data, mixed.data, d_mixed.data, d_qkv.data);
    project_.backward(b, parameters + projections(), projected(x, ws), side, d_qkv, norm_ ? d_normalised : dx,
                      gradients + projections(), ws.project);
    if (norm_) norm_->backward(b, parameters, x, side, d_normalised, dx, gradients, *ws.norm);
    if (dx.data) detail::add_channels<B>(b, dy, dx);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    project_.reduce_gradients(b, gradients + projections(), ws.project);
    out_.reduce_gradients(b, gradients + output(), ws.out);
  }

 private:
  /// Where the parameters of the parts begin.
  index_t projections() const { return norm_ ? 2 * c_ : 0; }
  index_t output() const { return projections() + 3 * c_ * (c_ + 1); }
  template <Backend B> const_activation<B> projected(const_activation<B> x, workspace<B>& ws) const {
    return norm_ ? const_activation<B>(ws.normalised.view(x.dims.n)) : x;
  }

  index_t c_, heads_;
  std::optional<group_norm> norm_;
  conv2d project_, out_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
