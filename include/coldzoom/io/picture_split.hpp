/// Which pictures are for training and which for tests, where nobody says.
#pragma once

#include <coldzoom/core/config.hpp>
#include <coldzoom/core/fnv1a.hpp>
#include <string_view>

namespace coldzoom::inline COLDZOOM_ISA {

enum class picture_split { all, train, test };

/// One name in ten, by its FNV-1a hash: a picture stays in its split whatever others come and go. `name` is the path below the
/// folder or in the archive; a leading "./" does not count.
inline bool in_test_split(std::string_view name) {
  if (name.starts_with("./")) name.remove_prefix(2);
  fnv1a hash;
  hash.add(name);
  return (hash.value() >> 32) % 10 == 0;
}

inline bool belongs_to(picture_split split, std::string_view name) {
  return split == picture_split::all || in_test_split(name) == (split == picture_split::test);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
