#include "common/latents.hpp"

#include <algorithm>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/initial_state/fit_mixture.hpp>
#include <coldzoom/initial_state/pixel_histogram.hpp>
#include <coldzoom/interpolation/nearest.hpp>

#include "common/data.hpp"
#include "common/eigensolver.hpp"
#include "common/file_metadata.hpp"
#include "common/latent_policies.hpp"
#include "common/safetensors.hpp"

namespace programs {

namespace {

const std::vector<std::string> everywhere{degraded_latents::name, fitted_latents::name};
bool is_everywhere(const std::string& policy) {
  return std::find(everywhere.begin(), everywhere.end(), policy) != everywhere.end();
}

/// "a, b or c".
std::string any_of(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 < words.size() ? ", " : " or ") + words[i];
  }
  return text;
}

}  // namespace

coldzoom::image_window latent_source::window() const {
  return coldzoom::zoom<coldzoom::nearest>{}.window(step, image.h, image.w);
}
coldzoom::shape latent_source::patch_dims() const {
  const coldzoom::image_window at = window();
  const coldzoom::index_t size = image.c * at.h * at.w;
  return {static_cast<coldzoom::index_t>(patches.size()) / size, image.c, at.h, at.w};
}
coldzoom::shape latent_source::image_dims() const {
  return image.with_n(static_cast<coldzoom::index_t>(images.size()) / image.image());
}

coldzoom::index_t latent_source::grid_width() const {
  return policy == histogram_latents::name || policy == patch_latents::name ? window().w : image.w;
}

