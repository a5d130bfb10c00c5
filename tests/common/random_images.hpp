/// Images for tests.
#pragma once

#include <cmath>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/core/view.hpp>
#include <vector>

/// Dense images in host memory, range `centred`.
struct host_images {
  using batch = coldzoom::image_batch<coldzoom::centred, float>;
  using const_batch = coldzoom::image_batch<coldzoom::centred, const float>;

  coldzoom::shape dims;
  std::vector<float> pixels;

  explicit host_images(coldzoom::shape d) : dims(d), pixels(static_cast<std::size_t>(d.size())) {}

  batch view() { return batch(coldzoom::tensor_view<float>(pixels.data(), dims)); }
  const_batch view() const { return const_batch(coldzoom::tensor_view<const float>(pixels.data(), dims)); }
  friend bool operator==(const host_images&, const host_images&) = default;
};

/// Pixels uniform in [-0.5, 0.5).
inline host_images random_images(coldzoom::shape dims, std::uint64_t seed) {
  host_images images(dims);
  std::uint64_t i = 0;
  for (float& pixel : images.pixels) pixel = coldzoom::random_uniform({seed}, i++) - 0.5f;
  return images;
}

/// What the sum of squares of `degrees` independent standard normals exceeds with a probability below e^-20,
/// 2 in 10^9 (Laurent and Massart 2000, lemma 1).
inline double chi_square_bound(double degrees) { return degrees + 2 * std::sqrt(20 * degrees) + 40; }

/// Pearson's sum over bins with something expected in them.
template <class Counts> double chi_square(const Counts& found, const std::vector<double>& expected) {
  double total = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const double off = static_cast<double>(found[k]) - expected[k];
    if (expected[k] > 0) total += off * off / expected[k];
  }
  return total;
}
