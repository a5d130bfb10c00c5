/// Convolution blocks one after another, which hand their images over.
#pragma once

#include <array>
#include <coldzoom/nn/conv_block.hpp>
#include <optional>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = last(block(...(block(x)))): blocks of one type, how many is known at run time (at least one), and at
/// the end a bare convolution, if any. The result is that of the layers in a sequence, but where the backend
/// can, neighbours hand over their images without memory between them, see ConvBlockOperation. Parameters are
/// named by position.
template <class Norm, class Activation, class C = no_condition> struct conv_stack {
  using block = conv_block<Norm, Activation, C>;

  std::vector<block> blocks;
  std::optional<conv2d> last;

  explicit conv_stack(std::vector<block> parts, std::optional<conv2d> end = {})
      : blocks(std::move(parts)),
        last(end) {
    require(!blocks.empty(), "conv_stack", "there are no blocks; it needs at least one");
  }

  /// Blocks, and the convolution at the end.
  std::size_t part_count() const { return blocks.size() + (last ? 1 : 0); }

  shape output_shape(shape in) const {
    for (const block& part : blocks) in = part.output_shape(in);
    return last ? last->output_shape(in) : in;
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    const std::string stem = prefix.empty() ? "" : prefix + ".";
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i].describe(list, stem + std::to_string(i));
    if (last) last->describe(list, stem + std::to_string(blocks.size()));
  }

  template <Backend B> using operation = typename block::template operation<B>;
  template <Backend B> struct workspace {
    std::vector<typename block::template workspace<B>> parts;
    std::optional<operation<B>> last;
    std::vector<index_t> offsets;  // where the parameters of each part begin
    std::vector<shape> shapes;     // input of each part, then the output
    // Activations that are not handed over. Training: one after each part but the last; else two in turn.
    std::vector<activation_buffer<B>> between;
    std::array<activation_buffer<B>, 2> gradient;  // training: two in turn
    bool train = false;

    operation<B>& op(std::size_t i) { return i < parts.size() ? parts[i].op : *last; }
    /// The port of part i + 1 that part i fills; empty where an activation lies in memory between them.
    auto input_of_next(std::size_t i) {
      using port = typename operation<B>::input_port;
      return i + 2 < shapes.size() && op(i).hands_output() ? op(i + 1).input() : port{};
    }
    /// The port of part i - 1 that part i fills with its gradient.
    auto gradient_of_previous(std::size_t i) {
      using port = typename operation<B>::gradient_port;
      return i > 0 && op(i).hands_gradient() ? op(i - 1).gradient() : port{};
    }
    /// Output of part i, with null for its data where it is handed over.
    activation<B> output(std::size_t i, index_t n) {
      activation<B> y{nullptr, shapes[i + 1].with_n(n)};
      if (!input_of_next(i)) y.data = between[train ? i : i % 2].view(n).data;
      return y;
    }
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    workspace<B> ws{{}, {}, {}, {in}, {}, {}, mode == pass::train};
    index_t offset = 0;
    for (const block& part : blocks) {
      ws.parts.push_back(part.make_workspace(b, in, mode));
      ws.offsets.push_back(offset);
      offset += parameter_count(part);
      in = part.output_shape(in);
      ws.shapes.push_back(in);
    }
    if (last) {
      ws.shapes.push_back(last->output_shape(in));
      const auto g = conv_block_geometry::of_plain(last->geometry(in));
      ws.last = make_conv_block<Norm::affine, typename Activation::function>(b, g, in.n, ws.train);
      ws.offsets.push_back(offset);
    }
    shape largest, largest_gradient;
    const auto grow = [](shape& to, const shape& s) {
      if (activation<B>{nullptr, s}.size() > activation<B>{nullptr, to}.size()) to = s;
    };
    for (std::size_t i = 0; i + 1 < part_count(); ++i) {
      const shape s = ws.shapes[i + 1], in_memory = ws.input_of_next(i) ? shape{} : s;
      grow(largest, in_memory);
      if (ws.train) ws.between.emplace_back(b, in_memory);
      if (!ws.gradient_of_previous(i + 1)) grow(largest_gradient, s);
    }
    for (activation_buffer<B>& gradient : ws.gradient) {
      if (ws.train) {
        gradient = activation_buffer<B>(b, largest_gradient);
      } else {
        ws.between.emplace_back(b, largest);
      }
    }
    return ws;
  }

  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    for (std::size_t i = 0; i < part_count(); ++i) {
      const real_t<B>* const own = parameters + ws.offsets[i];
      i < blocks.size() ? blocks[i].pack_weights(b, own, ws.parts[i]) : ws.last->pack_weights(b, own);
    }
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    const_activation<B> input = x;
    for (std::size_t i = 0; i < part_count(); ++i) {
      const activation<B> output = i + 1 < part_count() ? ws.output(i, n) : y;
      if (i < blocks.size()) {
        blocks[i].forward(b, parameters + ws.offsets[i], input, side, output, ws.parts[i],
                          ws.input_of_next(i));
      } else {
        ws.last->forward(b, n, input.data, nullptr, output.data);
      }
      input = output;
    }
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    activation<B> above = dy;
    for (std::size_t i = part_count(); i-- > 0;) {
      const const_activation<B> input = i > 0 ? const_activation<B>(ws.output(i - 1, n)) : x;
      const auto next = ws.gradient_of_previous(i);
      activation<B> below = dx;
      if (i > 0) below = {next ? nullptr : ws.gradient[i % 2].view(n).data, input.dims};
      real_t<B>* const own = gradients + ws.offsets[i];
      if (i < blocks.size()) {
        blocks[i].backward(b, parameters + ws.offsets[i], input, side, above, below, own, ws.parts[i], next);
      } else {
        ws.last->backward(b, n, input.data, above.data, below.data, own, next);
      }
      above = below;
    }
  }

  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    for (std::size_t i = 0; i < part_count(); ++i) {
      real_t<B>* const own = gradients + ws.offsets[i];
      i < blocks.size() ? blocks[i].reduce_gradients(b, own, ws.parts[i]) : ws.last->reduce_gradients(b, own);
    }
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
