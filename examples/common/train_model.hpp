/// The training program of every method.
#pragma once

#include <string>
#include <vector>

#include "common/method_choice.hpp"
#include "common/model.hpp"
#include "common/run_settings.hpp"

namespace programs {

struct training_settings : run_settings, method_choice {
  std::string decay = "constant";
  int samples = 64;
  bool labels = false;
  run_options policies;  // of these loss, weighting, optimiser and their numbers
  network_choice network;
};

/// The options of a program that trains these methods, their own numbers among them.
void add_training_options(options& o, training_settings& s, const std::vector<const method_entry*>& trained);

/// Trains a network to undo the degradation of `method`, into the folder that the settings name: a
/// checkpoint, a line of the log and a grid of samples each epoch. Throws coldzoom::error for settings that
/// fit neither each other nor the data.
void train_model(machine& m, const model_method& method, training_settings s);

/// main of a program that is a short name for `train --method NAME`.
int train_one_method(int argc, char** argv, const char* program, const char* description, const char* method);

}  // namespace programs
