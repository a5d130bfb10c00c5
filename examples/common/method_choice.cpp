#include "common/method_choice.hpp"

#include <algorithm>
#include <coldzoom/core/error.hpp>

namespace programs {

using coldzoom::require;

void add_method_options(options& o, method_choice& choice, const std::vector<const method_entry*>& methods) {
  std::string defaults;
  std::map<std::string, std::string> numbers;  // help, by option
  for (const method_entry* method : methods) {
    const method_info& info = method->info();
    defaults += (defaults.empty() ? "" : ", ") + std::to_string(info.steps) + " (" + info.name + ")";
    for (const method_number& number : info.numbers) {
      std::string& help = numbers[number.name];
      help += (help.empty() ? number.help + ", 0 for the method's own: " : ", ") + spoken(number.otherwise) +
              " (" + info.name + ")";
    }
  }
  o.add("--steps", choice.steps, "T, 0 for the method's own: " + defaults).at_least_0();
  for (const auto& [name, help] : numbers)
    o.add(method_number{name, ""}.option(), choice.numbers[name], help).at_least_0();
  for (const method_entry* method : methods) {
    for (const method_source& source : method->info().sources)
      o.add(source.option(), choice.sources[source.name], source.help + " (" + method->name() + ")");
  }
}

bool method_choice::empty() const {
  const auto unset = [](const auto& named) { return named.second == decltype(named.second)(); };
  return steps == 0 && last_step == 0 && std::all_of(numbers.begin(), numbers.end(), unset) &&
         std::all_of(sources.begin(), sources.end(), unset);
}

model_method method_of(const std::string& name, const method_choice& choice) {
  const method_entry& entry = find_method("--method", name);
  model_method method{{choice.steps, choice.last_step, entry.info().default_numbers()}, &entry};
  if (method.steps == 0) method.steps = entry.info().steps;
  if (method.last_step == 0) method.last_step = method.steps;
  require(method.steps <= largest_steps, "--steps", [&] {
    return "found " + std::to_string(method.steps) + ", wanted 1 to " + std::to_string(largest_steps);
  });
  require(method.last_step <= method.steps, "--last-step", [&] {
    return "found " + std::to_string(method.last_step) + ", wanted at most the " +
           std::to_string(method.steps) + " steps";
  });
  for (const auto& given : choice.numbers) {
    const double value = given.second;
    if (value == 0) continue;
    const std::vector<method_number>& known = entry.info().numbers;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const method_number& n) { return n.name == given.first; });
    const std::string option = method_number{given.first, ""}.option();
    require(found != known.end(), option.c_str(), [&] { return "a " + name + " model has none"; });
    require(found->fits(value), option.c_str(), [&] {
      return "found " + spoken(value) + ", wanted a number between " + spoken(found->low) + " and " +
             spoken(found->high);
    });
    method.numbers[given.first] = value;
  }
  for (const auto& given : choice.sources) {
    if (given.second.empty()) continue;
    const std::vector<method_source>& known = entry.info().sources;
    const bool has = std::any_of(known.begin(), known.end(),
                                 [&](const method_source& source) { return source.name == given.first; });
    require(has, method_source{given.first, ""}.option().c_str(),
            [&] { return "a " + name + " model has none"; });
    method.sources[given.first] = given.second;
  }
  return method;
}

void check_steps(const model_method& method, coldzoom::shape image) {
  const int most = method.entry->most_steps(image);
  require(method.steps <= most, "--steps", [&] {
    return "found " + std::to_string(method.steps) + ", wanted 1 to " + std::to_string(most) +
           " for images of " + to_string(image);
  });
}

}  // namespace programs
