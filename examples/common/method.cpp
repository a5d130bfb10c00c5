#include "common/method.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/methods.hpp"
#include "common/table.hpp"

namespace programs {

namespace {

table<method_entry>& all() {
  static table<method_entry> entries = [] {
    table<method_entry> own;
    own.add(zoom_nearest_entry());
    own.add(zoom_bilinear_entry());
    own.add(zoom_frontier_entry());
    own.add(flow_entry());
    own.add(zoom_masked_entry());
    own.add(zoom_energy_entry());
    own.add(inpaint_entry());
    own.add(inpaint_frontier_entry());
    own.add(ddpm_linear_entry());
    own.add(ddpm_cosine_entry());
    own.add(ddpm_velocity_entry());
    own.add(ddpm_self_entry());
    own.add(edm_entry());
    for (auto family : {linear_entries, corruption_entries, picture_entries}) {
      for (std::unique_ptr<method_entry>& entry : family()) own.add(std::move(entry));
    }
    return own;
  }();
  return entries;
}

std::string option_of(const std::string& name) {
  std::string text = "--" + name;
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

}  // namespace

std::string spoken(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

std::string method_number::option() const { return option_of(name); }
std::string method_source::option() const { return option_of(name); }

std::string method_settings::source(const std::string& name) const {
  const auto found = sources.find(name);
  return found == sources.end() ? "" : found->second;
}

std::map<std::string, double> method_info::default_numbers() const {
  std::map<std::string, double> values;
  for (const method_number& number : numbers) values[number.name] = number.otherwise;
  return values;
}

method_entry::method_entry(method_info info, std::string target, std::vector<std::string> latents,
                           std::vector<sampler_info> samplers)
    : info_(std::move(info)),
      target_(std::move(target)),
      latents_(std::move(latents)),
      samplers_(std::move(samplers)) {
  if (info_.title.empty()) info_.title = info_.name;
  if (info_.original.steps == 0) info_.original = {info_.steps, info_.steps, info_.default_numbers()};
  if (info_.quick_sampler.empty()) info_.quick_sampler = samplers_.front().name;
}

const std::vector<const method_entry*>& methods() { return all().checked("kind"); }

std::string method_names() { return all().names(); }

const method_entry& find_method(const std::string& where, const std::string& name) {
  return all().find("kind", where, name);
}

method_registration::method_registration(std::unique_ptr<method_entry> entry) { all().add(std::move(entry)); }

std::vector<float> to_unit(const std::vector<float>& centred) {
  std::vector<float> unit(centred.size());
  std::transform(centred.begin(), centred.end(), unit.begin(), [](float v) {
    return std::clamp(coldzoom::convert_range<value_range, coldzoom::unit>(v), 0.0f, 1.0f);
  });
  return unit;
}

}  // namespace programs
