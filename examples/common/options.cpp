#include "common/options.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>
#include <type_traits>
#include <utility>

namespace programs {

namespace {

/// A check of numbers that is false for NaN, which CLI11's own let pass.
template <class Fits> CLI::Validator number_check(const std::string& wanted, Fits fits) {
  return CLI::Validator(
      [=](std::string& text) {
        return fits(std::strtod(text.c_str(), nullptr)) ? "" : "found " + text + ", wanted " + wanted;
      },
      "");
}

/// Takes numbers as people write them, decimal, which CLI11 reads as C does: 010 as 8, 0x10 as 16, and what is too large for
/// its type as something else.
template <class Number> CLI::Validator decimal() {
  return CLI::Validator(
      [](std::string& text) {
        const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
        if constexpr (std::is_floating_point_v<Number>) {
          const bool hexadecimal = text.find_first_of("xXpP", sign) != std::string::npos;
          return hexadecimal ? "found " + text + ", wanted a decimal number" : std::string();
        } else {
          if (text.size() == sign || text.find_first_not_of("0123456789", sign) != std::string::npos)
            return "found " + text + ", wanted a whole number";
          const std::size_t first = std::min(text.find_first_not_of('0', sign), text.size() - 1);
          text = (text[0] == '-' ? "-" : "") + text.substr(first);
          Number number{};
          const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
          if (failure == std::errc() && end == text.data() + text.size()) return std::string();
          return "found " + text + ", wanted " + std::to_string(std::numeric_limits<Number>::min()) + " to " +
                 std::to_string(std::numeric_limits<Number>::max());
        }
      },
      "");
}

/// Whether both name one file or folder, which need not exist.
bool same_path(const std::string& one, const std::string& two) {
  if (one.empty() || two.empty()) return false;
  std::error_code none;
  if (std::filesystem::equivalent(one, two, none)) return true;
  const auto canonical = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, none), none);
  };
  return canonical(one) == canonical(two);
}

/// Throws coldzoom::error unless files can be written into this folder, or it can be made.
void require_folder(const std::string& name, const std::string& path) {
  std::error_code none;
  std::filesystem::path there = std::filesystem::absolute(path, none);
  while (there.has_relative_path() && !std::filesystem::exists(there, none)) there = there.parent_path();
  coldzoom::require(std::filesystem::is_directory(there, none), name.c_str(), [&] {
    return "found '" + path + "', wanted a folder, but " + there.string() + " is a file";
  });
  coldzoom::require(::access(there.c_str(), W_OK | X_OK) == 0, name.c_str(), [&] {
    return "found '" + path + "', but cannot write into " + there.string() + ": " + std::strerror(errno);
  });
}

template <class Value> struct number_of { using type = Value; };
template <class Value> struct number_of<std::vector<Value>> { using type = Value; };

}  // namespace

option& option::required() {
  held_->required();
  return *this;
}
option& option::range(coldzoom::index_t low, coldzoom::index_t high) {
  held_->check(number_check(
      "a number from " + std::to_string(low) + " to " + std::to_string(high),
      [=](double v) { return v >= static_cast<double>(low) && v <= static_cast<double>(high); }));
  return *this;
}
option& option::at_least_0() {
  held_->check(number_check("a number of at least 0", [](double v) { return v >= 0; }));
  return *this;
}
option& option::above_0() {
  held_->check(number_check("a number above 0", [](double v) { return v > 0; }));
  return *this;
}
option& option::finite_above_0() {
  held_->check(number_check("a finite number above 0", [](double v) { return std::isfinite(v) && v > 0; }));
  return *this;
}
option& option::finite_from_1() {
  held_->check(
      number_check("a finite number of at least 1", [](double v) { return std::isfinite(v) && v >= 1; }));
  return *this;
}
option& option::from_0_to_1() {
  held_->check(number_check("a number from 0 to 1", [](double v) { return v >= 0 && v <= 1; }));
  return *this;
}
option& option::from_0_to_below_1() {
  held_->check(number_check("a number from 0 to below 1", [](double v) { return v >= 0 && v < 1; }));
  return *this;
}
option& option::one_of(const std::vector<std::string>& values) {
  held_->check(CLI::IsMember(values));
  return *this;
}
option& option::separated_by(char mark) {
  held_->delimiter(mark);
  return *this;
}
option& option::needs(const std::string& other) {
  held_->needs(app_->get_option(other));
  return *this;
}
option& option::excludes(const std::string& other) {
  held_->excludes(app_->get_option(other));
  return *this;
}
option& option::hide_default() {
  held_->default_str("");
  return *this;
}
option& option::optional_value(bool& given) {
  held_->expected(0, 1);
  app_->callback([held = held_, &given] { given = held->count() > 0; });
  return *this;
}

