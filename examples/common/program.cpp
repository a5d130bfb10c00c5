#include "common/program.hpp"

#include <atomic>
#include <cerrno>
#include <coldzoom/core/error.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "common/ranks.hpp"

namespace programs {

namespace {

std::atomic<int> stop_requested{0};  // the signal
static_assert(std::atomic<int>::is_always_lock_free);

/// The first one stops the program at the next batch, the second one of its kind at once. One that the caller ignores, as
/// nohup does, stays ignored.
void stop_on(int signal) {
  const auto before = std::signal(signal, [](int received) {
    stop_requested = received;
    std::signal(received, SIG_DFL);
  });
  if (before == SIG_IGN) std::signal(signal, SIG_IGN);
}

/// Throws coldzoom::error where not all that was printed could be written.
void flush_output() {
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0;
  coldzoom::require(written && std::ferror(stdout) == 0 && std::cout.good(), "standard output",
                    [] { return std::string("cannot write: ") + std::strerror(errno); });
}

}  // namespace

void stop_if_requested() {
  if (stop_requested != 0) throw interrupted{};
}

void make_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  coldzoom::require(!failure && std::filesystem::is_directory(path), path.c_str(),
                    [&] { return "cannot make this folder: " + failure.message(); });
}

namespace {

int exit_code(int argc, char** argv, const char* name, const char* description,
              const std::function<void(options&)>& declare, const std::function<void()>& work) {
  try {
    if (const auto code = parse_options(argc, argv, name, description, declare)) {
      flush_output();
      return *code;
    }
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) stop_on(signal);
    work();
    flush_output();
    return 0;
  } catch (const interrupted&) {
    const int signal = stop_requested;
    std::fprintf(error_output(), "\ninterrupted by %s\n",
                 signal == SIGINT    ? "Ctrl-C"
                 : signal == SIGTERM ? "SIGTERM"
                                     : "SIGHUP");
    return 128 + signal;
  } catch (const std::exception& e) {
    std::fprintf(error_output(), "error: %s\n", e.what());
  } catch (...) {
    std::fputs("error: unknown\n", error_output());
  }
  return 1;
}

}  // namespace

int run(int argc, char** argv, const char* name, const char* description,
        const std::function<void(options&)>& declare, const std::function<void()>& work) {
  const int code = exit_code(argc, argv, name, description, declare, work);
  leave_ranks(code);
  return code;
}

}  // namespace programs
