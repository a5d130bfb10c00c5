/// What every program does alike: parse options, run, report errors in one sentence, stop cleanly on Ctrl-C.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <coldzoom/core/error.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

namespace programs {

/// Exit codes: 0 only on success, 1 for errors, 2 for a bad command line, 130 for Ctrl-C.
struct interrupted {};

inline std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

/// Throws `interrupted` if Ctrl-C was pressed. Called between batches; files already written stay whole.
inline void stop_if_requested() {
  if (stop_requested) throw interrupted{};
}

/// Parses the command line into the options that `app` has been given, then runs `body`.
template <class Body> int run(CLI::App& app, int argc, char** argv, Body&& body) {
  app.get_formatter()->column_width(34);
  app.option_defaults()->always_capture_default();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  std::signal(SIGINT, [](int) {
    stop_requested = true;
    std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends it at once
  });
  try {
    body();
    return 0;
  } catch (const interrupted&) {
    std::fprintf(stderr, "\ninterrupted\n");
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}

}  // namespace programs
