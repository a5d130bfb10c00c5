/// A zoom model as a file, and the latents that its samples start from.
#pragma once

#include <algorithm>
#include <array>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/backend.hpp"

namespace programs {

using value_range = coldzoom::centred;
using host_images = coldzoom::image_batch<value_range, float>;
using histogram_counts = std::array<std::uint64_t, 256>;

/// The kinds of zoom model, with the last step of the original's.
struct zoom_kind {
  const char* name;
  int steps;
};
inline constexpr zoom_kind zoom_kinds[] = {{"zoom_nearest", 24}, {"zoom_bilinear", 23}};

/// Calls f(interpolation) with the one that `kind` zooms by.
template <class F> auto with_interpolation(const std::string& kind, F&& f) {
  if (kind == "zoom_nearest") return f(coldzoom::nearest{});
  coldzoom::require(kind == "zoom_bilinear", "kind",
                    [&] { return "found '" + kind + "', wanted zoom_nearest or zoom_bilinear"; });
  return f(coldzoom::bilinear{});
}

struct zoom_model {
  std::string kind;
  int steps = 0;
  std::string data;  // what it was trained on; empty where the file does not say
  std::optional<histogram_counts> histogram;
  coldzoom::reconstructor network;
  std::vector<float> parameters;
};

inline void save_zoom_model(const std::string& path, const zoom_model& model) {
  coldzoom::safetensors_file file;
  coldzoom::add_parameters(file, model.network, model.parameters);
  const std::vector<float> frequencies = model.network.frequency_table();
  file.add("gt.frequencies", {static_cast<coldzoom::index_t>(frequencies.size())}, frequencies);
  const auto join = [](const auto& values) {
    std::string text;
    for (const auto& value : values) {
      if (!text.empty()) text += ',';
      text += std::to_string(value);
    }
    return text;
  };
  file.metadata = {{"format_version", "1"},
                   {"library", std::string("coldzoom ") + COLDZOOM_VERSION_STRING},
                   {"kind", model.kind},
                   {"network", "reconstructor"},
                   {"widths", join(model.network.widths())},
                   {"steps", std::to_string(model.steps)},
                   {"target", coldzoom::predict_x0::name},
                   {"value_range", value_range::name},
                   {"data", model.data}};
  if (model.histogram) file.metadata["latent.histogram"] = join(*model.histogram);
  coldzoom::save_safetensors(path, file);
}

/// Reads our files, and the original project's, which carry no metadata: for those `kind` must be given.
/// The network's extents are those of the arrays themselves.
inline zoom_model load_zoom_model(const std::string& path, const std::string& kind) {
  using coldzoom::index_t, coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const auto metadata = [&](const char* key) {
    const auto at = file.metadata.find(key);
    return at == file.metadata.end() ? std::string() : at->second;
  };
  const auto expect = [&](const char* key, const std::string& wanted) {
    const std::string found = metadata(key);
    require(found.empty() || found == wanted, path.c_str(),
            [&] { return "found " + std::string(key) + " '" + found + "', wanted '" + wanted + "'"; });
  };
  expect("format_version", "1");
  expect("network", "reconstructor");
  expect("value_range", value_range::name);
  expect("target", coldzoom::predict_x0::name);
  const std::string stored = metadata("kind"), known = stored.empty() ? kind : stored;
  require(!known.empty(), path.c_str(), "the file does not say what kind of model it is; give --kind");
  require(kind.empty() || kind == known, path.c_str(),
          [&] { return "the file holds a " + stored + " model, --kind says " + kind; });
  const auto entry = std::find_if(std::begin(zoom_kinds), std::end(zoom_kinds),
                                  [&](const zoom_kind& k) { return k.name == known; });
  require(entry != std::end(zoom_kinds), path.c_str(),
          [&] { return "found kind '" + known + "', wanted zoom_nearest or zoom_bilinear"; });

  const auto dims = [&](const std::string& name, std::size_t rank) {
    const coldzoom::named_array* array = file.find(name);
    require(array && array->shape.size() == rank, path.c_str(), [&] {
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
  require(widths.size() >= 2 && widths.size() <= 64 && image.size() <= (1 << 24) &&
              std::all_of(widths.begin(), widths.end(), [](index_t w) { return w > 0 && w <= 4096; }),
          path.c_str(), [&] {
            return "found " + std::to_string(widths.size()) + " blocks for images of " + to_string(image) +
                   ", wanted 2 to 64 of reasonable size";
          });
  zoom_model model{
      known, entry->steps, metadata("data"), {}, coldzoom::reconstructor(image, widths, first[2]), {}};
  model.parameters = coldzoom::read_parameters(file, model.network);
  if (const std::string steps = metadata("steps"); !steps.empty()) {
    model.steps = std::atoi(steps.c_str());
    const index_t side = std::min(image.h, image.w);
    require(model.steps >= 1 && model.steps < side, path.c_str(),
            [&] { return "found steps '" + steps + "', wanted 1 to " + std::to_string(side - 1); });
  }
  if (const std::string text = metadata("latent.histogram"); !text.empty()) {
    histogram_counts counts{};
    std::size_t bin = 0;
    const char* at = text.c_str();
    for (char* end = nullptr; bin < 256; ++bin, at = end + 1) {
      counts[bin] = std::strtoull(at, &end, 10);
      if (end == at || *end != (bin < 255 ? ',' : '\0')) break;
    }
    require(bin == 256, path.c_str(), "latent.histogram is no list of 256 counts");
    model.histogram = counts;
  }
  return model;
}

/// D(x, T) of all images, in host memory: what both latents are made from.
template <coldzoom::Interpolation I>
std::vector<float> fully_degraded(backend& b, const coldzoom::labelled_images& images, int steps,
                                  I interpolation) {
  using namespace coldzoom;
  const dataset<backend, value_range> set(b, images.dims, images.pixels.data());
  const std::vector<std::int32_t> order = natural_order(images.dims.n);
  const std::vector<float> level(order.size(), 1.0f);
  std::vector<float> x0(static_cast<std::size_t>(images.dims.size())), out(x0.size());
  const host_images clean(tensor_view<float>(x0.data(), images.dims)),
      z(tensor_view<float>(out.data(), images.dims));
  set.gather(b, {order.data(), images.dims.n}, clean);
  degrade(b, zoom<I>{interpolation, steps}, image_batch<value_range, const float>(clean),
          {level.data(), images.dims.n}, key_sequence{}, z);
  return out;
}

inline histogram_counts count_latent_pixels(backend& b, const coldzoom::labelled_images& images, int steps,
                                            const std::string& kind) {
  return with_interpolation(kind, [&](auto interpolation) {
    const std::vector<float> z = fully_degraded(b, images, steps, interpolation);
    return coldzoom::pixel_histogram<value_range>::count(coldzoom::image_batch<value_range, const float>(
        coldzoom::tensor_view<const float>(z.data(), images.dims)));
  });
}

/// The windows that are left at the last step, as images of their own.
inline std::vector<float> centres(const coldzoom::labelled_images& images, coldzoom::image_window at) {
  std::vector<float> out;
  const coldzoom::tensor_view<const std::uint8_t> all(images.pixels.data(), images.dims);
  for (coldzoom::index_t n = 0; n < images.dims.n; ++n) {
    for (coldzoom::index_t c = 0; c < images.dims.c; ++c) {
      for (coldzoom::index_t y = 0; y < at.h; ++y) {
        for (coldzoom::index_t x = 0; x < at.w; ++x) {
          out.push_back(coldzoom::from_byte<value_range>(all(n, c, at.top + y, at.left + x)));
        }
      }
    }
  }
  return out;
}

/// [-0.5, 0.5] to [0, 1], clamped: a network may overshoot a little.
inline std::vector<float> to_unit(const std::vector<float>& centred) {
  std::vector<float> unit(centred.size());
  std::transform(centred.begin(), centred.end(), unit.begin(), [](float v) {
    return std::clamp(coldzoom::convert_range<value_range, coldzoom::unit>(v), 0.0f, 1.0f);
  });
  return unit;
}

}  // namespace programs
