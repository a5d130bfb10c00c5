/// The U-Net of denoising diffusion models: residual blocks, attention at chosen levels, time and label.
#pragma once

#include <algorithm>
#include <coldzoom/nn/conv_transpose2d.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/residual_block.hpp>
#include <coldzoom/nn/self_attention.hpp>
#include <coldzoom/nn/skip_chain.hpp>
#include <coldzoom/nn/upsample.hpp>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// The numbers of an attention_unet. Names of diffusers' UNet2DModel in brackets.
struct attention_unet_options {
  std::vector<index_t> widths{32, 64, 96};  // channels at full size, half ... [block_out_channels]
  index_t blocks = 2;                       // residual blocks a level, on the way down [layers_per_block]
  std::vector<index_t> attention{2};        // levels with attention, 0 the full size [*_block_types]
  bool middle_attention = true;             // between the two residual blocks at the bottom [add_attention]
  index_t head_channels = 8;                // of each head; 0 for one head of all [attention_head_dim]
  index_t groups = 32;                      // of all norms [norm_num_groups]
  float eps = 1e-5f;                        // of all norms [norm_eps]
  bool film = false;        // whether the embedding scales and shifts [resnet_time_scale_shift]
  float dropout = 0;        // share of the values that training leaves out in each residual block [dropout]
  bool pooled = false;      // averages of 2 x 2 pixels lead down, in place of convolutions
  bool transposed = false;  // transposed convolutions lead up, in place of repetition and convolutions
  index_t classes = 0;   // of the labels; 0 reads none [num_class_embeds - 1, the last stands for no label]
  index_t steps = 1000;  // T, of which the network was trained to know the steps

  index_t heads(index_t width) const { return head_channels == 0 ? 1 : width / head_channels; }
  bool attends_at(index_t level) const {
    return std::find(attention.begin(), attention.end(), level) != attention.end();
  }
};

namespace detail {

/// The links of an attention_unet, without the embedding that they read.
class attention_unet_links {
 public:
  using layer = choice<conv2d, residual_block, self_attention, average_pool, upsample_nearest,
                       conv_transpose2d, activated<group_norm, silu>>;
  using chain = skip_chain<layer>;

  static chain make(index_t in, index_t out, const attention_unet_options& o) {
    return chain(attention_unet_links(in, out, o).links_);
  }
  static index_t embedding(const attention_unet_options& o) { return 4 * o.widths[0]; }

 private:
  attention_unet_links(index_t in, index_t out, const attention_unet_options& o) : o_(o) {
    const std::size_t levels = o.widths.size();
    std::vector<std::size_t> kept;  // activations that the way up reads, and their channels
    std::vector<index_t> kept_width;
    const auto keep = [&] {
      kept.push_back(links_.size());
      kept_width.push_back(width_);
    };
    convolution("conv_in", conv2d::same(in, o.widths[0], 3));
    keep();
    for (std::size_t i = 0; i < levels; ++i) {
      const std::string level = "down_blocks." + std::to_string(i);
      for (index_t j = 0; j < o.blocks; ++j) {
        blocks(level, j, o.widths[i], attention_groups(i));
        keep();
      }
      if (i + 1 == levels) continue;
      if (o.pooled) {
        links_.push_back({level, layer(average_pool(2))});
      } else {
        convolution(level + ".downsamplers.0.conv", conv2d{width_, width_, 3, 3, 1, 1, 2, 2});
      }
      keep();
    }
    // UNet2DModel leaves this norm out where the embedding scales and shifts.
    blocks("mid_block", 0, width_, !o.middle_attention ? no_attention : o.film ? 0 : o.groups);
    blocks("mid_block", 1, width_, no_attention);
    for (std::size_t i = 0; i < levels; ++i) {
      const std::string level = "up_blocks." + std::to_string(i);
      for (index_t j = 0; j <= o.blocks; ++j) {
        blocks(level, j, o.widths[levels - 1 - i], attention_groups(levels - 1 - i), kept.back(),
               kept_width.back());
        kept.pop_back();
        kept_width.pop_back();
      }
      if (i + 1 == levels) continue;
      if (o.transposed) {
        links_.push_back({level + ".upsamplers.0.conv", layer(conv_transpose2d(width_, width_))});
      } else {
        links_.push_back({level, layer(upsample_nearest(2))});
        convolution(level + ".upsamplers.0.conv", conv2d::same(width_, width_, 3));
      }
    }
    links_.push_back({"conv_norm_out", layer(activated<group_norm, silu>(normed(width_)))});
    convolution("conv_out", conv2d::same(width_, out, 3));
  }