std::vector<std::string> latent_names() {
  std::vector<std::string> names;
  for (const method_entry* method : methods()) {
    for (const std::string& name : method->latents()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  for (const std::string& name : everywhere) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string latents_of(const method_entry& method) { return any_of(method.latents()); }

void check_latent(const method_entry& method, const std::string& policy) {
  const std::vector<std::string>& fit = method.latents();
  coldzoom::require(is_everywhere(policy) || std::find(fit.begin(), fit.end(), policy) != fit.end(),
                    "--latent", [&] {
                      return "found " + policy + ", wanted " + latents_of(method) + " for " + method.name() +
                             ", or " + any_of(everywhere) + ", which fit every kind";
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

latent_source make_latents(machine& m, const model_method& method, const std::string& policy,
                           const std::string& data, const coldzoom::labelled_images& images) {
  check_latent(*method.entry, policy);
  const bool of_data = policy != gaussian_latents::name;
  latent_source source{policy, method.name(), of_data ? method.steps : 0, data, images.dims.with_n(1)};
  if (policy == histogram_latents::name) {
    method.on(m)->for_each_degraded(
        images, method.steps, {}, [&](coldzoom::index_t, host_images, host_images z) {
          const histogram_counts counts = coldzoom::pixel_histogram<value_range>::count(z);
          for (std::size_t k = 0; k < counts.size(); ++k) source.counts[k] += counts[k];
        });
  } else if (policy == patch_latents::name) {
    source.patches = cut_windows(images, source.window());
  } else if (policy == degraded_latents::name) {
    source.images = images.pixels;
    source.labels = images.labels;
  } else if (policy == fitted_latents::name) {
    constexpr coldzoom::index_t most = 30000;  // images, whose kept pixels stay in memory
    const coldzoom::labelled_images some = first_images(images, std::min(most, images.dims.n));
    std::vector<float> kept;
    method.on(m)->for_each_kept(some, method.steps, [&](coldzoom::index_t, host_images, host_images z) {
      kept.insert(kept.end(), z.data, z.data + z.dims.size());
    });
    source.mixture =
        coldzoom::fit_mixture<value_range>(coldzoom::image_batch<value_range, const float>(
                                               coldzoom::tensor_view<const float>(kept.data(), some.dims)),
                                           some.labels);
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
  if (source.policy == histogram_latents::name) {
    file.add("histogram", {256}, std::vector<std::int64_t>(source.counts.begin(), source.counts.end()));
  } else if (source.policy == patch_latents::name) {
    const coldzoom::shape d = source.patch_dims();
    file.add("patches", {d.n, d.c, d.h, d.w}, source.patches);
  } else if (source.policy == degraded_latents::name) {
    constexpr index_t most = 16 << 20;  // bytes
    const coldzoom::shape d = source.image_dims();
    const index_t n = std::clamp<index_t>(most / d.image(), 1, d.n);
    file.add("images", {n, d.c, d.h, d.w},
             std::vector<std::uint8_t>(source.images.begin(), source.images.begin() + n * d.image()));
    file.add("labels", {n}, std::vector<std::uint8_t>(source.labels.begin(), source.labels.begin() + n));
  } else if (source.policy == fitted_latents::name) {
    const coldzoom::mixture_numbers& m = source.mixture;
    const index_t pixels = source.image.image(), k = m.components();
    file.add("base", {pixels}, m.base);
    file.add("basis", {m.rank, pixels}, m.basis);
    file.add("share", {k}, m.share);
    file.add("component_labels", {k}, m.labels);
    file.add("mean", {k, m.rank}, m.mean);
    file.add("factor", {k, m.rank, m.rank}, m.factor);
  }
  coldzoom::save_safetensors(path, file);
}

latent_source load_latents(const std::string& path) {
  using coldzoom::index_t, coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const file_metadata metadata(file.source, file.metadata);
  metadata.expect("format_version", "1");
  metadata.expect("value_range", value_range::name);
  latent_source source{metadata.text("latent"), metadata.text("kind"), 0, metadata.text("data")};
  const std::vector<std::string> known = latent_names();
  require(std::find(known.begin(), known.end(), source.policy) != known.end(), path.c_str(), [&] {
    return "found latent '" + source.policy + "' in the metadata, wanted " + any_of(known) +
           "; is this a file of initial states?";
  });
  const method_entry& method = find_method(path, source.kind);
  check_latent(method, source.policy);
  const std::vector<std::int64_t>& image = file.values<std::int64_t>("image", {3});
  require(std::all_of(image.begin(), image.end(), [](std::int64_t d) { return d > 0 && d <= 1 << 20; }),
          path.c_str(), "array 'image': wanted three extents above 0");
  source.image = {1, image[0], image[1], image[2]};
  if (source.policy == gaussian_latents::name) return source;
  source.step = metadata.number("step", 0, method.most_steps(source.image), -1);
  require(source.step >= 0, path.c_str(), "found no step in the metadata");
  if (source.policy == histogram_latents::name) {
    const std::vector<std::int64_t>& counts = file.values<std::int64_t>("histogram", {256});
    require(std::all_of(counts.begin(), counts.end(), [](std::int64_t count) { return count >= 0; }),
            path.c_str(), "array 'histogram': found a negative count");
    std::copy(counts.begin(), counts.end(), source.counts.begin());
  } else if (source.policy == patch_latents::name) {
    source.patches = file.values<std::uint8_t>("patches");
    const coldzoom::shape d = source.patch_dims();
    file.values<std::uint8_t>("patches", {d.n, d.c, d.h, d.w});  // checks the shape
  } else if (source.policy == fitted_latents::name) {
    coldzoom::mixture_numbers& m = source.mixture;
    m.base = file.values<float>("base", {source.image.image()});
    m.share = file.values<float>("share");
    const index_t k = m.components();
    m.labels = file.values<std::int32_t>("component_labels", {k});
    m.mean = file.values<float>("mean");
    m.rank = static_cast<index_t>(m.mean.size()) / std::max<index_t>(k, 1);
    m.basis = file.values<float>("basis", {m.rank, source.image.image()});
    m.factor = file.values<float>("factor", {k, m.rank, m.rank});
  } else {
    source.images = file.values<std::uint8_t>("images");
    const coldzoom::shape d = source.image_dims();
    file.values<std::uint8_t>("images", {d.n, d.c, d.h, d.w});  // checks the shape
    require(d.n > 0, path.c_str(), "array 'images': found none");
    if (file.find("labels")) source.labels = file.values<std::uint8_t>("labels", {d.n});
  }
  return source;
}

}  // namespace programs
