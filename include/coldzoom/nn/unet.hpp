/// A residual U-Net for images with time and label.
#pragma once

#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv_stack.hpp>
#include <coldzoom/nn/embedding.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/nn/upsample.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// The numbers of a U-Net.
struct unet_options {
  std::vector<index_t> widths{16, 48, 96};  // channels at full size, half, quarter ...
  std::vector<index_t> kernels{7, 3, 3};    // odd; the last one serves all further levels
  index_t blocks = 1;                       // residual blocks a level, on the way down and on the way up
  index_t bottom_blocks = 2;                // at the smallest size
  index_t groups = 8;                       // of the norms, at most; each width's largest divisor up to it
  index_t classes = 0;                      // 0 reads no label
  index_t embedding = 128;                  // width of the embedding of time and label
};

namespace detail {

/// The levels of a U-Net, without the embedding that they read.
class unet_levels {
  using stack = conv_stack<group_norm, silu, embedding_addition>;
  using part = sequence<stack, repeat<residual<stack>>>;

 public:
  unet_levels(index_t in, index_t out, const unet_options& o) {
    const std::size_t levels = o.widths.size();
    const auto kernel_of = [&](std::size_t level) {
      return o.kernels[std::min(level, o.kernels.size() - 1)];
    };
    const auto block = [&](index_t kernel, index_t from, index_t to, bool reads) {
      index_t groups = std::min(o.groups, to);
      while (to % groups != 0) --groups;
      stack::block made{conv2d::same(from, to, kernel), group_norm(groups, to)};
      if (reads) made.condition.emplace(o.embedding, to);
      return made;
    };
    const auto make_part = [&](std::size_t level, index_t from, index_t blocks) {
      const index_t width = o.widths[level], kernel = kernel_of(level);
      std::vector<residual<stack>> body;
      for (index_t i = 0; i < blocks; ++i) {
        body.emplace_back(stack({block(kernel, width, width, true), block(kernel, width, width, false)}));
      }
      return part(stack({block(kernel, from, width, true)}), repeat(std::move(body)));
    };
    for (std::size_t level = 0; level < levels; ++level) {
      const bool bottom = level + 1 == levels;
      down_.push_back(
          make_part(level, level == 0 ? in : o.widths[level - 1], bottom ? o.bottom_blocks : o.blocks));
      if (!bottom) {
        rise_.push_back(stack({block(kernel_of(level + 1), o.widths[level + 1], o.widths[level], false)}));
        up_.push_back(make_part(level, 2 * o.widths[level], o.blocks));
      }
    }
    end_.emplace(conv2d::same(o.widths[0], out, 3));
  }

  shape output_shape(shape in) const {
    const index_t unit = index_t{1} << up_.size();
    require(in.h % unit == 0 && in.w % unit == 0, "unet", [&] {
      return "the images are " + to_string(in) + "; with " + std::to_string(down_.size()) +
             " levels, height and width must divide by " + std::to_string(unit);
    });
    for (std::size_t i = 0; i < down_.size(); ++i) in = level_shape(i, in);
    for (std::size_t i = up_.size(); i-- > 0;) in = up_[i].output_shape(merged_shape(i, in));
    return end_->output_shape(in);
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    const std::string stem = prefix.empty() ? "" : prefix + ".";
    for (std::size_t i = 0; i < down_.size(); ++i)
      down_[i].describe(list, stem + "down." + std::to_string(i));
    for (std::size_t i = up_.size(); i-- > 0;) {
      rise_[i].describe(list, stem + "rise." + std::to_string(i));
      up_[i].describe(list, stem + "up." + std::to_string(i));
    }
    end_->describe(list, stem + "end");
  }

