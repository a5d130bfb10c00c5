/// The training program of every kind of model.
#pragma once

#include <string>
#include <vector>

#include "common/model.hpp"
#include "common/run_settings.hpp"

namespace programs {

struct training_settings : run_settings {
  std::string decay = "constant";
  int steps = 0, samples = 64;
  std::vector<coldzoom::index_t> widths{16, 32, 32, 16};
};
void add_training_options(options& o, training_settings& s);

/// Trains the reconstructor to undo the degradation of `method`, into the folder that the settings name: a
/// checkpoint, a line of the log and a grid of samples each epoch. Throws coldzoom::error for settings that
/// fit neither each other nor the data.
void train_model(const model_method& method, training_settings s);

/// The same for a zoom of this kind, in `s.steps` steps or in the original's.
void train_zoom(const char* kind, const training_settings& s);

/// trainer::test_loss of a trained model, each image at `draws` steps.
double test_loss(const trained_model& model, const coldzoom::labelled_images& images, coldzoom::index_t draws,
                 const backend_choice& on);

}  // namespace programs
