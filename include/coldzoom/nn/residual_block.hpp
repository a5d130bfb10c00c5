/// The residual block of diffusion U-Nets.
#pragma once

#include <coldzoom/nn/choice.hpp>
#include <coldzoom/nn/conditioned.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/dropout.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <optional>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = body(x) + shortcut(x). The body is group norm, SiLU, convolution 3 x 3, the embedding, group norm,
/// SiLU, dropout, convolution 3 x 3 (Ho et al. 2020, appendix B); the embedding is added, or it scales and
/// shifts what the second norm makes (`film`; Dhariwal and Nichol 2021, section 3). The shortcut is x, or a
/// convolution 1 x 1 where the number of channels changes. Names are those of diffusers' ResnetBlock2D.
class residual_block {
  using norm = activated<group_norm, silu>;
  using addition = condition_addition<embedding_addition>;
  using part = choice<norm, conv2d, addition, group_norm, film, silu, dropout>;
  using chain = repeat<part>;

 public:
  struct numbers {
    index_t in = 1, out = 1;
    index_t embedding = 1;    // width of the embedding
    index_t groups = 32;      // of both norms
    float eps = 1e-5f;        // of both norms
    bool film = false;        // whether the embedding scales and shifts
    float dropout = 0;        // share of the values that training leaves out before the last convolution
    std::uint32_t layer = 0;  // tells the dropouts of a network apart
  };

  /// Throws `error` where the groups do not divide the channels, and for a share outside [0, 1).
  explicit residual_block(const numbers& n) : body_(make_body(n)) {
    if (n.in != n.out) shortcut_.emplace(conv2d::same(n.in, n.out, 1));
  }

  shape output_shape(shape in) const { return body_.output_shape(in); }
  void describe(parameter_list& list, const std::string& prefix) const {
    for (std::size_t i = 0; i < names_.size(); ++i) body_.layers[i].describe(list, prefix + names_[i]);
    if (shortcut_) shortcut_->describe(list, prefix + ".conv_shortcut");
  }

  template <Backend B> struct workspace {
    chain::workspace<B> body;
    std::optional<conv2d::workspace<B>> shortcut;
    activation_buffer<B> dy;   // training; the body may overwrite what it is given
    activation_buffer<B> own;  // of the shortcut: its output; its input's gradient
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    const shape out = output_shape(in), d_in = in.with_n(mode == pass::train ? in.n : 0);
    workspace<B> ws{body_.make_workspace(b, in, mode), {}, {b, out.with_n(d_in.n)}, {}};
    if (shortcut_) {
      ws.shortcut = shortcut_->make_workspace(b, in, mode);
      ws.own = {b, activation<B>{nullptr, out}.size() > activation<B>{nullptr, d_in}.size() ? out : d_in};
    }
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    body_.pack_weights(b, parameters, ws.body);
    if (shortcut_) shortcut_->pack_weights(b, parameters + shortcut_offset_, *ws.shortcut);
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    body_.forward(b, parameters, x, side, y, ws.body);
    const_activation<B> beside = x;
    if (shortcut_) {
      const activation<B> own{ws.own.view(x.dims.n).data, y.dims};
      shortcut_->forward(b, parameters + shortcut_offset_, x, side, own, *ws.shortcut);
      beside = own;
    }
    detail::add_channels<B>(b, beside, y);
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    activation<B> kept = ws.dy.view(dy.dims.n);
    b.copy(dy.data, kept.data, dy.size());
    body_.backward(b, parameters, x, side, dy, dx, gradients, ws.body);
    if (shortcut_) {
      const activation<B> own{dx.data ? ws.own.view(x.dims.n).data : nullptr, x.dims};
      shortcut_->backward(b, parameters + shortcut_offset_, x, side, kept, own, gradients + shortcut_offset_,
                          *ws.shortcut);
      kept = own;
    }
    if (dx.data) detail::add_channels<B>(b, kept, dx);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    body_.reduce_gradients(b, gradients, ws.body);
    if (shortcut_) shortcut_->reduce_gradients(b, gradients + shortcut_offset_, *ws.shortcut);
  }

 private:
  /// Names the parts too.
  chain make_body(const numbers& n) {
    const auto normed = [&](index_t channels) {
      group_norm made(n.groups, channels);
      made.eps = n.eps;
      return made;
    };
    std::vector<part> parts;
    const auto add = [&](const char* name, auto layer) {
      names_.push_back(name);
      parts.emplace_back(std::move(layer));
    };
    add(".norm1", norm(normed(n.in)));
    add(".conv1", conv2d::same(n.in, n.out, 3));
    if (n.film) {
      add(".norm2", normed(n.out));
      add(".time_emb_proj", coldzoom::film(n.embedding, n.out));
      add("", silu{});
    } else {
      add(".time_emb_proj", addition(embedding_addition(n.embedding, n.out), n.out));
      add(".norm2", norm(normed(n.out)));
    }
    if (n.dropout != 0) add("", coldzoom::dropout(n.dropout, n.layer));
    add(".conv2", conv2d::same(n.out, n.out, 3));
    return chain(std::move(parts));
  }

  std::vector<std::string> names_;
  chain body_;
  index_t shortcut_offset_ = parameter_count(body_);
  std::optional<conv2d> shortcut_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
