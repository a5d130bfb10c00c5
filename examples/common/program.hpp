/// What every program does alike: parse options, run, report errors in one sentence, stop cleanly on a signal.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/options.hpp"

namespace programs {

/// Thrown on Ctrl-C, SIGTERM and SIGHUP.
struct interrupted {};

/// Throws `interrupted` if such a signal came. Called between batches; files already written stay whole.
void stop_if_requested();

/// Makes a folder and those above it, where they are absent. Throws coldzoom::error where it cannot.
void make_folder(const std::string& path);

/// The whole main of a program: `declare` its options, then `work`. Nothing is thrown out of it.
/// Exit codes: 0 only on success, for which all that was printed must have been written; 1 for errors, 2 for a bad command
/// line, 128 + the signal where one stopped the program.
int run(int argc, char** argv, const char* name, const char* description,
        const std::function<void(options&)>& declare, const std::function<void()>& work);

/// The same with the settings between the two: add_options(options, settings), then body(settings).
template <class Settings, class AddOptions, class Body>
int run(int argc, char** argv, const char* name, const char* description, AddOptions&& add_options,
        Body&& body) {
  std::optional<Settings> settings;
  return run(
      argc, argv, name, description, [&](options& o) { add_options(o, settings.emplace()); },
      [&] { body(*settings); });
}

}  // namespace programs