  static constexpr index_t no_attention = -1;
  /// Groups of the norm in a level's attention.
  index_t attention_groups(std::size_t level) const {
    return o_.attends_at(static_cast<index_t>(level)) ? o_.groups : no_attention;
  }
  group_norm normed(index_t channels) const {
    group_norm made(o_.groups, channels);
    made.eps = o_.eps;
    return made;
  }
  void convolution(const std::string& name, const conv2d& c) {
    links_.push_back({name, layer(c)});
    width_ = c.out_channels;
  }
  /// A residual block and attention behind it, its norm of so many groups, unless there is none.
  void blocks(const std::string& level, index_t j, index_t width, index_t attention_groups,
              std::size_t skip = 0, index_t skip_width = 0) {
    links_.push_back({level + ".resnets." + std::to_string(j),
                      layer(residual_block({.in = width_ + skip_width,
                                            .out = width,
                                            .embedding = embedding(o_),
                                            .groups = o_.groups,
                                            .eps = o_.eps,
                                            .film = o_.film,
                                            .dropout = o_.dropout,
                                            .layer = static_cast<std::uint32_t>(links_.size())})),
                      skip});
    width_ = width;
    if (attention_groups == no_attention) return;
    links_.push_back({level + ".attentions." + std::to_string(j),
                      layer(self_attention(width, o_.heads(width), attention_groups, o_.eps))});
  }

  const attention_unet_options& o_;
  index_t width_ = 0;  // of the last activation
  std::vector<chain::link> links_;
};

}  // namespace detail

/// The U-Net of Ho et al. (2020, appendix B) in the layout and with the parameter names of diffusers'
/// UNet2DModel: residual blocks whose convolutions are 3 x 3, attention behind those of chosen levels and in
/// the middle, convolutions of stride 2 on the way down, repetition and a convolution on the way up, where
/// each block reads the activation of its counterpart on the way down. Height and width must divide by two as
/// often as there are levels less one.
class attention_unet : public embedded<time_label_embedding, detail::attention_unet_links::chain> {
 public:
  /// From `in` channels to `out` channels. Throws `error` for numbers out of range, and for widths that groups
  /// or heads do not divide.
  attention_unet(index_t in, index_t out, attention_unet_options options = {})
      : attention_unet(checked(std::move(options)), in, out) {}

  shape output_shape(shape in) const {
    const index_t unit = index_t{1} << (levels_ - 1);
    require(in.h % unit == 0 && in.w % unit == 0, "attention_unet", [&] {
      return "the images are " + to_string(in) + "; with " + std::to_string(levels_) +
             " levels, height and width must divide by " + std::to_string(unit);
    });
    return embedded::output_shape(in);
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    const std::string stem = prefix.empty() ? "" : prefix + ".";
    const std::size_t first = list.size();
    embed.describe(list, "embedding");
    for (std::size_t i = first; i < list.size(); ++i) {
      const std::string& name = list[i].name;
      const std::string part = name.substr(name.rfind('.'));
      list[i].name = stem +
                     (name.starts_with("embedding.label")    ? "class_embedding"
                      : name.starts_with("embedding.time.0") ? "time_embedding.linear_1"
                                                             : "time_embedding.linear_2") +
                     part;
    }
    network.describe(list, prefix);
  }

 private:
  attention_unet(const attention_unet_options& o, index_t in, index_t out)
      : embedded(time_label_embedding(detail::attention_unet_links::embedding(o), o.classes,
                                      time_features::positional(o.widths[0] / 2, o.steps)),
                 detail::attention_unet_links::make(in, out, o)),
        levels_(o.widths.size()) {}

  static attention_unet_options checked(attention_unet_options o) {
    const auto at_least = [](index_t least, index_t found, const char* name) {
      require(found >= least, "attention_unet", [&] {
        return std::string("found ") + name + " " + std::to_string(found) + ", wanted at least " +
               std::to_string(least);
      });
    };
    require(!o.widths.empty() && o.widths.size() <= 10, "attention_unet",
            [&] { return "found " + std::to_string(o.widths.size()) + " widths, wanted 1 to 10"; });
    at_least(1, o.blocks, "blocks");
    at_least(0, o.head_channels, "head_channels");
    at_least(1, o.groups, "groups");
    at_least(0, o.classes, "classes");
    at_least(1, o.steps, "steps");
    const auto levels = static_cast<index_t>(o.widths.size());
    for (const index_t level : o.attention) {
      require(level >= 0 && level < levels, "attention_unet", [&] {
        return "found attention at level " + std::to_string(level) + ", wanted 0 to " +
               std::to_string(levels - 1);
      });
    }
    for (index_t i = 0; i < levels; ++i) {
      const index_t width = o.widths[static_cast<std::size_t>(i)];
      at_least(2, width, "width");
      const bool attends = (i + 1 == levels && o.middle_attention) || o.attends_at(i);
      const bool headed = attends && o.head_channels > 0;
      require(width % o.groups == 0 && (!headed || width % o.head_channels == 0), "attention_unet", [&] {
        return "found width " + std::to_string(width) + " at level " + std::to_string(i) +
               ", wanted a multiple of groups = " + std::to_string(o.groups) +
               (headed ? " and of head_channels = " + std::to_string(o.head_channels) : std::string());
      });
    }
    return o;
  }

  std::size_t levels_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
