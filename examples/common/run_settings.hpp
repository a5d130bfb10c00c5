/// What every training program can be told, and the data it thus trains on.
#pragma once

#include <cstdint>
#include <string>

#include "common/image_stream.hpp"
#include "common/options.hpp"
#include "common/picture_data.hpp"

namespace programs {

struct run_settings {
  std::string data = "embedded", out = "out/run";
  picture_policy pictures;
  machine_choice on;
  int epochs = 100;
  coldzoom::index_t batch_size = 128, limit = 0, warmup = 0;
  double learning_rate = 2e-4, ema = 0;
  std::uint64_t seed = 0;
  bool resume = false, smoke = false;
};
void add_run_options(options& o, run_settings& s);

/// Cuts a run down where it is but to show that everything works.
void apply_smoke(run_settings& s);

/// The images of a run. Throws coldzoom::error where they do not fill one batch.
data_sets load_run_data(const run_settings& s);

}  // namespace programs
