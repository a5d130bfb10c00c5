/// Arrays and pictures as files: writes gradient.npy, gradient.png and gradient.safetensors, and reads them again.
#include <coldzoom/core/error.hpp>
#include <coldzoom/io/npy.hpp>
#include <coldzoom/io/png.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <cstdio>

using namespace coldzoom;

int main() {
  std::vector<float> pixels;
  for (index_t i = 0; i < 4 * 32 * 32; ++i) pixels.push_back(static_cast<float>(i % 1024) / 1023);
  save_npy("gradient.npy", pixels, {4, 32, 32});
  const npy_array<float> images = load_npy<float>("gradient.npy");
  std::printf("gradient.npy holds %zu values of rank %zu\n", images.data.size(), images.shape.size());

  save_png("gradient.png", image_grid(tensor_view<const float>(images.data.data(), {4, 1, 32, 32}), 2, 4, 1));
  const picture grid = load_png("gradient.png");
  std::printf("gradient.png is %td x %td\n", grid.height, grid.width);

  safetensors_file file;
  file.metadata["made_by"] = "files";
  file.add("pixels", {4, 32, 32}, pixels);
  save_safetensors("gradient.safetensors", file);
  try {
    load_safetensors("gradient.safetensors").values<float>("weights");
  } catch (const error& e) {
    std::printf("an array that is not there: %s\n", e.what());
  }
}