  template <Backend B> struct workspace {
    std::vector<typename part::template workspace<B>> down, up;
    std::vector<typename stack::template workspace<B>> rise;
    std::optional<conv2d::workspace<B>> end;
    // The input of each part, its output, and their gradients. On the way up the input is the level's output
    // on the way down beside the enlarged one from below, which `rise` has made as wide.
    std::vector<activation_buffer<B>> down_input, down_output, risen, enlarged, up_input, up_output;
    std::vector<activation_buffer<B>> d_down_input, d_down_output, d_risen, d_up_input, d_up_output;
    std::vector<index_t> down_offset, rise_offset, up_offset;  // of the parameters
    index_t end_offset = 0;
    plain_layer::workspace<B> none;
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    workspace<B> ws;
    const index_t trained = mode == pass::train ? in.n : 0;
    const auto add = [&](std::vector<activation_buffer<B>>& activations,
                         std::vector<activation_buffer<B>>* gradients, shape s) {
      activations.emplace_back(b, s);
      if (gradients) gradients->emplace_back(b, s.with_n(trained));
    };
    index_t offset = 0;
    std::vector<shape> outputs;
    for (std::size_t i = 0; i < down_.size(); ++i) {
      const shape input = i == 0 ? in : average_pool(2).output_shape(outputs.back());
      add(ws.down_input, &ws.d_down_input, i == 0 ? shape{} : input);  // the first input is the network's
      ws.down.push_back(down_[i].make_workspace(b, input, mode));
      ws.down_offset.push_back(offset);
      offset += parameter_count(down_[i]);
      outputs.push_back(down_[i].output_shape(input));
      add(ws.down_output, &ws.d_down_output, outputs.back());
    }
    // The parts on the way up lie in reverse among the parameters, as they run.
    const std::size_t ups = up_.size();
    ws.rise_offset.resize(ups);
    ws.up_offset.resize(ups);
    std::vector<shape> lower(ups + 1, outputs.back());
    for (std::size_t i = ups; i-- > 0;) {
      ws.rise_offset[i] = std::exchange(offset, offset + parameter_count(rise_[i]));
      ws.up_offset[i] = std::exchange(offset, offset + parameter_count(up_[i]));
      lower[i] = up_[i].output_shape(merged_shape(i, lower[i + 1]));
    }
    for (std::size_t i = 0; i < ups; ++i) {
      const shape merged = merged_shape(i, lower[i + 1]), risen = rise_[i].output_shape(lower[i + 1]);
      ws.rise.push_back(rise_[i].make_workspace(b, lower[i + 1], mode));
      ws.up.push_back(up_[i].make_workspace(b, merged, mode));
      add(ws.risen, &ws.d_risen, risen);
      add(ws.enlarged, nullptr, upsample_nearest(2).output_shape(risen));
      add(ws.up_input, &ws.d_up_input, merged);
      add(ws.up_output, &ws.d_up_output, lower[i]);
    }
    const shape below = lower[0];
    ws.end = end_->make_workspace(b, below, mode);
    ws.end_offset = offset;
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    each_part(ws, [&](const auto& layer, auto& own, index_t offset) {
      layer.pack_weights(b, parameters + offset, own);
    });
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    for (std::size_t i = 0; i < down_.size(); ++i) {
      const_activation<B> input = x;
      if (i > 0) {
        const activation<B> smaller = ws.down_input[i].view(n);
        average_pool(2).forward(b, parameters, const_activation<B>(ws.down_output[i - 1].view(n)), side,
                                smaller, ws.none);
        input = smaller;
      }
      down_[i].forward(b, parameters + ws.down_offset[i], input, side, ws.down_output[i].view(n), ws.down[i]);
    }
    for (std::size_t i = up_.size(); i-- > 0;) {
      const activation<B> risen = ws.risen[i].view(n), enlarged = ws.enlarged[i].view(n),
                          merged = ws.up_input[i].view(n);
      rise_[i].forward(b, parameters + ws.rise_offset[i], lower_output(ws, i, n), side, risen, ws.rise[i]);
      upsample_nearest(2).forward(b, parameters, const_activation<B>(risen), side, enlarged, ws.none);
      join_channels<B>(b, ws.down_output[i].view(n), enlarged, merged);
      up_[i].forward(b, parameters + ws.up_offset[i], merged, side, ws.up_output[i].view(n), ws.up[i]);
    }
    end_->forward(b, parameters + ws.end_offset, last_output(ws, n), side, y, *ws.end);
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    activation<B> above = up_.empty() ? ws.d_down_output[0].view(n) : ws.d_up_output[0].view(n);
    end_->backward(b, parameters + ws.end_offset, last_output(ws, n), side, dy, above,
                   gradients + ws.end_offset, *ws.end);
    for (std::size_t i = 0; i < up_.size(); ++i) {
      const activation<B> merged = ws.d_up_input[i].view(n), enlarged = ws.enlarged[i].view(n),
                          risen = ws.d_risen[i].view(n), skipped = ws.d_down_output[i].view(n);
      up_[i].backward(b, parameters + ws.up_offset[i], ws.up_input[i].view(n), side, above, merged,
                      gradients + ws.up_offset[i], ws.up[i]);
      take_channels<B>(b, merged, skipped.dims.c, enlarged);
      take_channels<B>(b, merged, 0, skipped);
      above = i + 1 < up_.size() ? ws.d_up_output[i + 1].view(n) : ws.d_down_output[i + 1].view(n);
      upsample_nearest(2).backward(b, parameters, const_activation<B>(ws.risen[i].view(n)), side, enlarged,
                                   risen, gradients, ws.none);
      rise_[i].backward(b, parameters + ws.rise_offset[i], lower_output(ws, i, n), side, risen, above,
                        gradients + ws.rise_offset[i], ws.rise[i]);
    }
    for (std::size_t i = down_.size(); i-- > 0;) {
      const activation<B> below = i > 0 ? ws.d_down_input[i].view(n) : dx;
      const const_activation<B> input = i > 0 ? const_activation<B>(ws.down_input[i].view(n)) : x;
      down_[i].backward(b, parameters + ws.down_offset[i], input, side, ws.d_down_output[i].view(n), below,
                        gradients + ws.down_offset[i], ws.down[i]);
      if (i == 0) continue;
      // The output of the level above went two ways: into the pool and over to the way up.
      const activation<B> spread = ws.down_output[i - 1].view(n), sum = ws.d_down_output[i - 1].view(n);
      average_pool(2).backward(b, parameters, const_activation<B>(spread), side, below, spread, gradients,
                               ws.none);
      add_channels<B>(b, spread, sum);
    }
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    each_part(ws, [&](const auto& layer, auto& own, index_t offset) {
      layer.reduce_gradients(b, gradients + offset, own);
    });
  }

