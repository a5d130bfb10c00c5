/// Writes real images spoilt in known ways, to see what the scores make of them.

#include <filesystem>

#include "common/controls.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string data = "embedded", out = "out/controls";
  index_t count = 10000;
};

void make_controls(const settings& s) {
  using namespace programs;
  const labelled_images train = load_data(s.data).train;
  std::error_code failure;
  std::filesystem::create_directories(s.out, failure);
  require(!failure, s.out.c_str(), [&] { return "cannot make this folder: " + failure.message(); });
  const auto save = [&](const char* name, const image_set& images) {
    const std::string path = s.out + "/" + name + ".npy";
    const shape& d = images.dims;
    save_npy(path, images.pixels,
             d.c == 1 ? std::vector<index_t>{d.n, d.h, d.w} : std::vector<index_t>{d.n, d.c, d.h, d.w});
    std::printf("%s: %td images\n", path.c_str(), d.n);
  };
  save("noise", with_noise(train, s.count, 0.1f));
  save("blur", with_blur(train, s.count));
  save("without_1", without_class(train, s.count, 1));
  save("repeated", repeated_images(train, 250, 10));
}

void add_options(CLI::App& app, settings& s) {
  app.add_option("--data", s.data, std::string(programs::data_help) + "; its training images are spoilt")
      ->capture_default_str();
  app.add_option("--count", s.count, "images in each file but repeated.npy")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--out", s.out, "folder of the files")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(
      argc, argv, "make_controls",
      "Writes training images spoilt in known ways, for evaluate: noise.npy (normal, standard deviation "
      "0.1), "
      "blur.npy (mean of 3 x 3 pixels), without_1.npy (no digit 1), repeated.npy (250 images ten times).",
      add_options, make_controls);
}
