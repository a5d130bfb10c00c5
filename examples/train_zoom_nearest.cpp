/// Trains Cold Zoom Diffusion, nearest interpolation, by one of three recipes.

#include <algorithm>

#include "common/train_model.hpp"

namespace {

using programs::training_settings;

/// A method and the settings that go with it.
struct recipe {
  const char* name;
  const char* method;
  void (*apply)(training_settings&);
};

/// Settings of a soft frontier in front of a U-Net that knows the labels; docs/quality.md has their scores.
void take_frontier(training_settings& s) {
  s.network.name = "unet";
  s.labels = true;
  s.batch_size = 32;
  s.learning_rate = 2e-3;
  s.decay = "cosine";
  s.warmup = 200;
  s.policies.clip_norm = 1;
}

const recipe recipes[] = {
    {"original", "zoom_nearest", [](training_settings&) {}},
    {"small", "zoom_frontier",
     [](training_settings& s) {
       take_frontier(s);
       s.network.lists = {{"widths", {16, 32, 64}}, {"bottom-blocks", {1}}};
       s.learning_rate = 3e-3;
       s.epochs = 15;
       s.ema = 0.998;
     }},
    {"best", "zoom_frontier",
     [](training_settings& s) {
       take_frontier(s);
       s.network.lists = {{"widths", {16, 48, 96}}, {"bottom-blocks", {3}}};
       s.epochs = 16;
       s.ema = 0.9995;
     }},
};

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const recipe& r : recipes) names.emplace_back(r.name);
  return names;
}

/// The one that the command line names; it must be known before the other options, whose defaults it sets.
const recipe& chosen_recipe(int argc, char** argv) {
  std::string name = recipes[0].name;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i], stem = "--recipe=";
    if (argument == "--recipe" && i + 1 < argc) name = argv[i + 1];
    if (argument.rfind(stem, 0) == 0) name = argument.substr(stem.size());
  }
  const auto found =
      std::find_if(std::begin(recipes), std::end(recipes), [&](const recipe& r) { return r.name == name; });
  return found == std::end(recipes) ? recipes[0] : *found;  // the parser complains of another name
}

struct settings : training_settings {
  std::string recipe;
};

}  // namespace

int main(int argc, char** argv) {
  const recipe& chosen = chosen_recipe(argc, argv);
  return programs::run_on_machine<settings>(
      argc, argv, "train_zoom_nearest",
      "Trains Cold Zoom Diffusion with nearest interpolation: its reconstructor as in the original project, "
      "or "
      "a U-Net behind a soft frontier. Short for train --method zoom_nearest, or zoom_frontier.",
      [&](programs::options& o, settings& s) {
        s.recipe = chosen.name;
        chosen.apply(s);
        o.add("--recipe", s.recipe,
              "original: x0 from D(x0, t), zoomed in by t = 1 .. T, as the original project; best: a soft "
              "frontier, a U-Net and labels; small: the same with a third of the parameters, for minutes. It "
              "sets the defaults below")
            .one_of(recipe_names());
        add_training_options(o, s, {&programs::find_method("", chosen.method)});
      },
      [&](programs::machine& m, const settings& s) {
        programs::train_model(m, programs::method_of(chosen.method, s), s);
      });
}