template <class Value> option options::add(const std::string& name, Value& value, const std::string& help) {
  CLI::Option* held = nullptr;
  try {
    held = app_->add_option(name, value, help);
  } catch (const CLI::OptionAlreadyAdded&) {
    throw coldzoom::error(name,
                          "this program has an option of that name already; "
                          "give the method's number or the network's option another name");
  }
  using number = typename number_of<Value>::type;
  if constexpr (std::is_arithmetic_v<number>) held->transform(decimal<number>());
  bool shown = true;
  if constexpr (!std::is_arithmetic_v<Value>) shown = !value.empty();
  if (shown) held->capture_default_str();
  return {*app_, *held};
}
template option options::add(const std::string&, std::string&, const std::string&);
template option options::add(const std::string&, int&, const std::string&);
template option options::add(const std::string&, coldzoom::index_t&, const std::string&);
template option options::add(const std::string&, double&, const std::string&);
template option options::add(const std::string&, std::uint64_t&, const std::string&);
template option options::add(const std::string&, std::vector<std::string>&, const std::string&);
template option options::add(const std::string&, std::vector<int>&, const std::string&);
template option options::add(const std::string&, std::vector<coldzoom::index_t>&, const std::string&);

void options::add_flag(const std::string& name, bool& value, const std::string& help) {
  app_->add_flag(name, value, help);
}

option options::add_output(const std::string& name, std::string& value, const std::string& help,
                           std::vector<std::string> endings) {
  const option added = add(name, value, help);
  outputs_.push_back({app_->get_option(name), &value, std::move(endings), false});
  return added;
}
option options::add_output_folder(const std::string& name, std::string& value, const std::string& help) {
  const option added = add(name, value, help);
  outputs_.push_back({app_->get_option(name), &value, {}, true});
  return added;
}

void options::check_outputs() const {
  for (const output& out : outputs_) {
    const std::string name = out.held->get_name(), &path = *out.path;
    if (path.empty()) {
      coldzoom::require(out.held->count() == 0 || out.held->get_expected_min() == 0, name.c_str(),
                        "found an empty name; leave the option out for the default");
      continue;
    }
    require_apart(out);
    if (out.folder) {
      require_folder(name, path);
      continue;
    }
    const auto fits = [&](const std::string& ending) { return path.ends_with(ending); };
    coldzoom::require(out.endings.empty() || std::any_of(out.endings.begin(), out.endings.end(), fits),
                      name.c_str(), [&] {
                        std::string wanted;
                        for (const std::string& ending : out.endings)
                          wanted += (wanted.empty() ? "" : " or ") + ending;
                        return "found '" + path + "', wanted a name that ends in " + wanted;
                      });
    if (in_output_folder(path)) continue;
    // Makes the file that would take the target's place, and removes it.
    const coldzoom::atomic_file trial(path);
  }
}

void options::require_apart(const output& out) const {
  const auto refuse_same = [&](const std::string& other, const CLI::Option* of, const char* so) {
    coldzoom::require(!same_path(*out.path, other), out.held->get_name().c_str(), [&] {
      return "found '" + *out.path + "', which is " + of->get_name() + so + "; give it a name of its own";
    });
  };
  const auto is_output = [&](const CLI::Option* held) {
    return std::any_of(outputs_.begin(), outputs_.end(), [&](const output& o) { return o.held == held; });
  };
  for (const output& other : outputs_) {
    if (other.held != out.held) refuse_same(*other.path, other.held, ", too");
  }
  if (out.folder)
    return;  // one that files are read from, too, is no loss; programs that mind look for themselves
  for (const CLI::Option* other : app_->get_options()) {
    if (is_output(other)) continue;
    for (const std::string& value : other->results()) refuse_same(value, other, " and would be lost");
  }
}

bool options::in_output_folder(const std::string& path) const {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return std::any_of(outputs_.begin(), outputs_.end(), [&](const output& out) {
    return out.folder && !out.path->empty() && same_path(*out.path, folder.string());
  });
}

std::optional<int> parse_options(int argc, char** argv, const char* name, const char* description,
                                 const std::function<void(options&)>& declare) {
  CLI::App app(description, name);
  app.get_formatter()->column_width(34);
  options declared(app);
  declare(declared);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  declared.check_outputs();
  return std::nullopt;
}

void add_machine(options& o, machine_choice& on) {
  o.add("--threads", on.threads, "0 for all CPUs; no effect on results").range(0, 1024);
  std::vector<std::string> precisions{"float32", "bf16"};
#if defined(COLDZOOM_PROGRAMS_CUDA)
  o.add("--backend", on.name, "cpu, or cuda: the first device that CUDA_VISIBLE_DEVICES names")
      .one_of({"cpu", "cuda"});
  precisions.emplace_back("tf32");
#endif
  o.add("--precision", on.precision,
        "of the factors in products: float32, bf16 on CPUs with a matrix unit, tf32 on devices")
      .one_of(precisions);
}
void add_seed(options& o, std::uint64_t& seed, const std::string& help) {
  o.add("--seed", seed, help).at_least_0();
}
void add_limit(options& o, coldzoom::index_t& limit, const std::string& of) {
  o.add("--limit", limit, "use the first N " + of + ", 0 for all").at_least_0();
}

}  // namespace programs
