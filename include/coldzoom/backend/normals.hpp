/// Normal random numbers for the elements of a batch of images.
#pragma once

#include <coldzoom/backend/device/block.hpp>
#include <coldzoom/core/random.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Normals that one index of a kernel draws: as many as the lanes of a CPU, or a block of random words for a thread.
template <class B> index_t normals_an_index() { return BlockBackend<B> ? 4 : normals_at_once; }

/// Index: [n][chunk of an image].
template <class F> struct draw_normals {
  key_sequence keys;
  shape dims;
  index_t chunk, chunks;
  F f;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / chunks, image = dims.image(), begin = i % chunks * chunk;
    const index_t count = begin + chunk < image ? chunk : image - begin;
    float normal[normals_at_once];
    fill_normals(keys[n], static_cast<std::uint64_t>(begin), count, normal);
    for (index_t done = 0; done < count;) {  // row by row
      const auto [first, c, y, x] = element_place::at(begin + done, dims);
      const index_t left = count - done, row = dims.w - x, length = row < left ? row : left;
      f(n, c, y, x, length, normal + done);
      done += length;
    }
  }
};

/// Normals for all elements of images of `dims`, part of a row after the other: f(n, c, y, x, length, e), e[j] =
/// random_normal(keys[n], (c H + y) W + x + j) for j < length. `f` is COLDZOOM_HD and trivially copyable. Cost: 4 to 8 ns an
/// element on a CPU.
template <class B, class F> void for_each_normal(B& b, key_sequence keys, const shape& dims, F f) {
  const index_t chunk = normals_an_index<B>(), chunks = (dims.image() + chunk - 1) / chunk;
  b.for_each_index(dims.n * chunks, draw_normals<F>{keys, dims, chunk, chunks, f}, 15 * chunk);
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
