/// Degrades pictures of the user by any method of the table, for `restore` and for eyes.

#include <cstdio>

#include "common/degradation_note.hpp"
#include "common/method_choice.hpp"
#include "common/model.hpp"
#include "common/picture_files.hpp"
#include "common/restoration.hpp"

namespace {

using namespace coldzoom;
using namespace programs;

struct settings : method_choice {
  std::string method, model, kind, in, out = "out/degraded";
  int step = 0;
  std::uint64_t seed = 0;
  bool npy = false;
  machine_choice on;
};

model_method method_of(const settings& s) {
  require(s.method.empty() != s.model.empty(), "--method",
          "wanted --method, or --model for the method of a model and its numbers");
  if (!s.method.empty()) return programs::method_of(s.method, s);
  require(s.empty(), "--model", "found options of a method beside it, which the model knows");
  return load_model(s.model, s.kind).method;
}

void degrade_pictures(machine& m, const settings& s) {
  const model_method method = method_of(s);
  const int step = s.step == 0 ? method.steps : s.step;
  require(step <= method.steps, "--step", [&] {
    return "found " + std::to_string(step) + ", wanted 1 to T = " + std::to_string(method.steps);
  });
  const std::vector<picture_of_user> pictures = find_pictures(s.in);
  folder_read(s.in, s.out);
  const std::unique_ptr<method_at_work> work = method.on(m);
  degradation_note note{method.name(), method, step, s.seed, {}};
  index_t outside = 0, all = 0;
  for (const picture_of_user& picture : pictures) {
    stop_if_requested();
    const labelled_images clean = load_bytes(picture);
    check_steps(method, clean.dims);
    const key_sequence keys{s.seed, stream::sampling, note.files.size()};
    image_set z{clean.dims, degraded(*work, clean, step, keys)};
    for (float& pixel : z.pixels) {
      pixel = convert_range<value_range, unit>(pixel);
      outside += pixel < 0 || pixel > 1;
    }
    all += clean.dims.size();
    save_picture(s.out, picture.name, z.view());
    if (s.npy) save_values(s.out, picture.name, z.view());
    note.files.push_back(picture.name);
  }
  save_note(s.out, note);
  std::printf("%zu pictures at step %d of %d of %s, seed %llu, into %s\n", pictures.size(), step,
              method.steps, method.name().c_str(), static_cast<unsigned long long>(s.seed), s.out.c_str());
  if (outside > 0) {
    std::printf("%.1f %% of the values lie outside [0, 1] and are clipped in the PNG pictures%s\n",
                100 * static_cast<double>(outside) / static_cast<double>(all),
                s.npy ? "; the .npy files hold them" : "; --npy keeps them");
  }
}

void add_options(options& o, settings& s) {
  o.add("--method", s.method, "what to do to the pictures: " + method_names());
  o.add("--model", s.model, "in its place, a model file: its method with its numbers");
  o.add("--kind", s.kind, "what the model is, where the file does not say");
  o.add("--in", s.in, "a folder of PNG and JPEG pictures, or one of them").required();
  o.add_output_folder("--out", s.out,
                      "folder of the degraded pictures, PNG of the same names, and degradation.json");
  o.add("--step", s.step, "the pictures become D(x, t) of this t; 0 for T").at_least_0();
  o.add_flag("--npy", s.npy, "beside each PNG an .npy file of the same values, neither rounded nor clipped");
  add_method_options(o, s, methods());
  add_seed(o, s.seed, "of the draws of random methods; picture i depends on the seed and i");
  add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return run_on_machine<settings>(argc, argv, "degrade",
                                  "Degrades pictures by a method of the table, or by that of a model.",
                                  add_options, degrade_pictures);
}
