#define BOOST_TEST_MODULE linear_maps
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/degradation/averages.hpp>
#include <coldzoom/degradation/blur.hpp>
#include <coldzoom/degradation/kspace_mask.hpp>
#include <coldzoom/degradation/smooth_zoom.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <complex>

#include "common/degraded_values.hpp"

namespace cz = coldzoom;
using cz::index_t;
using cz::picture_edge;

namespace {

constexpr double pi = 3.14159265358979323846;
// Of sums of some ten products of numbers below 1/2, twice, in float.
constexpr double rounding = 1e-6;

/// The place of a pixel behind an edge.
index_t folded(picture_edge edge, index_t place, index_t extent) {
  if (edge == picture_edge::periodic) return (place % extent + extent) % extent;
  const index_t in_two = (place % (2 * extent) + 2 * extent) % (2 * extent);
  return in_two < extent ? in_two : 2 * extent - 1 - in_two;
}

/// One line of a picture after a kernel, from the definition.
std::vector<double> filtered(const std::vector<double>& line, const std::vector<double>& kernel,
                             picture_edge edge) {
  const auto extent = static_cast<index_t>(line.size());
  const auto radius = static_cast<index_t>(kernel.size() / 2);
  std::vector<double> out(line.size());
  for (index_t i = 0; i < extent; ++i) {
    for (index_t j = -radius; j <= radius; ++j) {
      out[static_cast<std::size_t>(i)] += kernel[static_cast<std::size_t>(j + radius)] *
                                          line[static_cast<std::size_t>(folded(edge, i + j, extent))];
    }
  }
  return out;
}

/// line(values) for all columns, then for all rows, of one image.
template <class Line>
std::vector<double> by_lines(const std::vector<float>& x0, const cz::shape& dims, index_t n, index_t c,
                             const Line& line) {
  std::vector<double> image(static_cast<std::size_t>(dims.pixels()));
  for (index_t x = 0; x < dims.w; ++x) {
    std::vector<double> column;
    for (index_t y = 0; y < dims.h; ++y) column.push_back(element(x0, dims, n, c, y, x));
    column = line(cz::image_axis::y, column);
    for (index_t y = 0; y < dims.h; ++y)
      image[static_cast<std::size_t>(y * dims.w + x)] = column[static_cast<std::size_t>(y)];
  }
  for (index_t y = 0; y < dims.h; ++y) {
    const auto first = image.begin() + y * dims.w;
    const std::vector<double> row = line(cz::image_axis::x, std::vector<double>(first, first + dims.w));
    std::copy(row.begin(), row.end(), first);
  }
  return image;
}

/// Compares D with line after line of it, on pictures of two shapes.
template <class D, class Line>
void check_lines(const D& d, float level, const Line& line, double allowed = rounding) {
  for (const cz::shape& dims : {cz::shape{2, 2, 11, 8}, cz::shape{1, 1, 6, 13}}) {
    const std::vector<float> x0 = uniform_images<cz::centred>(dims),
                             found = values_at<cz::centred>(d, dims, x0, level);
    std::vector<double> image;
    BOOST_TEST(farthest(found, dims, [&](index_t n, index_t c, index_t y, index_t x) {
                 if (y == 0 && x == 0) image = by_lines(x0, dims, n, c, line);
                 return image[static_cast<std::size_t>(y * dims.w + x)];
               }) < allowed);
  }
}

std::vector<double> gaussian_kernel(int radius, double sigma) {
  std::vector<double> kernel;
  double total = 0;
  for (int j = -radius; j <= radius; ++j) {
    kernel.push_back(std::exp(-0.5 * j * j / (sigma * sigma)));
    total += kernel.back();
  }
  for (double& weight : kernel) weight /= total;
  return kernel;
}

}  // namespace

