/// A method and its numbers as options of a program.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/method.hpp"
#include "common/options.hpp"

namespace programs {

/// What the user says of a method; 0 for its own.
struct method_choice {
  int steps = 0, last_step = 0;
  std::map<std::string, double> numbers;
  std::map<std::string, std::string> sources;  // empty for none

  /// Whether the user left all to the method.
  bool empty() const;
};

/// --steps, and the numbers and sources of these methods.
void add_method_options(options& o, method_choice& choice, const std::vector<const method_entry*>& methods);

/// The method with the numbers that the user gave, those of the table where they are 0. Throws
/// coldzoom::error for numbers that do not fit.
model_method method_of(const std::string& name, const method_choice& choice);

/// Throws coldzoom::error where such images do not have that many steps.
void check_steps(const model_method& method, coldzoom::shape image);

}  // namespace programs
