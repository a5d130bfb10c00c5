/// Restores pictures that were degraded, without the clean ones: in one call of the network, and by its sampler.

#include <algorithm>
#include <coldzoom/core/file.hpp>
#include <coldzoom/io/picture.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "common/degradation_note.hpp"
#include "common/model.hpp"
#include "common/picture_files.hpp"
#include "common/restoration.hpp"
#include "common/sampling.hpp"

namespace {

using namespace coldzoom;
using namespace programs;

struct settings {
  std::string model, kind, in, out = "out/restored", clean, mask, way = "both", json, png;
  int step = 0;
  sampling_options sampling;
  machine_choice on;
};

constexpr index_t columns = 12;  // of the picture of all ways

/// Pictures of one shape, whose keys follow each other.
struct picture_group {
  std::vector<std::string> names;
  std::uint64_t sample = 0;  // of the first
  image_set degraded, clean, mask;

  bool takes(const image_set& picture, std::uint64_t next) const {
    constexpr index_t most_pixels = index_t{1} << 22;
    const auto n = static_cast<std::uint64_t>(degraded.dims.n);
    return n == 0 || (picture.dims == degraded.dims.with_n(1) && next == sample + n &&
                      degraded.dims.size() < most_pixels);
  }
};

void append(image_set& all, const image_set& more) {
  all.dims = more.dims.with_n(all.dims.n + more.dims.n);
  all.pixels.insert(all.pixels.end(), more.pixels.begin(), more.pixels.end());
}

/// "degraded", "direct", "sampled" and "clean", as they are there, of the first pictures of one shape.
class picture_rows {
 public:
  void add(const std::string& name, const image_set& images) {
    image_set& row = rows_[name];
    if (row.dims.n == columns || (row.dims.n > 0 && row.dims.with_n(1) != images.dims.with_n(1))) return;
    const index_t n = std::min(images.dims.n, columns - row.dims.n);
    append(row,
           {images.dims.with_n(n), {images.pixels.begin(), images.pixels.begin() + n * images.dims.image()}});
  }
  /// Says which row is which.
  void save(const std::string& path, const std::vector<std::string>& names) const {
    std::vector<const image_set*> sets;
    std::string text;
    for (const std::string& name : names) {
      sets.push_back(&rows_.at(name));
      text += (text.empty() ? "" : ", ") + name;
    }
    save_rows(path, sets, columns);
    std::printf("rows %s: %s\n", text.c_str(), path.c_str());
  }

 private:
  std::map<std::string, image_set> rows_;
};

/// The pictures of a folder by name, or one file for every name.
class pictures_by_name {
 public:
  pictures_by_name(const char* option, const std::string& path, bool one_for_all)
      : option_(option),
        path_(path),
        one_for_all_(one_for_all && file_exists(path)) {
    if (path.empty()) return;
    for (picture_of_user& picture : find_pictures(path)) found_[picture.name] = std::move(picture);
  }
  /// Of that shape.
  image_set load(const std::string& name, shape wanted) const {
    const auto at = one_for_all_ ? found_.begin() : found_.find(name);
    require(at != found_.end(), option_, [&] { return "found no picture " + name + " in " + path_; });
    image_set image = load_values(at->second);
    require(image.dims == wanted, at->second.path().c_str(), [&] {
      return "found a picture of " + to_string(image.dims) + ", wanted " + to_string(wanted) + ", that of " +
             name;
    });
    return image;
  }

 private:
  const char* option_;
  std::string path_;
  bool one_for_all_;
  std::map<std::string, picture_of_user> found_;
};

/// From [0, 1] to the range of the programs' images.
std::vector<float> to_centred(const std::vector<float>& pixels) {
  std::vector<float> out(pixels.size());
  std::transform(pixels.begin(), pixels.end(), out.begin(), convert_range<unit, value_range>);
  return out;
}

labelled_images to_bytes(const image_set& images) {
  labelled_images out{images.dims, {}, {}};
  for (const float v : images.pixels) out.pixels.push_back(to_byte(v));
  return out;
}

std::string methods_with_tiles() {
  std::string names;
  for (const method_entry* method : methods()) {
    if (method->info().tiles) names += (names.empty() ? "" : ", ") + method->name();
  }
  return names;
}

class restoration {
 public:
  restoration(machine& m, const settings& s)
      : s_(s),
        host_(m.host()),
        model_(load_model(s.model, s.kind)),
        method_(model_.method.on(m)),
        network_(method_->run(model_.network, model_.parameters)),
        sampling_(resolved(model_.method, s.sampling)),
        step_(s.step == 0 ? model_.method.steps : s.step),
        clean_("--clean", s.clean, false),
        masks_("--mask", s.mask, true),
        ways_(s.way == "both" ? std::vector<std::string>{"direct", "sampled"}
                              : std::vector<std::string>{s.way}) {
    require(step_ <= model_.method.steps, "--step", [&] {
      return "found " + std::to_string(step_) + ", wanted 1 to T = " + std::to_string(model_.method.steps);
    });
    require(s.mask.empty() || s.step == 0, "--step",
            "found a step beside --mask, which says which pixels are lost, and so the step");
  }