BOOST_AUTO_TEST_CASE(gaussian_blurs_by_repeated_convolution) {
  for (const picture_edge edge : {picture_edge::mirrored, picture_edge::periodic}) {
    const cz::gaussian_blur blur{.radius = 3, .sigma = 2, .times = 6, .edge = edge};
    for (const int times : {1, 2, 5}) {
      check_lines(blur, static_cast<float>(times) / 6, [&](cz::image_axis, std::vector<double> line) {
        for (int k = 0; k < times; ++k) line = filtered(line, gaussian_kernel(3, 2), edge);
        return line;
      });
    }
    check_laws<cz::centred>(blur);
  }
}

BOOST_AUTO_TEST_CASE(heat_shrinks_each_cosine_by_its_own_factor) {
  const cz::heat_blur heat{.sigma_max = 4};
  const cz::shape dims{1, 1, 9, 12};
  for (index_t v = 0; v < dims.h; v += 4) {
    for (index_t u = 0; u < dims.w; u += 5) {
      const auto wave = [&](index_t y, index_t x) {
        return std::cos(pi * static_cast<double>(v * (2 * y + 1)) / 18) *
               std::cos(pi * static_cast<double>(u * (2 * x + 1)) / 24) / 2;
      };
      std::vector<float> x0;
      for (index_t i = 0; i < dims.size(); ++i)
        x0.push_back(static_cast<float>(wave(i / dims.w, i % dims.w)));
      const double omega_v = pi * static_cast<double>(v) / 9, omega_u = pi * static_cast<double>(u) / 12,
                   sigma = 4 * 0.25;
      const double factor = std::exp(-(omega_v * omega_v + omega_u * omega_u) * sigma * sigma / 2);
      BOOST_TEST(farthest(values_at<cz::centred>(heat, dims, x0, 0.25f), dims,
                          [&](index_t, index_t, index_t y, index_t x) { return factor * wave(y, x); }) <
                 rounding);
    }
  }
  check_laws<cz::centred>(heat);
}

BOOST_AUTO_TEST_CASE(heat_of_a_periodic_picture_is_a_wide_gaussian_kernel) {
  const cz::heat_blur heat{.sigma_max = 2, .edge = picture_edge::periodic};
  check_lines(heat, 1, [](cz::image_axis, const std::vector<double>& line) {
    // A sampled Gaussian and the Gaussian of frequencies differ by what aliases, 2 exp(-(pi sigma)^2 / 2) = 5e-9.
    return filtered(line, gaussian_kernel(20, 2), picture_edge::periodic);
  });
}

BOOST_AUTO_TEST_CASE(pixelation_takes_means_of_blocks) {
  const cz::pixelation pixelation{.halvings = 2};
  for (const index_t side : {1, 2, 4}) {
    check_lines(pixelation, static_cast<float>(side / 2) / 2,
                [&](cz::image_axis, const std::vector<double>& line) {
                  std::vector<double> out = line;
                  const auto extent = static_cast<index_t>(line.size());
                  for (index_t first = 0; first < extent; first += side) {
                    const index_t last = std::min(first + side, extent);
                    double mean = 0;
                    for (index_t i = first; i < last; ++i)
                      mean += line[static_cast<std::size_t>(i)] / static_cast<double>(last - first);
                    std::fill(out.begin() + first, out.begin() + last, mean);
                  }
                  return out;
                });
  }
  check_laws<cz::centred>(pixelation);
}

BOOST_AUTO_TEST_CASE(axis_averages_flatten_one_axis) {
  for (const cz::image_axis along : {cz::image_axis::x, cz::image_axis::y}) {
    check_lines(cz::axis_average{along}, 0.75f, [&](cz::image_axis axis, std::vector<double> line) {
      if (axis != along) return line;
      double mean = 0;
      for (const double value : line) mean += value / static_cast<double>(line.size());
      for (double& value : line) value = 0.25 * value + 0.75 * mean;
      return line;
    });
    check_laws<cz::centred>(cz::axis_average{along});
  }
}

