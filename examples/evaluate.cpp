/// Scores samples against real digits.

#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/data.hpp"
#include "common/program.hpp"
#include "common/scores.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string samples, data = "embedded", reference = "test", classifier, json;
  programs::picture_policy pictures;
  bool print_json = false, smoke = false;
  index_t count = 0;
  std::vector<index_t> classes;
  programs::machine_choice on;
};

void print(const nlohmann::ordered_json& scores) {
  for (const auto& [name, value] : scores.items()) {
    std::string text;
    if (value.is_array()) {
      for (const auto& part : value) {
        char number[32];
        if (part.is_number()) std::snprintf(number, sizeof number, "%.4g", part.get<double>());
        text += (text.empty()       ? ""
                 : part.is_number() ? " "
                                    : "; ") +
                (part.is_number() ? std::string(number) : part.get<std::string>());
      }
    } else if (value.is_number_float()) {
      char number[32];
      std::snprintf(number, sizeof number, "%.5g", value.get<double>());
      text = number;
    } else {
      text = value.is_string() ? value.get<std::string>() : value.dump();
    }
    std::printf("%-26s %s\n", name.c_str(), text.c_str());
  }
}

void evaluate(programs::machine& m, const settings& s) {
  using namespace programs;
  const classifier_model model = load_classifier(s.classifier);
  const split_pair data = load_data(s.data, s.pictures);
  const index_t count = s.smoke ? scorer::fewest : s.count;
  const bool real = s.samples == "train" || s.samples == "test";
  // Before the reference is worked through, so that bad input is told at once.
  const image_source samples = real ? source_of(s.samples == "train" ? data.train : data.test, count)
                                    : open_samples(s.samples, model.network.image(), count);
  scorer score(m, model, s.data, data, s.reference);
  nlohmann::ordered_json scores = score.score(samples, s.classes);
  if (!s.json.empty()) write_file_atomically(s.json, scores.dump(2) + "\n");
  if (s.print_json && s.json.empty()) {
    std::printf("%s\n", scores.dump(2).c_str());
  } else {
    print(scores);
  }
}

void add_options(programs::options& o, settings& s) {
  o.add("--samples", s.samples,
        "N x H x W or N x C x H x W float32 in [0, 1] (.npy); or train or test: real images of that split of "
        "--data, which set the floor")
      .required();
  add_data(o, s.data, s.pictures,
           std::string(programs::data_help) + "; scores against embedded and full data cannot be compared");
  o.add("--reference", s.reference,
        "split of --data that the samples are compared with. Choices are made against train (its first "
        "images, as "
        "many as test has), so that test has not seen them")
      .one_of({"test", "train"});
  o.add("--class", s.classes,
        "the classes that the samples were asked to show, in turn, as --class of sample; adds the share in "
        "which the "
        "classifier reads the class asked for")
      .separated_by(',')
      .range(0, 255);
  o.add_output("--json", s.json, "print one JSON object, or write it to this file", {".json"})
      .optional_value(s.print_json);
  o.add("--count", s.count, "score the first N samples, 0 for all").at_least_0();
  programs::add_classifier(o, s.classifier);
  programs::add_machine(o, s.on);
  o.add_flag("--smoke", s.smoke, "score as few samples as can be: shows that everything works, in seconds");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "evaluate",
      "Scores samples against real images of a data set: how far their distribution is from it (Frechet, "
      "KID), how real and how varied they are (precision, recall, density, coverage), which digits they "
      "show, "
      "and whether they repeat each other or the training images.",
      add_options, evaluate);
}
