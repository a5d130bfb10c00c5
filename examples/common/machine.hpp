/// Where a program computes. Three names say all of it:
///
/// - `host_backend` (host_backend.hpp) is the CPU's backend, by its type: for what stays in host memory;
/// - `machine` is the backend that the user chose, without its type: what programs are given and hand on;
/// - `on_backend` (on_backend.hpp) gives that backend by its type again, to templates. A build with CUDA
///   compiles the units that include it by nvcc.
#pragma once

#include <functional>
#include <string>
#include <typeinfo>

#include "common/host_backend.hpp"
#include "common/options.hpp"
#include "common/program.hpp"

namespace programs {

/// A backend without its type, and the CPU's. It refers to both, which must live as long.
class machine {
 public:
  template <class B>
  machine(B& b, host_backend& host)
      : type_(&typeid(B)),
        backend_(&b),
        host_(&host),
        description_(describe(b)) {}

  /// For what is computed in host memory whatever the choice: the metrics.
  host_backend& host() const { return *host_; }

  /// The backend if it is a `B`, null otherwise.
  template <class B> B* as() const { return *type_ == typeid(B) ? static_cast<B*>(backend_) : nullptr; }

  /// "8 threads", "8 threads, bf16" or "CUDA device 0".
  const std::string& description() const { return description_; }

 private:
  template <class B> static std::string describe(B& b) {
    if constexpr (requires { b.threads(); }) {
      const bool rounds = b.precision() == coldzoom::cpu_precision::bf16;
      return std::to_string(b.threads()) + (rounds ? " threads, bf16" : " threads");
    } else if constexpr (requires { b.device(); }) {
      return "CUDA device " + std::to_string(b.device());
    } else {
      return "host memory";
    }
  }

  const std::type_info* type_;
  void* backend_;
  host_backend* host_;
  std::string description_;
};

/// Calls work with the machine of that choice. Throws coldzoom::error for a device that is not there.
void on_machine(const machine_choice& choice, const std::function<void(machine&)>& work);

/// The main of a program whose settings have a machine_choice `on`: body(machine, settings). See `run`.
template <class Settings, class AddOptions, class Body>
int run_on_machine(int argc, char** argv, const char* name, const char* description, AddOptions&& add_options,
                   Body&& body) {
  return run<Settings>(argc, argv, name, description, add_options, [&](const Settings& settings) {
    on_machine(settings.on, [&](machine& m) { body(m, settings); });
  });
}

}  // namespace programs