  void run() {
    const std::vector<picture_of_user> pictures = find_pictures(s_.in);
    const std::string folder = folder_read(s_.in, s_.out);
    if (s_.mask.empty()) take_note(folder);
    picture_group group;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      const std::string& name = pictures[i].name;
      const image_set picture = load_values(pictures[i]);
      check_shape(pictures[i].path(), picture.dims);
      const std::uint64_t sample = note_ ? note_->sample_of(name) : i;
      if (!group.takes(picture, sample)) restore(std::exchange(group, {}));
      if (group.names.empty()) group.sample = sample;
      group.names.push_back(name);
      append(group.degraded, picture);
      if (!s_.clean.empty()) append(group.clean, clean_.load(name, picture.dims));
      if (!s_.mask.empty()) append(group.mask, mask_of(name, picture.dims));
    }
    restore(group);
    report();
  }

 private:
  /// Takes step and seed from the note of `degrade`.
  void take_note(const std::string& folder) {
    note_ = load_note(folder);
    if (!note_) return;
    note_path_ = note_path(folder);
    check_note(folder, *note_, model_.method);
    const auto agrees = [&](const char* option, auto said, auto noted) {
      require(said == 0 || said == noted, option, [&] {
        return "found " + std::to_string(said) + ", " + note_path_ + " says " + std::to_string(noted);
      });
    };
    agrees("--step", s_.step, note_->step);
    agrees("--seed", s_.sampling.seed, note_->seed);
    step_ = note_->step;
    sampling_.seed = note_->seed;
  }

  void check_shape(const std::string& path, shape found) const {
    const shape image = model_.network.image();
    require(found.c == image.c, path.c_str(), [&] {
      return "found " + std::to_string(found.c) + " channels, the model is for " + std::to_string(image.c);
    });
    require(found == image || model_.method.entry->info().tiles, path.c_str(), [&] {
      return "found " + std::to_string(found.h) + " x " + std::to_string(found.w) +
             " pixels, the model is for " + std::to_string(image.h) + " x " + std::to_string(image.w) +
             ", and a part of a picture degraded by " + model_.method.name() +
             " is not this part degraded; by tiles go " + methods_with_tiles();
    });
  }

  /// 1 where the mask is brighter than half, in each channel.
  image_set mask_of(const std::string& name, shape image) const {
    image_set mask = masks_.load(name, {1, 1, image.h, image.w});
    for (float& pixel : mask.pixels) pixel = pixel > 0.5f ? 1.0f : 0.0f;
    const std::vector<float> plane = mask.pixels;
    while (mask.dims.c < image.c) {
      mask.pixels.insert(mask.pixels.end(), plane.begin(), plane.end());
      ++mask.dims.c;
    }
    return mask;
  }

  void restore(picture_group group) {
    const shape dims = group.degraded.dims;
    const key_sequence keys{sampling_.seed, stream::sampling, group.sample};
    if (count_ == 0) say_where(dims);
    std::vector<float> z = to_centred(group.degraded.pixels), known = z;
    int step = step_;
    if (!group.mask.pixels.empty()) {
      const labelled_images pixels = to_bytes(group.degraded);
      step = step_without(*method_, model_.method.steps, pixels, group.mask.pixels, keys);
      const labelled_images shown = filled(pixels, group.mask.pixels, 128);
      z = degraded(*method_, shown, step, keys);
      group.degraded = to_image_set(shown);
      std::printf("%s: from step %d of %d, at which what the mask misses is lost\n",
                  group.names.front().c_str(), step, model_.method.steps);
    }
    const auto keep_known = [&](std::vector<float>& pixels) {
      for (std::size_t i = 0; i < group.mask.pixels.size(); ++i) {
        if (group.mask.pixels[i] != 0) pixels[i] = known[i];
      }
    };
    image_set seen = group.degraded;
    for (float& pixel : seen.pixels) pixel = std::clamp(pixel, 0.0f, 1.0f);
    finish("degraded", group, seen);
    for (const std::string& way : ways_) {
      std::vector<float> pixels = z;
      const host_images images(tensor_view<float>(pixels.data(), dims));
      if (way == "direct") {
        network_->restore(host_images(tensor_view<float>(z.data(), dims)), step, images);
      } else {
        sampling_options options = sampling_;
        options.calls = std::min(options.calls, step);
        known_part kept;
        if (!group.mask.pixels.empty()) {
          kept = {tensor_view<const float>(known.data(), dims),
                  tensor_view<const float>(group.mask.pixels.data(), dims)};
        }
        network_->walk_back(images, step, keys, options, kept);
      }
      keep_known(pixels);
      finish(way, group, {dims, to_unit(pixels)});
    }
    if (!s_.clean.empty()) rows_.add("clean", group.clean);
    count_ += dims.n;
  }

