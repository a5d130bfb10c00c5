/// The options of a program. They are CLI11's, which options.cpp alone includes: a program that did would
/// compile ten seconds longer.
#pragma once

#include <coldzoom/core/view.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace programs {

/// What else there is to say about an option. Values that break a rule end the program with a sentence.
class option {
 public:
  option(CLI::App& app, CLI::Option& held) : app_(&app), held_(&held) {}

  option& required();
  /// Whole numbers low .. high.
  option& range(coldzoom::index_t low, coldzoom::index_t high);
  option& at_least_0();
  option& above_0();
  option& finite_above_0();
  option& finite_from_1();
  option& from_0_to_1();
  option& from_0_to_below_1();
  option& one_of(const std::vector<std::string>& values);
  /// Of a list.
  option& separated_by(char mark);
  /// `other` is the name of an option declared before.
  option& needs(const std::string& other);
  option& excludes(const std::string& other);
  /// For defaults that would tell a reader of --help nothing.
  option& hide_default();
  /// The value may be left out; `given` says whether the option stood there at all.
  option& optional_value(bool& given);

 private:
  CLI::App* app_;
  CLI::Option* held_;
};

/// Declares options; `value` holds the default, which --help shows unless it is empty, and outlives the
/// parsing.
class options {
 public:
  explicit options(CLI::App& app) : app_(&app) {}

  /// Value: std::string (not of an output), int, index_t, double, std::uint64_t, or a std::vector of std::string, int or
  /// index_t.
  template <class Value> option add(const std::string& name, Value& value, const std::string& help);
  /// A flag, false by default; "!--no-something" is true by default, and made false.
  void add_flag(const std::string& name, bool& value, const std::string& help);
  /// A file that the program writes, of one of these endings if there are any; an empty default stands for none.
  /// check_outputs tries it.
  option add_output(const std::string& name, std::string& value, const std::string& help,
                    std::vector<std::string> endings = {});
  /// A folder that the program makes and writes files into.
  option add_output_folder(const std::string& name, std::string& value, const std::string& help);

  /// What can be said of outputs before hours of work: each can be made, is a file or a folder as it should be, ends as its
  /// kind does, and is neither another output nor a file that another option names. Throws coldzoom::error.
  void check_outputs() const;

 private:
  struct output {
    CLI::Option* held;
    const std::string* path;
    std::vector<std::string> endings;
    bool folder;
  };

  /// Throws coldzoom::error where another option names the same.
  void require_apart(const output& out) const;
  /// Nothing can be tried of files in folders that the program makes.
  bool in_output_folder(const std::string& path) const;

  CLI::App* app_;
  std::vector<output> outputs_;
};

/// Lets `declare` declare the options and reads the command line. Where the program ends with that, because
/// of --help or of a mistake, returns its exit code, 0 or 2; what there is to say has been printed.
std::optional<int> parse_options(int argc, char** argv, const char* name, const char* description,
                                 const std::function<void(options&)>& declare);

/// Where a program runs.
struct machine_choice {
  std::string name = "cpu";
  int threads = 0;  // of the CPU's, 0 for all CPUs
  std::string precision = "float32";
};

/// Options that several programs have. Of these: --threads, --precision, and --backend in a build that has more
/// than one.
void add_machine(options& o, machine_choice& on);
void add_seed(options& o, std::uint64_t& seed, const std::string& help = "of everything random");
void add_limit(options& o, coldzoom::index_t& limit, const std::string& of = "images of each split");

}  // namespace programs
