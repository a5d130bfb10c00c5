#include "common/tar_data.hpp"

#include <algorithm>
#include <coldzoom/io/tar_pictures.hpp>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

namespace programs {

namespace {

using namespace coldzoom;

class tar_stream final : public image_stream {
 public:
  explicit tar_stream(tar_pictures pictures) : pictures_(std::move(pictures)) {}
  shape dims() const override { return pictures_.dims(); }
  index_t classes() const override { return pictures_.classes(); }
  index_t segments() const override { return pictures_.segments(); }
  image_segment read(index_t k) const override { return pictures_.read(k); }
  std::string fingerprint() const override { return pictures_.fingerprint(); }

 private:
  tar_pictures pictures_;
};

/// The first images, as many as fit the memory that programs take for them. Bad pictures among them are added to `faults`.
labelled_images first_of(const tar_pictures& source, std::vector<std::string>& faults) {
  constexpr index_t most_images = 10000, most_bytes = index_t{64} << 20;
  const shape all = source.dims();
  labelled_images images{
      all.with_n(std::clamp<index_t>(most_bytes / all.image(), 1, std::min(most_images, all.n))), {}, {}};
  for (index_t k = 0; static_cast<index_t>(images.pixels.size()) < images.dims.size(); ++k) {
    const image_segment segment = source.read(k);
    images.pixels.insert(images.pixels.end(), segment.pixels.begin(), segment.pixels.end());
    images.labels.insert(images.labels.end(), segment.labels.begin(), segment.labels.end());
    faults.insert(faults.end(), segment.faults.begin(), segment.faults.end());
  }
  images.pixels.resize(static_cast<std::size_t>(images.dims.size()));
  images.labels.resize(static_cast<std::size_t>(images.dims.n));  // zeros where there are none
  return images;
}

std::vector<std::string> tars_of(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::string> found;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(path, failure)) {
    if (entry.path().extension() == ".tar") found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

bool holds_tars(const std::string& path) {
  return path.ends_with(".tar") || (std::filesystem::is_directory(path) && !tars_of(path).empty());
}

data_sets load_tars(const std::string& path, const picture_policy& policy, index_t limit) {
  const std::vector<std::string> all = tars_of(path);
  std::vector<std::string> training, tests;
  for (const std::string& tar : all) {
    const std::string name = tar.substr(tar.rfind('/') + 1);
    if (name.starts_with("train")) training.push_back(tar);
    if (name.starts_with("test") || name.starts_with("val")) tests.push_back(tar);
  }
  const bool apart = !training.empty() && !tests.empty();
  const shape size = parse_image_size(policy.size);
  tar_options options{size.h,          size.w,
                      policy.channels, apart ? picture_split::all : picture_split::train,
                      limit,           policy.strict};
  tar_pictures train(apart ? training : all, options);
  options.split = apart ? picture_split::all : picture_split::test;
  options.height = train.dims().h;
  options.width = train.dims().w;
  options.channels = train.dims().c;
  options.classes = train.class_names();
  const tar_pictures test(apart ? tests : all, options);
  require(train.classes() <= 256, path.c_str(),
          [&] { return "found " + std::to_string(train.classes()) + " classes, wanted at most 256"; });
  say_classes(train.class_names());
  std::fprintf(stderr, "%s: %td training pictures as a stream\n", path.c_str(), train.dims().n);
  std::vector<std::string> of_training, of_tests;  // training tells its own
  data_sets sets{{first_of(train, of_training), first_of(test, of_tests), path}, nullptr};
  constexpr std::size_t named = 10;
  for (std::size_t i = 0; i < std::min(named, of_tests.size()); ++i)
    std::fprintf(stderr, "another picture stands in for: %s\n", of_tests[i].c_str());
  sets.stream = std::make_shared<tar_stream>(std::move(train));
  return sets;
}

}  // namespace programs