BOOST_AUTO_TEST_CASE(k_space_loses_pairs_of_lines) {
  const cz::kspace_mask mask{.centre = 0.2f, .encoded = cz::image_axis::x};
  for (const float level : {0.3f, 0.7f, 1.0f}) {
    check_lines(mask, level, [&](cz::image_axis axis, const std::vector<double>& line) {
      if (axis == cz::image_axis::y) return line;
      const auto extent = static_cast<index_t>(line.size());
      std::vector<std::complex<double>> out(line.size());
      for (index_t k = 0; k < extent; ++k) {
        if (mask.missing(level, extent, std::min(k, extent - k))) continue;
        std::complex<double> number = 0;
        for (index_t i = 0; i < extent; ++i)
          number += line[static_cast<std::size_t>(i)] *
                    std::polar(1.0, -2 * pi * static_cast<double>(k * i) / static_cast<double>(extent));
        for (index_t i = 0; i < extent; ++i)
          out[static_cast<std::size_t>(i)] +=
              number * std::polar(1 / static_cast<double>(extent),
                                  2 * pi * static_cast<double>(k * i) / static_cast<double>(extent));
      }
      std::vector<double> real;
      for (const std::complex<double>& value : out) {
        BOOST_REQUIRE(std::abs(value.imag()) < 1e-12);
        real.push_back(value.real());
      }
      return real;
    });
  }
  // The middle stays, and all else is gone at level 1.
  for (index_t k = 0; k <= 32; ++k) BOOST_TEST(mask.missing(1, 64, k) == (k > 6));
  check_laws<cz::centred>(mask);
}

BOOST_AUTO_TEST_CASE(a_smooth_zoom_reads_its_window) {
  constexpr double remains = 0.41;  // no place of a pixel lies between two pixels
  for (const cz::resampling reading :
       {cz::resampling::nearest, cz::resampling::area, cz::resampling::linear, cz::resampling::cubic}) {
    const cz::smooth_zoom zoom{
        .reading = reading, .remains = static_cast<float>(remains), .centre_y = 0.5f, .centre_x = 0.9f};
    const float level = 0.5f;
    const auto window = [&](cz::image_axis axis, double extent) {  // first place and share
      const double share = 1 - 0.5 * (1 - remains), centre = axis == cz::image_axis::y ? 0.5 : 0.9;
      return std::pair(std::clamp((centre - share / 2) * extent, 0.0, extent * (1 - share)), share);
    };
    check_lines(
        zoom, level,
        [&](cz::image_axis axis, const std::vector<double>& line) {
          const auto extent = static_cast<index_t>(line.size());
          const auto [first, share] = window(axis, static_cast<double>(extent));
          const auto pixel = [&](index_t i) {
            return line[static_cast<std::size_t>(std::clamp<index_t>(i, 0, extent - 1))];
          };
          std::vector<double> out;
          for (index_t to = 0; to < extent; ++to) {
            const double low = first + share * static_cast<double>(to), at = low + share / 2 - 0.5,
                         floor = std::floor(at), u = at - floor;
            const auto i = static_cast<index_t>(floor);
            if (reading == cz::resampling::nearest) {
              out.push_back(pixel(static_cast<index_t>(std::floor(low + share / 2))));
            } else if (reading == cz::resampling::linear) {
              out.push_back((1 - u) * pixel(i) + u * pixel(i + 1));
            } else if (reading == cz::resampling::cubic) {  // Catmull and Rom's spline
              out.push_back(0.5 *
                            (2 * pixel(i) + u * (pixel(i + 1) - pixel(i - 1)) +
                             u * u * (2 * pixel(i - 1) - 5 * pixel(i) + 4 * pixel(i + 1) - pixel(i + 2)) +
                             u * u * u * (3 * pixel(i) - pixel(i - 1) - 3 * pixel(i + 1) + pixel(i + 2))));
            } else {  // the share is above 1/2: the window of a pixel meets at most two
              const auto left = static_cast<index_t>(std::floor(low));
              const double cut = std::min(share, static_cast<double>(left + 1) - low);
              out.push_back((cut * pixel(left) + (share - cut) * pixel(left + 1)) / share);
            }
          }
          return out;
        },
        2e-6);
    check_laws<cz::centred>(zoom);
  }
}

