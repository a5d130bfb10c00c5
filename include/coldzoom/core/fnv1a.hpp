/// The hash of Fowler, Noll and Vo, FNV-1a of 64 bits.
#pragma once

#include <coldzoom/core/config.hpp>
#include <coldzoom/core/view.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace coldzoom::inline COLDZOOM_ISA {

/// A number for what was added, in order: not for secrets, but the same everywhere. Things that differ have other numbers but
/// for chance.
class fnv1a {
 public:
  void add(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001B3u; }
  void add(std::string_view text) {
    for (const char c : text) add(static_cast<std::uint8_t>(c));
  }
  /// As 8 bytes, the least first.
  void add_number(index_t number) {
    for (int shift = 0; shift < 64; shift += 8)
      add(static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> shift));
  }

  std::uint64_t value() const { return hash_; }
  /// 16 of them, hexadecimal.
  std::string digits() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325u;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
