#include "common/picture_data.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/io/load_picture.hpp>
#include <coldzoom/io/npy.hpp>
#include <coldzoom/io/picture_split.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "common/data.hpp"

namespace programs {

namespace {

using namespace coldzoom;

std::string spoken_size(index_t height, index_t width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

void report_bad(const std::string& data, const std::vector<std::string>& faults, bool strict) {
  std::vector<std::string> bad;
  std::copy_if(faults.begin(), faults.end(), std::back_inserter(bad),
               [](const std::string& fault) { return !fault.empty(); });
  if (bad.empty()) return;
  require(!strict, "--strict", bad.front());
  require(2 * bad.size() <= faults.size(), data.c_str(), [&] {
    return "found " + std::to_string(bad.size()) + " bad pictures of " + std::to_string(faults.size()) +
           ", more than half; the first: " + bad.front();
  });
  constexpr std::size_t named = 10;
  for (std::size_t i = 0; i < std::min(named, bad.size()); ++i)
    std::fprintf(stderr, "left out: %s\n", bad[i].c_str());
  if (bad.size() > named) std::fprintf(stderr, "left out: %zu more\n", bad.size() - named);
}

/// "photos" of "data/photos/".
std::string last_part(const std::string& path) {
  const std::string whole = path.substr(0, path.find_last_not_of('/') + 1);
  return whole.substr(whole.rfind('/') + 1);
}

/// The size of all pictures, and the most channels that one has. Throws for several sizes, and no picture.
shape common_shape(const std::string& data, const std::vector<picture>& pictures) {
  shape common{};
  std::map<std::pair<index_t, index_t>, index_t> sizes;
  for (const picture& p : pictures) {
    if (p.pixels.empty()) continue;
    common = {1, std::max(common.c, p.channels), p.height, p.width};
    ++sizes[{p.height, p.width}];
  }
  require(!sizes.empty(), data.c_str(), "found no picture");
  if (sizes.size() == 1) return common;
  std::vector<std::pair<index_t, std::string>> frequent;
  frequent.reserve(sizes.size());
  for (const auto& [size, count] : sizes) frequent.emplace_back(-count, spoken_size(size.first, size.second));
  std::sort(frequent.begin(), frequent.end());
  constexpr std::size_t named = 3;
  std::string found;
  for (std::size_t i = 0; i < std::min(named, frequent.size()); ++i)
    found += (i > 0 ? ", " : "") + frequent[i].second + " (" + std::to_string(-frequent[i].first) + ")";
  throw error(data, "found pictures of " + std::to_string(sizes.size()) + " sizes: " + found +
                        (frequent.size() > named ? ", ..." : "") +
                        "; wanted one, or --image-size, to which they are cropped and resized");
}

void add_files(picture_list& list, const std::string& folder, const picture_folder& found,
               const std::vector<std::string>& classes, std::optional<bool> test) {
  for (const picture_file& file : found.files) {
    index_t label = 0;
    if (!found.classes.empty()) {
      const std::string& name = found.classes[static_cast<std::size_t>(file.label)];
      const auto at = std::lower_bound(classes.begin(), classes.end(), name);
      require(at != classes.end() && *at == name, folder.c_str(), [&] {
        return "found pictures of the class " + name + ", which the training pictures have not";
      });
      label = at - classes.begin();
    }
    const std::string name = file.path.substr(folder.size() + 1);
    list.entries.push_back({file.path, label, test.value_or(in_test_split(name))});
  }
}

/// An array of images, read one by one.
template <class T> class image_array {
 public:
  explicit image_array(const std::string& path) : path_(path), file_(path) {
    const std::vector<index_t>& s = file_.shape();
    const auto few = [](index_t channels) { return channels == 1 || channels == 3; };
    const bool first = s.size() == 4 && few(s[1]), last = s.size() == 4 && few(s[3]);
    const bool clear = s.size() == 3 || first != last;
    require(clear && std::find(s.begin(), s.end(), 0) == s.end(), path.c_str(), [&] {
      return "found shape " + to_string(s) +
             (first && last ? ", of which 1 or 3 channels may stand at either end" : "") +
             ", wanted N x H x W, N x C x H x W or N x H x W x C with 1 or 3 channels, none of them 0";
    });
    planes_ = !last;
    image_ = last    ? shape{s[0], s[3], s[1], s[2]}
             : first ? shape{s[0], s[1], s[2], s[3]}
                     : shape{s[0], 1, s[1], s[2]};
  }

  index_t count() const { return image_.n; }

  picture read(index_t i) const {
    std::vector<T> row(static_cast<std::size_t>(image_.image()));
    file_.read(i, 1, row.data());
    std::vector<std::uint8_t> bytes;
    if constexpr (std::is_same_v<T, float>) {
      for (const float value : row) {
        require(value >= 0 && value <= 1, path_.c_str(), [&] {
          return "found " + std::to_string(value) + " in image " + std::to_string(i) + ", wanted [0, 1]";
        });
        bytes.push_back(static_cast<std::uint8_t>(std::lround(value * 255)));
      }
    } else {
      bytes = std::move(row);
    }
    if (planes_) return from_planes(image_, bytes.data());
    return {image_.h, image_.w, image_.c, std::move(bytes)};
  }

 private:
  std::string path_;
  npy_reader<T> file_;
  shape image_{};
  bool planes_ = true;  // channels before rows
};

template <class T> std::vector<index_t> numbers_of(const std::string& path) {
  const npy_array<T> array = load_npy<T>(path);
  return {array.data.begin(), array.data.end()};
}

std::vector<index_t> load_labels(const std::string& path, index_t wanted) {
  const std::string type = npy_dtype_of(path);
  std::vector<index_t> labels = type == "<i8"   ? numbers_of<std::int64_t>(path)
                                : type == "<i4" ? numbers_of<std::int32_t>(path)
                                                : numbers_of<std::uint8_t>(path);
  require(static_cast<index_t>(labels.size()) == wanted, path.c_str(), [&] {
    return "found " + std::to_string(labels.size()) + " labels, wanted " + std::to_string(wanted) +
           ", one for each image";
  });
  return labels;
}

/// Adds the images of a file to the list.
template <class Belongs> void add_array(picture_list& list, const std::string& path, const Belongs& is_test) {
  const auto add = [&](const auto& array) {
    const std::string labels_path = path.substr(0, path.size() - 4) + "-labels.npy";
    std::vector<index_t> labels(static_cast<std::size_t>(array->count()));
    if (file_exists(labels_path)) labels = load_labels(labels_path, array->count());
    const std::size_t before = list.entries.size();
    for (index_t i = 0; i < array->count(); ++i) {
      list.entries.push_back(
          {path + ", image " + std::to_string(i), labels[static_cast<std::size_t>(i)], is_test(i)});
    }
    list.read = [before, array, others = std::move(list.read)](std::size_t i) {
      return i < before ? others(i) : array->read(static_cast<index_t>(i - before));
    };
  };
  const std::string type = npy_dtype_of(path);
  require(type == "|u1" || type == "<f4", path.c_str(), [&] {
    return "found elements of type '" + type + "', wanted uint8 ('|u1') or float32 ('<f4') in [0, 1]";
  });
  if (type == "|u1")
    add(std::make_shared<const image_array<std::uint8_t>>(path));
  else
    add(std::make_shared<const image_array<float>>(path));
}

}  // namespace

void say_classes(const std::vector<std::string>& classes) {
  constexpr std::size_t named = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(named, classes.size()); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(i) + " " + classes[i];
  if (classes.size() > named) text += ", ... " + std::to_string(classes.size() - 1) + " " + classes.back();
  if (!classes.empty()) std::fprintf(stderr, "labels: %s\n", text.c_str());
}

picture_policy images_of(shape image) {
  return {.size = std::to_string(image.h) + "x" + std::to_string(image.w), .channels = image.c};
}

shape parse_image_size(const std::string& text) {
  index_t sides[2] = {0, 0};
  const char *at = text.data(), *end = at + text.size();
  bool good = true;
  for (index_t& side : sides) {
    const auto [rest, failure] = std::from_chars(at, end, side);
    good = good && failure == std::errc() && side > 0 && side <= 65536;
    if (&side == sides && rest == end) sides[1] = side;  // of a square
    if (rest == end) {
      at = end;
      break;
    }
    good = good && *rest == 'x' && &side == sides;
    at = rest + 1;
  }
  require(text.empty() || (good && sides[1] > 0), "--image-size",
          [&] { return "found '" + text + "', wanted a side such as 32, or HxW such as 28x40, to 65536"; });
  return {1, 1, sides[0], sides[1]};
}

split_pair gather_pictures(const std::string& data, picture_list list, const picture_policy& policy) {
  const shape wanted = parse_image_size(policy.size);
  const std::size_t count = list.entries.size();
  const auto is_test = [](const picture_list::entry& entry) { return entry.test; };
  // Of a few pictures the rule may take none.
  if (count > 1 && std::none_of(list.entries.begin(), list.entries.end(), is_test))
    list.entries.back().test = true;

  std::vector<picture> pictures(count);
  std::vector<std::string> faults(count);
  std::atomic<index_t> fitted = 0;
  thread_pool pool;
  pool.run(static_cast<index_t>(count), [&](index_t task, int) {
    const auto i = static_cast<std::size_t>(task);
    try {
      picture p = list.read(i);
      if (wanted.h > 0 && (p.height != wanted.h || p.width != wanted.w)) {
        p = resized(centre_cropped(p, wanted.h, wanted.w), wanted.h, wanted.w);
        ++fitted;
      }
      pictures[i] = std::move(p);
    } catch (const error& failure) {
      faults[i] = failure.what();
    }
  });
  report_bad(data, faults, policy.strict);
  const shape image = common_shape(data, pictures);
  const index_t channels = policy.channels > 0 ? policy.channels : image.c;

  split_pair sets;
  index_t recoloured = 0;
  for (std::size_t i = 0; i < count; ++i) {
    picture p = std::exchange(pictures[i], {});
    if (p.pixels.empty()) continue;
    const picture_list::entry& entry = list.entries[i];
    require(entry.label >= 0 && entry.label < 256, entry.name.c_str(),
            [&] { return "found label " + std::to_string(entry.label) + ", wanted 0 to 255"; });
    recoloured += p.channels != channels ? 1 : 0;
    const std::vector<std::uint8_t> planes = to_planes(with_channels(std::move(p), channels));
    labelled_images& set = entry.test ? sets.test : sets.train;
    set.pixels.insert(set.pixels.end(), planes.begin(), planes.end());
    set.labels.push_back(static_cast<std::uint8_t>(entry.label));
  }
  for (labelled_images* set : {&sets.train, &sets.test}) {
    require(!set->labels.empty(), data.c_str(), [&] {
      return std::string("found no picture for ") + (set == &sets.train ? "training" : "tests") +
             ", wanted one at least";
    });
    set->dims = {static_cast<index_t>(set->labels.size()), channels, image.h, image.w};
  }
  if (fitted > 0) {
    std::fprintf(stderr, "%s: %td of %zu pictures cropped about the centre and resized to %s\n", data.c_str(),
                 fitted.load(), count, spoken_size(image.h, image.w).c_str());
  }
  if (recoloured > 0) {
    std::fprintf(stderr, "%s: %td of %zu pictures made %s\n", data.c_str(), recoloured, count,
                 channels == 1 ? "grey, by the luma of Rec. 601" : "RGB out of grey");
  }
  sets.name = last_part(data);
  return sets;
}

split_pair brought_to(const std::string& name, const picture_policy& policy, split_pair data) {
  const shape found = data.train.dims, wanted = parse_image_size(policy.size);
  const bool sized = wanted.h == 0 || (wanted.h == found.h && wanted.w == found.w);
  if (sized && (policy.channels == 0 || policy.channels == found.c)) return data;
  picture_list list;
  for (const bool test : {false, true}) {
    for (const std::uint8_t label : (test ? data.test : data.train).labels)
      list.entries.push_back({name, label, test});
  }
  list.read = [&data](std::size_t i) {
    const std::size_t training = data.train.labels.size();
    const labelled_images& set = i < training ? data.train : data.test;
    return from_planes(set.dims, set.pixels.data() + static_cast<index_t>(i < training ? i : i - training) *
                                                         set.dims.image());
  };
  split_pair sets = gather_pictures(name, std::move(list), policy);
  sets.name = data.name;
  return sets;
}

bool holds_idx_files(const std::string& folder) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().filename().string().starts_with("train-images")) return true;
  }
  return false;
}

