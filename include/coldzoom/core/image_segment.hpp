/// Images that are read at a time.
#pragma once

#include <coldzoom/core/config.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Some images that lie one after another in a source of them.
struct image_segment {
  std::vector<std::uint8_t> pixels;   // n x C x H x W
  std::vector<std::int32_t> labels;   // of each image; none where the source has no classes
  std::vector<std::string> faults{};  // what was wrong with images in whose place others stand
};

}  // namespace coldzoom::inline COLDZOOM_ISA