BOOST_AUTO_TEST_CASE(a_moving_camera_averages_along_its_way) {
  const cz::shape dims{1, 2, 9, 14};
  const std::vector<float> x0 = uniform_images<cz::centred>(dims);
  struct way {
    float dy, dx;
  };
  for (const way& w : {way{0, 6}, way{0, -6}, way{5, 0}, way{3, 6}, way{-6, 2}}) {
    const cz::motion_blur blur{.dy = w.dy, .dx = w.dx};
    const double longest = static_cast<double>(std::max(std::abs(w.dy), std::abs(w.dx))) / 2;
    const int count = static_cast<int>(std::lround(longest));
    BOOST_TEST(
        farthest(values_at<cz::centred>(blur, dims, x0, 0.5f), dims,
                 [&](index_t n, index_t c, index_t y, index_t x) {
                   double sum = 0;
                   for (int k = 0; k <= count; ++k) {  // bilinear, at whole places of one axis
                     const double at_y = static_cast<double>(y) - k * static_cast<double>(w.dy) / 2 / longest,
                                  at_x = static_cast<double>(x) - k * static_cast<double>(w.dx) / 2 / longest;
                     const double v = at_y - std::floor(at_y), u = at_x - std::floor(at_x);
                     const auto pixel = [&](int i, int j) {
                       const auto row = static_cast<index_t>(std::floor(at_y)) + i,
                                  column = static_cast<index_t>(std::floor(at_x)) + j;
                       return element(x0, dims, n, c, std::clamp<index_t>(row, 0, dims.h - 1),
                                      std::clamp<index_t>(column, 0, dims.w - 1));
                     };
                     sum += (1 - v) * ((1 - u) * pixel(0, 0) + u * pixel(0, 1)) +
                            v * ((1 - u) * pixel(1, 0) + u * pixel(1, 1));
                   }
                   return sum / (count + 1);
                 }) < rounding);
    check_laws<cz::centred>(blur);
  }
}

BOOST_AUTO_TEST_CASE(images_of_one_level_share_its_matrices) {
  const cz::shape dims{6, 2, 9, 20};
  const std::vector<float> x0 = uniform_images<cz::centred>(dims), level{0.4f, 0, 1, 0.4f, 0, 0.7f};
  cpu b(1);
  const auto check = [&](const auto& d) {
    const std::vector<float> all = cz::testing::degraded<cz::centred>(b, d, dims, x0, level, {});
    for (index_t n = 0; n < dims.n; ++n) {
      const auto first = n * dims.image(), last = first + dims.image();
      const std::vector<float> one(x0.begin() + first, x0.begin() + last),
          alone = cz::testing::degraded<cz::centred>(b, d, dims.with_n(1), one,
                                                     {level[static_cast<std::size_t>(n)]}, {});
      BOOST_TEST(std::equal(alone.begin(), alone.end(), all.begin() + first));
    }
  };
  check(cz::heat_blur{});
  check(cz::pixelation{});
  check(cz::axis_average{});
}

BOOST_AUTO_TEST_CASE(blocks_of_threads_give_the_same) {
  using device_like = cz::testing::block_backend<float>;
  device_like b;
  cpu host(1);
  const cz::shape dims{4, 2, 10, 37};
  const std::vector<float> x0 = uniform_images<cz::centred>(dims), level{0, 0.4f, 1, 0.4f};
  const auto both = [&](const auto& d) {
    const std::vector<float> on_host = cz::testing::degraded<cz::centred>(host, d, dims, x0, level, {}),
                             there = cz::testing::degraded<cz::centred>(b, d, dims, x0, level, {});
    double most = 0;
    for (std::size_t i = 0; i < x0.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(on_host[i]) - static_cast<double>(there[i])));
    BOOST_TEST(most < rounding);
  };
  both(cz::heat_blur{});
  both(cz::pixelation{});
  both(cz::kspace_mask{});
  both(cz::axis_average{});
  both(cz::motion_blur{});
}
