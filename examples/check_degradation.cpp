/// What a degradation of the table does to images: the laws, the information that is left, the sampler that fits, the cost.

#include <algorithm>
#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/data.hpp"
#include "common/degradation_check.hpp"
#include "common/method_choice.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;

struct settings : programs::method_choice {
  std::string method, data = "embedded", json;
  programs::picture_policy pictures;
  index_t limit = 900;
  programs::machine_choice on;
};

void print(const testing::degradation_report& report, const std::vector<testing::finding>& findings) {
  std::printf("%8s %10s %12s\n", "step", "distance", "recovered");
  for (const testing::degradation_step& step : report.steps)
    std::printf("%8d %10.4f %11.1f %%\n", step.t, step.distance, 100 * step.recovered);
  for (const testing::finding& f : findings) {
    const char* const names[] = {"good", "note", "FAULT"};
    std::printf("%-6s %s\n", names[static_cast<int>(f.what)], f.text.c_str());
  }
}

nlohmann::ordered_json json_of(const std::string& method, const testing::degradation_report& r,
                               const std::vector<testing::finding>& findings) {
  nlohmann::ordered_json all{{"method", method},
                             {"images", r.images.n},
                             {"T", r.total},
                             {"farthest_at_0", r.farthest_at_0},
                             {"finite", r.finite},
                             {"repeatable", r.repeatable},
                             {"independent", r.independent},
                             {"random", r.random},
                             {"below", r.below},
                             {"above", r.above},
                             {"microseconds", r.microseconds},
                             {"sampled", r.sampled}};
  for (const testing::degradation_step& step : r.steps)
    all["steps"].push_back({{"t", step.t}, {"distance", step.distance}, {"recovered", step.recovered}});
  for (const testing::finding& f : findings) all["findings"].push_back(f.text);
  return all;
}

void check(programs::machine& m, const settings& s) {
  using namespace programs;
  const model_method method = method_of(s.method, s);
  const labelled_images images = first_images(load_data(s.data, s.pictures).train, s.limit);
  check_steps(method, images.dims);
  require(method.entry->takes_channels(images.dims.c), "--method", [&] {
    return s.method + " does not take images of " + std::to_string(images.dims.c) + " channels";
  });
  std::printf("%s, T = %d, on %td images %s of %s, %s\n", method.name().c_str(), method.steps, images.dims.n,
              to_string(images.dims.with_n(1)).c_str(), s.data.c_str(), m.description().c_str());
  const testing::degradation_report report = examine(m, method, images);
  const std::vector<testing::finding> findings = testing::findings_of(report);
  print(report, findings);
  if (!s.json.empty()) write_file_atomically(s.json, json_of(s.method, report, findings).dump(2) + "\n");
  const bool sound = std::none_of(findings.begin(), findings.end(), [](const testing::finding& f) {
    return f.what == testing::finding::kind::fault;
  });
  require(sound, s.method.c_str(), "the degradation breaks a law; see FAULT above");
}

void add_options(programs::options& o, settings& s) {
  o.add("--method", s.method, "the degradation: " + programs::method_names()).required();
  programs::add_method_options(o, s, programs::methods());
  programs::add_data(o, s.data, s.pictures);
  o.add("--limit", s.limit, "training images that are looked at").range(30, 100000);
  o.add_output("--json", s.json, "file for the numbers and findings", {".json"});
  programs::add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "check_degradation",
      "Tells what a degradation does to images before anything is trained: whether it keeps the laws, what "
      "is left "
      "of the images at each step, which sampler fits, and what it costs.",
      add_options, check);
}
