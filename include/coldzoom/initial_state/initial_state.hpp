/// The concept of an initial state: the images that sampling starts from.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// l.draw(b, keys, out) fills out[i] with a fully degraded image drawn from keys[i] alone, so that sample i
/// is the same in every batch. `range` is its value range.
template <class L, class B>
concept InitialState = Backend<B> && ValueRange<typename L::range> &&
    requires(const L l, B& b, key_sequence keys,
             image_batch<typename L::range, float, typename B::space> out) {
  l.draw(b, keys, out);
};

}  // namespace coldzoom::inline COLDZOOM_ISA
