#include "common/file_metadata.hpp"

#include <coldzoom/core/error.hpp>
#include <cstdlib>

namespace programs {

std::string file_metadata::text(const char* key) const {
  const auto at = strings_.find(key);
  return at == strings_.end() ? std::string() : at->second;
}

void file_metadata::expect(const char* key, const std::string& wanted) const {
  const std::string found = text(key);
  coldzoom::require(found.empty() || found == wanted, source_.c_str(), [&] {
    return "found " + std::string(key) + " '" + found + "', wanted '" + wanted + "'";
  });
}

int file_metadata::number(const char* key, int low, int high, int otherwise) const {
  const std::string found = text(key);
  if (found.empty()) return otherwise;
  char* end = nullptr;
  const long value = std::strtol(found.c_str(), &end, 10);
  coldzoom::require(*end == '\0' && value >= low && value <= high, source_.c_str(), [&] {
    return "found " + std::string(key) + " '" + found + "', wanted " + std::to_string(low) + " to " +
           std::to_string(high);
  });
  return static_cast<int>(value);
}

std::optional<std::array<std::uint64_t, 256>> file_metadata::counts(const char* key) const {
  const std::string list = text(key);
  if (list.empty()) return std::nullopt;
  std::array<std::uint64_t, 256> counts{};
  std::size_t bin = 0;
  const char* at = list.c_str();
  for (char* end = nullptr; bin < 256; ++bin, at = end + 1) {
    counts[bin] = std::strtoull(at, &end, 10);
    if (end == at || *end != (bin < 255 ? ',' : '\0')) break;
  }
  coldzoom::require(bin == 256, source_.c_str(),
                    [&] { return std::string(key) + " is no list of 256 counts"; });
  return counts;
}

}  // namespace programs
