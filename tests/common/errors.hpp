/// What errors say.
#pragma once

#include <boost/test/unit_test.hpp>
#include <coldzoom/core/error.hpp>
#include <string>

/// What the `coldzoom::error` thrown by `action()` says, or "no error".
template <class Action> std::string message_of(Action&& action) {
  try {
    action();
  } catch (const coldzoom::error& failure) {
    return failure.what();
  }
  return "no error";
}

/// For BOOST_CHECK_EXCEPTION: whether the error holds these words.
inline auto says(const std::string& words) {
  return [words](const coldzoom::error& failure) {
    const bool found = std::string(failure.what()).find(words) != std::string::npos;
    if (!found) BOOST_TEST_MESSAGE(failure.what());
    return found;
  };
}
