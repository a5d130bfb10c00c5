/// What `degrade` leaves beside its pictures, so that `restore` knows how they were made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/method.hpp"

namespace programs {

/// Picture files[i] is D(x, step) by key i of stream::sampling of the seed.
struct degradation_note {
  std::string method;
  method_settings settings;  // last_step is of training, and not in the file
  int step = 0;
  std::uint64_t seed = 0;
  std::vector<std::string> files;  // names of pictures

  /// Throws coldzoom::error for a picture that is not among the files.
  std::uint64_t sample_of(const std::string& name) const;
};

/// The file in that folder.
std::string note_path(const std::string& folder);

void save_note(const std::string& folder, const degradation_note& note);

/// None where the folder has no such file. Throws coldzoom::error for one that is damaged.
std::optional<degradation_note> load_note(const std::string& folder);

/// Throws coldzoom::error, blaming the file of the folder, where `method` is not the one of the note.
void check_note(const std::string& folder, const degradation_note& note, const model_method& method);

}  // namespace programs
