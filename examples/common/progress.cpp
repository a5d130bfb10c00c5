#include "common/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace programs {

namespace {

/// "1:02:03" or "2:03".
std::string clock_time(double seconds) {
  const int s = static_cast<int>(std::lround(seconds));
  char text[32];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", s / 60, s % 60);
  }
  return text;
}

}  // namespace

progress_bar::progress_bar(std::string title, double total, std::string unit, double weight)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      weight_(weight),
      terminal_(isatty(STDERR_FILENO) != 0) {}

progress_bar::~progress_bar() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
}

double progress_bar::seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

void progress_bar::update(double done, const std::string& note) {
  const auto now = clock::now();
  if (!terminal_ || (now - shown_ < std::chrono::milliseconds(100) && done < total_)) return;
  shown_ = now;
  drawn_ = true;
  constexpr int width = 30;
  const int filled = static_cast<int>(width * std::min(1.0, done / total_));
  const double spent = seconds(), left = done > 0 ? spent * (total_ - done) / done : 0;
  const std::string bar = std::string(static_cast<std::size_t>(filled), '#') +
                          std::string(static_cast<std::size_t>(width - filled), '.');
  std::fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %.0f %s/s  %s left  %s", title_.c_str(), bar.c_str(),
               100 * done / total_, spent > 0 ? done * weight_ / spent : 0.0, unit_.c_str(),
               clock_time(left).c_str(), note.c_str());
  std::fflush(stderr);
}

}  // namespace programs
