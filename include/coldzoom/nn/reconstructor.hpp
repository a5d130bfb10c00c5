/// The convolutional reconstructor of Cold Zoom Diffusion.
#pragma once

#include <coldzoom/nn/conv_block.hpp>
#include <coldzoom/nn/sequence.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Blocks of 7x7 convolution, layer norm over the pixels and GELU, one for each hidden width; the time
/// condition is added to the output of the first; a 3x3 convolution ends it. Input and output are C x H x W
/// images.
///
/// With widths (16, 32, 32, 16) on 1 x 28 x 28 it has 146,961 parameters and costs 79.4 M multiply-adds an
/// image. Parameter names are those of the original Cold Zoom Diffusion project, so that PyTorch's
/// `load_state_dict` takes our files and we take its.
class reconstructor {
  using first_block = conv_block<layer_norm_pixels, gelu, time_condition>;
  using plain_block = conv_block<layer_norm_pixels, gelu>;
  using network = sequence<first_block, repeat<plain_block>, conv2d>;

 public:
  /// `image` gives C, H and W; n is ignored. `kernel` is the odd size of the hidden kernels.
  /// Throws `error` for fewer than two widths or a width below 1.
  reconstructor(shape image, std::vector<index_t> widths, index_t kernel = 7)
      : image_(image.with_n(1)),
        widths_(std::move(widths)),
        layers_(build(image_, widths_, kernel)) {}

  /// The network of the original project.
  static reconstructor original(shape image) { return reconstructor(image, {16, 32, 32, 16}); }

  shape image() const { return image_; }
  const std::vector<index_t>& widths() const { return widths_; }
  /// The frequencies of the time features, which the original's files carry as `gt.frequencies`.
  std::vector<float> frequency_table() const {
    return std::get<0>(layers_.layers).condition.frequency_table();
  }

  shape output_shape(shape in) const { return layers_.output_shape(in); }
  index_t parameter_count() const { return layers_.parameter_count(); }
  void describe(parameter_list& list, const std::string&) const {
    const auto& [first, rest, last] = layers_.layers;
    first.describe(list, "gt.blocks.0.net", "gt.time_embed");
    rest.describe(list, "gt.blocks", 1);
    last.describe(list, "gt.blocks." + std::to_string(widths_.size()));
  }

  template <Backend B> using workspace = network::workspace<B>;

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return layers_.make_workspace(b, in, mode);
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    layers_.pack_weights(b, parameters, ws);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    layers_.forward(b, parameters, x, side, y, ws);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    layers_.backward(b, parameters, x, side, dy, dx, gradients, ws);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    layers_.reduce_gradients(b, gradients, ws);
  }

 private:
  static network build(shape image, const std::vector<index_t>& widths, index_t kernel) {
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
    std::vector<plain_block> rest;
    for (std::size_t i = 1; i < widths.size(); ++i) {
      rest.push_back({conv2d::same(widths[i - 1], widths[i], kernel), norm});
    }
    return network(first_block{conv2d::same(image.c, widths[0], kernel), norm, time_condition(widths[0])},
                   repeat<plain_block>(std::move(rest)), conv2d::same(widths.back(), image.c, 3));
  }

  shape image_;
  std::vector<index_t> widths_;
  network layers_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
