#include "common/networks.hpp"

#include <coldzoom/nn/attention_unet.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/nn/unet.hpp>
#include <coldzoom/training/engine.hpp>

#include "coldzoom_programs/network.hpp"

namespace programs {

namespace {

using coldzoom::index_t;

/// The reconstructor and the array that the original project's files carry.
struct original_reconstructor : coldzoom::reconstructor {
  using coldzoom::reconstructor::reconstructor;

  void add_constants(coldzoom::safetensors_file& file) const {
    const std::vector<float> frequencies = frequency_table();
    file.add("gt.frequencies", {static_cast<index_t>(frequencies.size())}, frequencies);
  }
};

/// The network that a file's arrays are of; their extents are the network's.
network_settings read_reconstructor(const coldzoom::safetensors_file& file) {
  const auto dims = [&](const std::string& name, std::size_t rank) {
    const coldzoom::named_array* array = file.find(name);
    coldzoom::require(array && array->shape.size() == rank, file.source.c_str(), [&] {
      return "found no array '" + name + "' of rank " + std::to_string(rank) + "; this is no reconstructor";
    });
    return array->shape;
  };
  std::vector<index_t> widths;
  for (int i = 0; file.find("gt.blocks." + std::to_string(i) + ".net.0.weight"); ++i) {
    widths.push_back(dims("gt.blocks." + std::to_string(i) + ".net.0.weight", 4)[0]);
  }
  const auto first = dims("gt.blocks.0.net.0.weight", 4), affine = dims("gt.blocks.0.net.1.weight", 2);
  const coldzoom::shape image{1, first[1], affine[0], affine[1]};
  const auto fits = [](index_t w) { return w > 0 && w <= largest_network_number; };
  coldzoom::require(widths.size() >= 2 && widths.size() <= 64 && image.size() <= (1 << 24) &&
                        std::all_of(widths.begin(), widths.end(), fits),
                    file.source.c_str(), [&] {
                      return "found " + std::to_string(widths.size()) + " blocks for images of " +
                             to_string(image) + ", wanted 2 to 64 of reasonable size";
                    });
  return {image, 0, {{"widths", widths}, {"kernel", {first[2]}}}};
}

}  // namespace

std::unique_ptr<network_entry> reconstructor_entry() {
  return std::make_unique<network_entry>(
      network_info{.name = "reconstructor",
                   .help = "convolutions without a bottleneck, the time added to the first",
                   .options = {{"widths", "hidden channels", {16, 32, 32, 16}, 1, true},
                               {"kernel", "size of the hidden kernels", {7}}},
                   .read = read_reconstructor},
      network_maker<backends>([](const network_settings& s) {
        return original_reconstructor(s.image, s.list("widths"), s.number("kernel"), s.input_channels);
      }));
}

std::unique_ptr<network_entry> unet_entry() {
  const coldzoom::unet_options o;
  return std::make_unique<network_entry>(
      network_info{
          .name = "unet",
          .help = "residual U-Net with an embedding of time and label",
          .options = {{"widths", "channels at full size, half, quarter ...", o.widths, 1, true},
                      {"kernels", "their sizes, the last for all further levels", o.kernels, 1, true},
                      {"blocks", "residual blocks a level, down and up", {o.blocks}},
                      {"bottom-blocks", "residual blocks at the smallest size", {o.bottom_blocks}},
                      {"embedding", "width of the embedding", {o.embedding}},
                      {"classes", "of the labels, 0 for none; --labels takes those of the data", {0}, 0}}},
      network_maker<backends>([](const network_settings& s) {
        return coldzoom::unet(s.input_channels, s.image.c,
                              {.widths = s.list("widths"),
                               .kernels = s.list("kernels"),
                               .blocks = s.number("blocks"),
                               .bottom_blocks = s.number("bottom-blocks"),
                               .classes = s.number("classes"),
                               .embedding = s.number("embedding")});
      }));
}

std::unique_ptr<network_entry> attention_unet_entry() {
  const coldzoom::attention_unet_options o;
  return std::make_unique<network_entry>(
      network_info{
          .name = "attention_unet",
          .help = "the U-Net of diffusers' UNet2DModel, with attention, time and label",
          .options =
              {{"widths", "channels at full size, half, quarter ...", o.widths, 1, true},
               {"blocks", "residual blocks a level on the way down", {o.blocks}},
               {"attention", "levels with attention, 1 the full size, 0 for none", {3}, 0, true},
               {"middle-attention", "1 for attention at the bottom, 0 for none", {1}, 0},
               {"head-channels", "channels of an attention head, 0 for one head", {o.head_channels}, 0},
               {"groups", "groups of the norms", {8}},
               {"film", "1 where the embedding scales and shifts, 0 where it is added", {0}, 0},
               {"dropout", "percent of the values that training leaves out in each block", {0}, 0},
               {"classes", "of the labels, 0 for none; --labels takes those of the data", {0}, 0}}},
      network_maker<backends>([](const network_settings& s) {
        std::vector<index_t> attention;
        for (const index_t level : s.list("attention")) {
          if (level > 0) attention.push_back(level - 1);
        }
        return coldzoom::attention_unet(s.input_channels, s.image.c,
                                        {.widths = s.list("widths"),
                                         .blocks = s.number("blocks"),
                                         .attention = std::move(attention),
                                         .middle_attention = s.number("middle-attention") != 0,
                                         .head_channels = s.number("head-channels"),
                                         .groups = s.number("groups"),
                                         .film = s.number("film") != 0,
                                         .dropout = static_cast<float>(s.number("dropout")) / 100,
                                         .classes = s.number("classes")});
      }));
}

}  // namespace programs
