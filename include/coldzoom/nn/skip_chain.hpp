/// Layers one after another, of which some read an earlier activation beside their input: the way that U-Nets
/// are wired.
#pragma once

#include <coldzoom/nn/combine.hpp>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Activation 0 is x; link i makes activation i + 1 of activation i or, where it has a `skip`, of activations
/// i and skip side by side along the channels; y is the last one. Parameters are `<name of the link>.<its
/// own>`, in the order of the links. `L` is one type for all links, often a choice.
///
/// Memory: an activation for each link and each joined input, in training a gradient for each link.
template <class L> class skip_chain {
 public:
  struct link {
    std::string name;
    L layer;
    std::size_t skip = 0;  // the activation that it reads beside its input; 0 for none
  };

  /// Throws `error` where there is no link, and where a link skips from an activation that is not made before
  /// its input, or that another one skips from.
  explicit skip_chain(std::vector<link> links) : links_(std::move(links)), skipped_(links_.size()) {
    require(!links_.empty(), "skip_chain", "there are no links; it needs at least one");
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const std::size_t skip = links_[i].skip;
      if (skip == 0) continue;
      require(skip < i && !skipped_[skip], "skip_chain", [&] {
        return "link '" + links_[i].name + "' skips from activation " + std::to_string(skip) +
               ", wanted one before its input, which is activation " + std::to_string(i) +
               ", and which no other link skips from";
      });
      skipped_[skip] = true;
    }
  }

  shape output_shape(shape in) const {
    std::vector<shape> shapes{in};
    for (const link& l : links_) shapes.push_back(l.layer.output_shape(input_shape(l, shapes)));
    return shapes.back();
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    for (const link& l : links_) l.layer.describe(list, prefix.empty() ? l.name : prefix + "." + l.name);
  }

  template <Backend B> struct workspace {
    std::vector<typename L::template workspace<B>> layers;
    std::vector<index_t> offsets;                    // of the parameters
    std::vector<activation_buffer<B>> a, joined, d;  // of link i: activation i + 1, input, gradient of `a`
    activation_buffer<B> d_input;                    // of one link
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    workspace<B> ws;
    index_t offset = 0;
    const index_t trained = mode == pass::train ? in.n : 0;
    std::vector<shape> shapes{in};
    shape largest;
    for (const link& l : links_) {
      const shape input = input_shape(l, shapes);
      shapes.push_back(l.layer.output_shape(input));
      ws.layers.push_back(l.layer.make_workspace(b, input, mode));
      ws.offsets.push_back(std::exchange(offset, offset + parameter_count(l.layer)));
      const shape kept = ws.layers.size() < links_.size() ? shapes.back() : shape{};  // the last one is y
      ws.a.emplace_back(b, kept);
      ws.d.emplace_back(b, kept.with_n(trained));
      ws.joined.emplace_back(b, l.skip > 0 ? input : shape{});
      if (activation<B>{nullptr, input}.size() > activation<B>{nullptr, largest}.size()) largest = input;
    }
    ws.d_input = {b, largest.with_n(trained)};
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    for (std::size_t i = 0; i < links_.size(); ++i)
      links_[i].layer.pack_weights(b, parameters + ws.offsets[i], ws.layers[i]);
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      if (links_[i].skip > 0)
        detail::join_channels<B>(b, made(ws, i, x), made(ws, links_[i].skip, x), ws.joined[i].view(n));
      links_[i].layer.forward(b, parameters + ws.offsets[i], input(ws, i, x), side,
                              i + 1 < links_.size() ? ws.a[i].view(n) : y, ws.layers[i]);
    }
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    for (std::size_t i = links_.size(); i-- > 0;) {
      const const_activation<B> from = input(ws, i, x);
      const activation<B> above = i + 1 < links_.size() ? ws.d[i].view(n) : dy;
      const activation<B> below = i > 0 ? ws.d[i - 1].view(n) : dx;
      // Where a later link skips from activation i, `below` holds the gradient of that already.
      const bool direct = links_[i].skip == 0 && !skipped_[i];
      const activation<B> d_input = direct ? below : activation<B>{ws.d_input.view(n).data, from.dims};
      links_[i].layer.backward(b, parameters + ws.offsets[i], from, side, above, d_input,
                               gradients + ws.offsets[i], ws.layers[i]);
      if (direct) continue;
      if (links_[i].skip > 0)
        detail::take_channels<B>(b, d_input, below.dims.c, ws.d[links_[i].skip - 1].view(n));
      skipped_[i] ? detail::add_channels<B>(b, d_input, below)
                  : detail::take_channels<B>(b, d_input, 0, below);
    }
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    for (std::size_t i = 0; i < links_.size(); ++i)
      links_[i].layer.reduce_gradients(b, gradients + ws.offsets[i], ws.layers[i]);
  }

 private:
  /// `shapes` of the activations up to the link's input.
  static shape input_shape(const link& l, const std::vector<shape>& shapes) {
    shape in = shapes.back();
    if (l.skip == 0) return in;
    const shape& beside = shapes[l.skip];
    require(beside.h == in.h && beside.w == in.w, "skip_chain", [&] {
      return "link '" + l.name + "' has the input " + to_string(in) + " and skips from " + to_string(beside) +
             "; height and width must be equal";
    });
    in.c += beside.c;
    return in;
  }
  template <Backend B>
  static const_activation<B> made(workspace<B>& ws, std::size_t activation_number, const_activation<B> x) {
    return activation_number == 0 ? x : const_activation<B>(ws.a[activation_number - 1].view(x.dims.n));
  }
  template <Backend B>
  const_activation<B> input(workspace<B>& ws, std::size_t i, const_activation<B> x) const {
    return links_[i].skip > 0 ? const_activation<B>(ws.joined[i].view(x.dims.n)) : made(ws, i, x);
  }

  std::vector<link> links_;
  std::vector<bool> skipped_;  // whether a link skips from activation i
};

}  // namespace coldzoom::inline COLDZOOM_ISA
