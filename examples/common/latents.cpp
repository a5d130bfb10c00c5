#include "common/latents.hpp"

#include <algorithm>

#include "common/any_backend.hpp"
#include "common/file_metadata.hpp"
#include "common/safetensors.hpp"

namespace programs {

coldzoom::image_window latent_source::window() const {
  return coldzoom::zoom<coldzoom::nearest>{}.window(step, image.h, image.w);
}
coldzoom::shape latent_source::patch_dims() const {
  const coldzoom::image_window at = window();
  const coldzoom::index_t size = image.c * at.h * at.w;
  return {static_cast<coldzoom::index_t>(patches.size()) / size, image.c, at.h, at.w};
}

std::string default_latent(const std::string& kind) {
  return kind == "zoom_nearest" ? "histogram" : kind == "zoom_bilinear" ? "patches" : "gaussian";
}

void check_latent(const std::string& kind, const std::string& policy) {
  const bool noise = default_latent(kind) == "gaussian";
  coldzoom::require(noise == (policy == "gaussian"), "--latent", [&] {
    return "found " + policy + ", wanted " + (noise ? "gaussian" : "histogram or patches") + " for " + kind;
  });
}

namespace {

/// The windows that are left at the step, as they lie in the images.
std::vector<std::uint8_t> cut_windows(const coldzoom::labelled_images& images, coldzoom::image_window at) {
  std::vector<std::uint8_t> out;
  const coldzoom::tensor_view<const std::uint8_t> all(images.pixels.data(), images.dims);
  out.reserve(static_cast<std::size_t>(images.dims.n * images.dims.c * at.h * at.w));
  for (coldzoom::index_t n = 0; n < images.dims.n; ++n) {
    for (coldzoom::index_t c = 0; c < images.dims.c; ++c) {
      for (coldzoom::index_t y = at.top; y < at.top + at.h; ++y) {
        for (coldzoom::index_t x = at.left; x < at.left + at.w; ++x) out.push_back(all(n, c, y, x));
      }
    }
  }
  return out;
}

}  // namespace

latent_source make_latents(any_backend& b, const std::string& policy, const std::string& kind, int step,
                           const std::string& data, const coldzoom::labelled_images& images) {
  check_latent(kind, policy);
  latent_source source{policy, kind, policy == "gaussian" ? 0 : step, data, images.dims.with_n(1), {}, {}};
  if (policy == "histogram") {
    const model_method method{kind, step, step, 0};
    b.for_each_degraded(images, method, step, {}, [&](coldzoom::index_t, host_images, host_images z) {
      const histogram_counts counts = coldzoom::pixel_histogram<value_range>::count(z);
      for (std::size_t k = 0; k < counts.size(); ++k) source.counts[k] += counts[k];
    });
  } else if (policy == "patches") {
    source.patches = cut_windows(images, source.window());
  }
  return source;
}

void save_latents(const std::string& path, const latent_source& source) {
  using coldzoom::index_t;
  coldzoom::safetensors_file file;
  file.metadata = {{"format_version", "1"},
                   {"library", std::string("coldzoom ") + COLDZOOM_VERSION_STRING},
                   {"latent", source.policy},
                   {"kind", source.kind},
                   {"step", std::to_string(source.step)},
                   {"value_range", value_range::name},
                   {"data", source.data}};
  file.add("image", {3}, std::vector<std::int64_t>{source.image.c, source.image.h, source.image.w});
  if (source.policy == "histogram") {
    file.add("histogram", {256}, std::vector<std::int64_t>(source.counts.begin(), source.counts.end()));
  } else if (source.policy == "patches") {
    const coldzoom::shape d = source.patch_dims();
    file.add("patches", {d.n, d.c, d.h, d.w}, source.patches);
  }
  coldzoom::save_safetensors(path, file);
}

latent_source load_latents(const std::string& path) {
  using coldzoom::index_t, coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const file_metadata metadata(file.source, file.metadata);
  metadata.expect("format_version", "1");
  metadata.expect("value_range", value_range::name);
  latent_source source{metadata.text("latent"), metadata.text("kind"), 0, metadata.text("data"), {}, {}, {}};
  require(std::find(std::begin(latent_policies), std::end(latent_policies), source.policy) !=
              std::end(latent_policies),
          path.c_str(), [&] {
            return "found latent '" + source.policy +
                   "' in the metadata, wanted histogram, patches or gaussian; is this a file of latents?";
          });
  find_kind(path, source.kind);
  check_latent(source.kind, source.policy);
  const std::vector<std::int64_t>& image = file.values<std::int64_t>("image", {3});
  require(std::all_of(image.begin(), image.end(), [](std::int64_t d) { return d > 0 && d <= 1 << 20; }),
          path.c_str(), "array 'image': wanted three extents above 0");
  source.image = {1, image[0], image[1], image[2]};
  if (source.policy == "gaussian") return source;
  source.step = metadata.number("step", 0, static_cast<int>(std::min(image[1], image[2])) - 1, -1);
  require(source.step >= 0, path.c_str(), "found no step in the metadata");
  if (source.policy == "histogram") {
    const std::vector<std::int64_t>& counts = file.values<std::int64_t>("histogram", {256});
    require(std::all_of(counts.begin(), counts.end(), [](std::int64_t count) { return count >= 0; }),
            path.c_str(), "array 'histogram': found a negative count");
    std::copy(counts.begin(), counts.end(), source.counts.begin());
  } else {
    source.patches = file.values<std::uint8_t>("patches");
    const coldzoom::shape d = source.patch_dims();
    file.values<std::uint8_t>("patches", {d.n, d.c, d.h, d.w});  // checks the shape
  }
  return source;
}

}  // namespace programs
