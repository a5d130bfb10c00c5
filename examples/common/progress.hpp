/// A progress bar with rate and time left. No Debian package has one that is header-only, so it is ours.
#pragma once

#include <chrono>
#include <string>

namespace programs {

/// Draws on stderr, at most ten times a second, and only on a terminal that can draw a line again; as wide as it is.
class progress_bar {
 public:
  /// `total` steps of work; `unit` names what one `weight` of a step counts, such as images.
  progress_bar(std::string title, double total, std::string unit, double weight = 1);
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  /// Since the bar was made.
  double seconds() const;
  void update(double done, const std::string& note = {});

 private:
  using clock = std::chrono::steady_clock;
  std::string title_, unit_;
  double total_, weight_;
  bool terminal_, drawn_ = false;
  clock::time_point start_ = clock::now(), shown_{};
};

}  // namespace programs
