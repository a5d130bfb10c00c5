/// What every program does alike: parse options, run, report errors in one sentence, stop cleanly on Ctrl-C.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <cmath>
#include <coldzoom/core/error.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace programs {

/// Exit codes: 0 only on success, 1 for errors, 2 for a bad command line, 130 for Ctrl-C.
struct interrupted {};

inline std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

/// Throws `interrupted` if Ctrl-C was pressed. Called between batches; files already written stay whole.
inline void stop_if_requested() {
  if (stop_requested) throw interrupted{};
}

/// Checks of option values for CLI11.
// CLI11's own range checks let NaN pass.
inline std::string finite_above_zero(const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  return std::isfinite(value) && value > 0 ? "" : "Value " + text + " is not a finite number above 0";
}
inline std::string decay_below_one(const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  return value >= 0 && value < 1 ? "" : "Value " + text + " is not a number from 0 to below 1";
}
inline std::string from_0_to_1(const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  return value >= 0 && value <= 1 ? "" : "Value " + text + " is not a number from 0 to 1";
}

/// All digits of a number, so that settings that differ at all are told apart.
inline std::string exact(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

/// The whole main of a program: add_options(app, settings) declares them, body(settings) does the work.
/// Nothing is thrown out of it.
template <class Settings, class AddOptions, class Body>
int run(int argc, char** argv, const char* name, const char* description, AddOptions&& add_options,
        Body&& body) {
  try {
    Settings settings;
    CLI::App app(description, name);
    app.get_formatter()->column_width(34);
    add_options(app, settings);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return app.exit(e) == 0 ? 0 : 2;
    }
    std::signal(SIGINT, [](int) {
      stop_requested = true;
      std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends it at once
    });
    body(settings);
    return 0;
  } catch (const interrupted&) {
    std::fputs("\ninterrupted\n", stderr);
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
  } catch (...) {
    std::fputs("error: unknown\n", stderr);
  }
  return 1;
}

}  // namespace programs
