/// The one exception type of the library.
#pragma once

#include <coldzoom/core/config.hpp>
#include <stdexcept>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

/// Thrown by public functions for bad arguments, bad files and failed operations. `what()` is one sentence:
/// the function or file, the value found, and the value wanted.
class error : public std::runtime_error {
 public:
  error(const std::string& where, const std::string& what) : std::runtime_error(where + ": " + what) {}
};

namespace detail {
/// Apart from `require`, and cold: texts are built for size, which halves the time that they take to compile.
template <class Message>
[[noreturn, gnu::noinline, gnu::cold]] void throw_error(const char* where, const Message& message) {
  if constexpr (requires { message(); }) {
    throw error(where, message());
  } else {
    throw error(where, message);
  }
}
}  // namespace detail

/// Throws `error` unless `ok`. The message is built only on failure when passed as a callable returning
/// string.
template <class Message> inline void require(bool ok, const char* where, const Message& message) {
  if (!ok) detail::throw_error(where, message);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