 private:
  shape level_shape(std::size_t i, shape in) const {
    return down_[i].output_shape(i == 0 ? in : average_pool(2).output_shape(in));
  }
  /// Input of part i on the way up, from the output of the level below.
  shape merged_shape(std::size_t i, shape below) const {
    const shape larger = upsample_nearest(2).output_shape(rise_[i].output_shape(below));
    return {larger.n, 2 * larger.c, larger.h, larger.w};
  }
  /// The output of the level below level i, on its way up.
  template <Backend B> const_activation<B> lower_output(workspace<B>& ws, std::size_t i, index_t n) const {
    return i + 1 < up_.size() ? ws.up_output[i + 1].view(n) : ws.down_output[i + 1].view(n);
  }
  template <Backend B> const_activation<B> last_output(workspace<B>& ws, index_t n) const {
    return up_.empty() ? ws.down_output[0].view(n) : ws.up_output[0].view(n);
  }
  template <class Workspace, class F> void each_part(Workspace& ws, const F& f) const {
    for (std::size_t i = 0; i < down_.size(); ++i) f(down_[i], ws.down[i], ws.down_offset[i]);
    for (std::size_t i = 0; i < up_.size(); ++i) {
      f(rise_[i], ws.rise[i], ws.rise_offset[i]);
      f(up_[i], ws.up[i], ws.up_offset[i]);
    }
    f(*end_, *ws.end, ws.end_offset);
  }

  std::vector<part> down_, up_;
  std::vector<stack> rise_;
  std::optional<conv2d> end_;
};

}  // namespace detail

/// A U-Net (Ronneberger et al. 2015) of residual blocks (He et al. 2016): convolution, group norm and SiLU
/// twice, the embedding of time and label added between them, channel by channel (Ho et al. 2020, appendix
/// B). A level halves the size by averages and doubles it by repetition; on the way up it reads its own
/// output on the way down beside the level below. A 3x3 convolution ends it. Height and width must divide by
/// two as often as there are levels less one.
class unet : public embedded<time_label_embedding, detail::unet_levels> {
 public:
  /// From C channels to `out` channels. Throws `error` for numbers out of range.
  unet(index_t in, index_t out, unet_options options = {}) : unet(checked(std::move(options)), in, out) {}

 private:
  unet(const unet_options& o, index_t in, index_t out)
      : embedded(time_label_embedding(o.embedding, o.classes), detail::unet_levels(in, out, o)) {}

  static unet_options checked(unet_options o) {
    const auto at_least = [](index_t least, index_t found, const char* name) {
      require(found >= least, "unet", [&] {
        return std::string("found ") + name + " " + std::to_string(found) + ", wanted at least " +
               std::to_string(least);
      });
    };
    require(!o.widths.empty() && o.widths.size() <= 10 && !o.kernels.empty(), "unet", [&] {
      return "found " + std::to_string(o.widths.size()) + " widths and " + std::to_string(o.kernels.size()) +
             " kernels, wanted 1 to 10 and at least 1";
    });
    for (const index_t width : o.widths) at_least(1, width, "width");
    for (const index_t kernel : o.kernels) {
      require(kernel > 0 && kernel % 2 == 1, "unet",
              [&] { return "found kernel " + std::to_string(kernel) + ", wanted an odd number"; });
    }
    at_least(1, o.blocks, "blocks");
    at_least(1, o.bottom_blocks, "bottom_blocks");
    at_least(1, o.groups, "groups");
    at_least(0, o.classes, "classes");
    at_least(1, o.embedding, "embedding");
    return o;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
