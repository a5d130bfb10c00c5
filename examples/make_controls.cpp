/// Writes real images spoilt in known ways, to see what the scores make of them.

#include <cstdio>

#include "common/controls.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string data = "embedded", out = "out/controls";
  programs::picture_policy pictures;
  index_t count = 10000;
};

void make_controls(const settings& s) {
  using namespace programs;
  const labelled_images train = load_data(s.data, s.pictures).train;
  make_folder(s.out);
  const auto save = [&](const char* name, const image_set& images) {
    const std::string path = s.out + "/" + name + ".npy";
    save_samples(path, images);
    std::printf("%s: %td images\n", path.c_str(), images.dims.n);
  };
  save("noise", with_noise(train, s.count, 0.1f));
  save("blur", with_blur(train, s.count));
  save("without_1", without_class(train, s.count, 1));
  save("repeated", repeated_images(train, 250, 10));
}

void add_options(programs::options& o, settings& s) {
  add_data(o, s.data, s.pictures, std::string(programs::data_help) + "; its training images are spoilt");
  o.add("--count", s.count, "images in each file but repeated.npy").above_0();
  o.add_output_folder("--out", s.out, "folder of the files");
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
