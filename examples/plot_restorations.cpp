/// What models of several degradations bring back of the same images: a picture, and how near it comes.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common/data.hpp"
#include "common/image_set.hpp"
#include "common/model.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/restoration.hpp"
#include "common/sampling.hpp"

namespace {

using namespace coldzoom;
using programs::host_images;
using programs::image_set;

struct settings {
  std::vector<std::string> models;
  std::string data, out = "out/restorations.png";
  double share = 1;
  index_t images = 3, first = 0, limit = 200;
  std::uint64_t seed = 0;
  programs::machine_choice on;
};

/// Test images and what a model makes of them, each image_set of as many.
struct restoration {
  std::string title;
  image_set clean, degraded, direct, sampled;
};

restoration restore(programs::machine& m, const std::string& path, const settings& s) {
  using namespace programs;
  const trained_model model = load_model(path, "");
  const labelled_images images = first_images(load_data_for(model, s.data).images.test, s.limit);
  const int step = std::max(1, static_cast<int>(std::lround(s.share * model.method.steps)));
  const sampling_options sampling = resolved(model.method, {});
  const std::unique_ptr<method_at_work> method = model.method.on(m);
  const std::unique_ptr<model_at_work> network = method->run(model.network, model.parameters);
  const key_sequence keys{s.seed, stream::sampling, 0};
  const std::vector<float> z = degraded(*method, images, step, keys);
  std::vector<float> direct(z.size()), sampled = z, start = z;
  const auto view = [&](std::vector<float>& pixels) {
    return host_images(tensor_view<float>(pixels.data(), images.dims));
  };
  network->restore(view(start), step, view(direct));
  network->walk_back(view(sampled), step, keys, sampling, {});
  const auto set = [&](const std::vector<float>& pixels) { return image_set{images.dims, to_unit(pixels)}; };
  return {model.method.entry->info().title, to_image_set(images), set(z), set(direct), set(sampled)};
}

void plot(programs::machine& m, const settings& s) {
  using namespace programs;
  image_table table;
  table.x_label = "image, degraded, one call, sampled";
  std::printf("%-26s %9s %8s %8s %8s\n", "", "", "RMSE", "PSNR", "SSIM");
  for (const std::string& path : s.models) {
    const restoration r = restore(m, path, s);
    const shape image = r.clean.dims.with_n(1);
    require(s.first + s.images <= r.clean.dims.n, "--first", [&] {
      return "found " + std::to_string(s.first) + ", wanted at most " +
             std::to_string(r.clean.dims.n - s.images) + " of --limit " + std::to_string(r.clean.dims.n);
    });
    require(table.rows.empty() ||
                (table.height == image.h && table.width == image.w && table.channels == image.c),
            path.c_str(),
            [&] { return "found a model for images of " + to_string(image) + ", unlike those before it"; });
    table.height = image.h, table.width = image.w, table.channels = image.c;
    table.rows.push_back(r.title);
    for (index_t n = s.first; n < s.first + s.images; ++n) {
      for (const image_set* part : {&r.clean, &r.degraded, &r.direct, &r.sampled}) {
        const auto from = part->pixels.begin() + n * image.image();
        table.pixels.insert(table.pixels.end(), from, from + image.image());
      }
    }
    const auto print = [&](const std::string& label, const char* way, const image_set& part) {
      fidelity near;
      near.add(m.host(), part.view(), r.clean.view());
      std::printf("%-26s %9s %8.4f %8.2f %8.4f\n", label.c_str(), way, near.rmse(), near.psnr(), near.ssim());
    };
    print(r.title, "degraded", r.degraded);
    print("", "direct", r.direct);
    print("", "sampled", r.sampled);
  }
  table.columns.assign(static_cast<std::size_t>(4 * s.images), "");
  save_image_table(s.out, table);
  std::printf("%s\n", s.out.c_str());
}

void add_options(programs::options& o, settings& s) {
  o.add("--models", s.models, "model files, such as out/blur/model.safetensors,out/snow/model.safetensors")
      .required()
      .separated_by(',');
  o.add("--data", s.data,
        std::string("whose test images are restored: ") + programs::data_help +
            "; by default what each model was trained on");
  o.add("--share", s.share, "share of the steps that the images are degraded by").above_0().from_0_to_1();
  o.add("--images", s.images, "images in the picture").range(1, 20);
  o.add("--first", s.first, "the first of them").at_least_0();
  o.add("--limit", s.limit, "images for the scores").range(1, 100000);
  programs::add_seed(o, s.seed, "of random degradations");
  o.add_output("--out", s.out, "PNG or SVG file", {".png", ".svg"});
  programs::add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(argc, argv, "plot_restorations",
                                            "Degrades test images as each of several models knows it, "
                                            "restores them, and draws and scores the results.",
                                            add_options, plot);
}
