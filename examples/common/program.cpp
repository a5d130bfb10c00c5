#include "common/program.hpp"

#include <atomic>
#include <coldzoom/core/error.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <system_error>

namespace programs {

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

void stop_if_requested() {
  if (stop_requested) throw interrupted{};
}

void make_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  coldzoom::require(!failure && std::filesystem::is_directory(path), path.c_str(),
                    [&] { return "cannot make this folder: " + failure.message(); });
}

int run(int argc, char** argv, const char* name, const char* description,
        const std::function<void(options&)>& declare, const std::function<void()>& work) {
  try {
    if (const auto code = parse_options(argc, argv, name, description, declare)) return *code;
    std::signal(SIGINT, [](int) {
      stop_requested = true;
      std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends it at once
    });
    work();
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
