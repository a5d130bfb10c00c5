#include "common/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
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

/// Whether stderr is a terminal that can draw a line again.
bool draws_again() {
  const char* const kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string(kind) != "dumb";
}

/// Of the terminal as it is now; 80 where it does not say.
std::size_t columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// The line of a progress bar, of fewer than `columns` characters: title, bar, `share` done, numbers, note. What there is no
/// room for is left out.
std::string progress_line(const std::string& title, double share, const std::string& numbers,
                          const std::string& note, std::size_t columns) {
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f %%", 100 * share);
  // The bar gives way first, then the note, then the numbers. The last column stays free: terminals wrap behind it.
  const std::size_t room = std::max<std::size_t>(columns, 2) - 1, most = 30, least = 8;
  std::string text = title + " " + percent + "  " + numbers + (note.empty() ? "" : "  " + note);
  if (text.size() > room) text = title + " " + percent + "  " + numbers;
  if (text.size() > room) text = title + " " + percent;
  if (text.size() > room) text = text.substr(0, room);
  const std::size_t left = room - text.size();
  if (left < least + 3) return text;
  const std::size_t width = std::min(most, left - 3),
                    filled = static_cast<std::size_t>(static_cast<double>(width) * std::min(1.0, share));
  return title + " [" + std::string(filled, '#') + std::string(width - filled, '.') + "]" +
         text.substr(title.size());
}

}  // namespace

progress_bar::progress_bar(std::string title, double total, std::string unit, double weight)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      weight_(weight),
      terminal_(draws_again()) {}

progress_bar::~progress_bar() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
}

double progress_bar::seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

void progress_bar::update(double done, const std::string& note) {
  const auto now = clock::now();
  if (!terminal_ || (now - shown_ < std::chrono::milliseconds(100) && done < total_)) return;
  shown_ = now;
  drawn_ = true;
  const double spent = seconds(), left = done > 0 ? spent * (total_ - done) / done : 0;
  char rate[40];
  std::snprintf(rate, sizeof rate, "%.0f ", spent > 0 ? done * weight_ / spent : 0.0);
  const std::string numbers = rate + unit_ + "/s  " + clock_time(left) + " left";
  std::fprintf(stderr, "\r\033[K%s", progress_line(title_, done / total_, numbers, note, columns()).c_str());
  std::fflush(stderr);
}

}  // namespace programs
