/// The convolutional reconstructor of Cold Zoom Diffusion.
#pragma once

#include <coldzoom/nn/conv_stack.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Blocks of 7x7 convolution, layer norm over the pixels and GELU, one for each hidden width; the time
/// condition is added to the output of the first; a 3x3 convolution ends it. Input and output are C x H x W
/// images; an input policy may add channels to the input.
///
/// With widths (16, 32, 32, 16) on 1 x 28 x 28 it has 146,961 parameters and costs 79.4 M multiply-adds an
/// image. Parameter names are those of the original Cold Zoom Diffusion project, so that PyTorch's
/// `load_state_dict` takes our files and we take its.
class reconstructor {
  using network = conv_stack<layer_norm_pixels, gelu, time_condition>;

 public:
  /// `image` gives C, H and W; n is ignored. `kernel` is the odd size of the hidden kernels; input_channels is
  /// 0 for C. Throws `error` for fewer than two widths or a width below 1.
  reconstructor(shape image, std::vector<index_t> widths, index_t kernel = 7, index_t input_channels = 0)
      : image_(image.with_n(1)),
        widths_(std::move(widths)),
        stack_(build(image_, widths_, kernel, input_channels > 0 ? input_channels : image.c)) {}

  /// The network of the original project.
  static reconstructor original(shape image) { return reconstructor(image, {16, 32, 32, 16}); }

  shape image() const { return image_; }
  const std::vector<index_t>& widths() const { return widths_; }
  const network& stack() const { return stack_; }
  /// The frequencies of the time features, which the original's files carry as `gt.frequencies`.
  std::vector<float> frequency_table() const { return stack_.blocks[0].condition->features.frequencies; }

  shape output_shape(shape in) const { return stack_.output_shape(in); }
  void describe(parameter_list& list, const std::string&) const {
    const auto name = [](std::size_t i) { return "gt.blocks." + std::to_string(i); };
    for (std::size_t i = 0; i < widths_.size(); ++i)
      stack_.blocks[i].describe(list, name(i) + ".net", "gt.time_embed");
    stack_.last->describe(list, name(widths_.size()));
  }

  template <Backend B> using workspace = network::workspace<B>;

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return stack_.make_workspace(b, in, mode);
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    stack_.pack_weights(b, parameters, ws);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    stack_.forward(b, parameters, x, side, y, ws);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    stack_.backward(b, parameters, x, side, dy, dx, gradients, ws);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    stack_.reduce_gradients(b, gradients, ws);
  }

 private:
  static network build(shape image, const std::vector<index_t>& widths, index_t kernel, index_t in) {
    require(widths.size() >= 2, "reconstructor", [&] {
      return "there are " + std::to_string(widths.size()) + " hidden widths; it needs at least two";
    });
    require(kernel > 0 && kernel % 2 == 1, "reconstructor",
            [&] { return "the kernel size is " + std::to_string(kernel) + "; it must be odd and positive"; });
    require(image.c > 0 && image.h > 0 && image.w > 0, "reconstructor",
            [&] { return "the image shape is " + to_string(image) + "; every extent must be positive"; });
    for (const index_t width : widths) {
      require(width > 0, "reconstructor",
              [&] { return "a hidden width is " + std::to_string(width) + "; it must be positive"; });
    }
    const layer_norm_pixels norm(image.h, image.w);
    std::vector<network::block> blocks;
    for (const index_t width : widths) {
      blocks.push_back({conv2d::same(in, width, kernel), norm});
      in = width;
    }
    blocks[0].condition.emplace(widths[0]);
    return network(std::move(blocks), conv2d::same(in, image.c, 3));
  }

  shape image_;
  std::vector<index_t> widths_;
  network stack_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