split_pair load_picture_folder(const std::string& folder, const picture_policy& policy) {
  picture_list list;
  const auto is_folder = [](const std::string& path) { return std::filesystem::is_directory(path); };
  require(is_folder(folder), folder.c_str(),
          [] { return std::string("found no such folder; --data takes ") + data_help; });
  const std::string train = folder + "/train";
  std::string test;
  for (const char* name : {"/valid", "/val", "/test"}) test = is_folder(folder + name) ? folder + name : test;
  if (is_folder(train) && !test.empty()) {
    const picture_folder found = list_pictures(train);
    say_classes(found.classes);
    add_files(list, train, found, found.classes, false);
    add_files(list, test, list_pictures(test), found.classes, true);
  } else {
    const picture_folder found = list_pictures(folder);
    say_classes(found.classes);
    add_files(list, folder, found, found.classes, std::nullopt);
  }
  std::vector<std::string> paths;
  for (const picture_list::entry& entry : list.entries) paths.push_back(entry.name);
  list.read = [paths](std::size_t i) { return load_picture(paths[i]); };
  return gather_pictures(folder, std::move(list), policy);
}

split_pair load_array(const std::string& path, const picture_policy& policy) {
  picture_list list;
  add_array(list, path, [](index_t i) { return i % 10 == 9; });
  return gather_pictures(path, std::move(list), policy);
}

split_pair load_array_folder(const std::string& folder, const picture_policy& policy) {
  picture_list list;
  add_array(list, folder + "/train.npy", [](index_t) { return false; });
  add_array(list, folder + "/test.npy", [](index_t) { return true; });
  return gather_pictures(folder, std::move(list), policy);
}

}  // namespace programs