  /// Writes, shows and scores what one way made of a group.
  void finish(const std::string& way, const picture_group& group, const image_set& images) {
    rows_.add(way, images);
    if (!s_.clean.empty()) near_[way].add(host_, images.view(), group.clean.view());
    if (way == "degraded") return;
    const std::string folder = ways_.size() > 1 ? s_.out + "/" + way : s_.out;
    for (index_t n = 0; n < images.dims.n; ++n)
      save_picture(folder, group.names[static_cast<std::size_t>(n)], unit_images(images.view().images(n, 1)));
  }

  /// The step, and where the keys come from.
  void say_where(shape image) const {
    if (!s_.mask.empty()) return;
    std::printf("%s, from step %d of %d", model_.method.name().c_str(), step_, model_.method.steps);
    if (note_) {
      std::printf(", as %s says", note_path_.c_str());
    } else if (is_random(*method_, image, step_)) {
      std::printf(
          "; the method draws at random and no degradation.json says how, so that the sampler takes its "
          "draws from "
          "seed %llu",
          static_cast<unsigned long long>(sampling_.seed));
    }
    std::printf("\n");
  }

  void report() const {
    std::vector<std::string> shown{"degraded"};
    shown.insert(shown.end(), ways_.begin(), ways_.end());
    nlohmann::ordered_json found{
        {"model", s_.model}, {"method", model_.method.name()}, {"in", s_.in},
        {"n", count_},       {"of", model_.method.steps},      {"seed", sampling_.seed}};
    if (s_.mask.empty()) found["step"] = step_;
    std::printf("%td pictures into %s\n", count_, s_.out.c_str());
    if (!s_.clean.empty()) {
      std::printf("%-10s %8s %8s %8s\n", "", "PSNR", "SSIM", "RMSE");
      for (const std::string& way : shown) {
        const fidelity& near = near_.at(way);
        std::printf("%-10s %8.2f %8.4f %8.4f\n", way.c_str(), near.psnr(), near.ssim(), near.rmse());
        found[way] = {{"psnr", near.psnr()}, {"ssim", near.ssim()}, {"rmse", near.rmse()}};
      }
      shown.push_back("clean");
    }
    if (!s_.json.empty()) write_file_atomically(s_.json, found.dump(2) + "\n");
    if (!s_.png.empty()) rows_.save(s_.png, shown);
  }

  const settings& s_;
  host_backend& host_;
  trained_model model_;
  std::unique_ptr<method_at_work> method_;
  std::unique_ptr<model_at_work> network_;
  sampling_options sampling_;
  int step_;
  pictures_by_name clean_, masks_;
  std::vector<std::string> ways_;
  std::optional<degradation_note> note_;
  std::string note_path_;
  picture_rows rows_;
  std::map<std::string, fidelity> near_;
  index_t count_ = 0;
};

void add_options(options& o, settings& s) {
  o.add("--model", s.model, "safetensors file, ours or the original project's").required();
  o.add("--kind", s.kind, "what the model is, where the file does not say: " + method_names());
  o.add("--in", s.in,
        "the degraded pictures: a folder, best one that degrade wrote, or a PNG, JPEG or .npy file; of "
        "another size than "
        "the model's for " +
            methods_with_tiles())
      .required();
  o.add_output_folder(
      "--out", s.out,
      "folder of the restored pictures, PNG of the same names; direct/ and sampled/ in it for both");
  o.add("--way", s.way, "direct: one call of the network; sampled: by the sampler; or both")
      .one_of({"direct", "sampled", "both"});
  o.add("--step", s.step, "the pictures are D(x, t) of this t; 0 for what degradation.json says, else T")
      .at_least_0();
  o.add("--mask", s.mask,
        "the pictures are clean where this picture is white, and unknown where it is black; a folder for one "
        "mask "
        "each");
  o.add("--clean", s.clean,
        "the clean pictures, a folder with the same names: measures how near the restored are");
  o.add_output("--json", s.json, "file for what is measured", {".json"});
  o.add_output("--png", s.png,
               "picture of the first 12 of one size: degraded, direct, sampled, and clean where given",
               {".png"});
  add_sampler_options(o, s.sampling);
  add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return run_on_machine<settings>(argc, argv, "restore",
                                  "Restores pictures that were degraded, by a model and without the clean "
                                  "pictures: in one call of the network, and "
                                  "by its sampler.",
                                  add_options,
                                  [](machine& m, const settings& s) { restoration(m, s).run(); });
}
