// Images go through tiles of another size as they would go through at once.
#define BOOST_TEST_MODULE tiles
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/sampling/tiles.hpp>
#include <coldzoom/schedule/first_steps.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::index_t;

namespace {

constexpr cz::key_sequence keys{5, cz::stream::sampling, 100};

/// A step beyond the first or last pixel goes back by the way it came, the outermost pixel first.
index_t bounced(index_t p, index_t extent) {
  while (p < 0 || p >= extent) p = p < 0 ? -1 - p : 2 * extent - 1 - p;
  return p;
}

/// The parts of the picture in which the tiles lie, by the rule alone.
struct layout {
  cz::tile_axis down, across;
  index_t tiles() const { return down.tiles() * across.tiles(); }
  index_t top(index_t tile) const { return down.start(tile / across.tiles()); }
  index_t left(index_t tile) const { return across.start(tile % across.tiles()); }
};

layout layout_of(cz::shape image, cz::shape tile, double overlap) {
  return {cz::tile_axis(image.h, tile.h, overlap), cz::tile_axis(image.w, tile.w, overlap)};
}

/// Undoes a fade to grey, pixel by pixel.
struct undo_fade {
  using prediction = cz::predict_x0;
  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step, cz::tensor_view<float> y) {
    for (index_t i = 0; i < x.dims.size(); ++i) y.data[i] = x.data[i] / (1 - step.level);
  }
};
struct fade {
  float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return (1 - level) * x0(c, y, x);
  }
};

/// Pixels that the draw has lost by a level become -0.5.
struct pepper {
  float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                   cz::sample_key key) const {
    const auto element = static_cast<std::uint64_t>((c * x0.h + y) * x0.w + x);
    return cz::random_uniform(key, element) < level ? -0.5f : x0(c, y, x);
  }
};

/// Notes what it was asked with.
struct spy_model {
  using prediction = cz::predict_x0;
  std::vector<std::uint64_t> first{};
  std::vector<cz::shape> dims{};
  std::vector<float> previous{};

  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step, cz::tensor_view<float> y) {
    first.push_back(step.keys.first);
    dims.push_back(x.dims);
    if (step.previous) previous.insert(previous.end(), step.previous, step.previous + x.dims.size());
    std::copy_n(x.data, x.dims.size(), y.data);
  }
};

const std::vector<std::pair<cz::shape, cz::shape>> image_and_tile{
    {{1, 1, 20, 31}, {1, 1, 8, 8}}, {{1, 3, 9, 8}, {1, 3, 8, 8}},  {{1, 1, 8, 8}, {1, 1, 8, 8}},
    {{1, 2, 5, 17}, {1, 2, 7, 6}},  {{1, 1, 1, 2}, {1, 1, 9, 11}}, {{1, 1, 40, 3}, {1, 1, 5, 4}}};

}  // namespace

BOOST_AUTO_TEST_CASE(tiles_lie_as_promised) {
  for (const double overlap : {0.0, 0.25, 0.5, 0.9}) {
    for (index_t size = 1; size <= 12; ++size) {
      const auto shared = static_cast<index_t>(std::ceil(overlap * static_cast<double>(size)));
      const index_t most_step = std::max<index_t>(1, size - shared);
      for (index_t extent = 1; extent <= 40; ++extent) {
        const cz::tile_axis axis(extent, size, overlap);
        const index_t n = axis.tiles();
        if (extent <= size) {
          BOOST_REQUIRE(n == 1);
          const index_t before = -axis.start(0), behind = size - extent - before;
          BOOST_REQUIRE((before >= 0 && std::abs(before - behind) <= 1));
          continue;
        }
        BOOST_REQUIRE((axis.start(0) == 0 && axis.start(n - 1) == extent - size));
        for (index_t i = 1; i < n; ++i) {
          const index_t step = axis.start(i) - axis.start(i - 1);
          BOOST_REQUIRE((step >= 1 && step <= most_step));
        }
        BOOST_REQUIRE((n - 2) * most_step < extent - size);  // one less would not do
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(weights_are_shares_of_the_pixel) {
  for (const double overlap : {0.0, 0.3, 0.5, 0.9}) {
    for (const index_t size : {1, 2, 7, 12}) {
      for (index_t extent = 1; extent <= 40; ++extent) {
        const cz::tile_axis axis(extent, size, overlap);
        for (index_t p = 0; p < extent; ++p) {
          const auto covers = [&](index_t tile) {
            return axis.start(tile) <= p && p < axis.start(tile) + size;
          };
          const auto hump = [&](index_t tile) {
            const double at = (static_cast<double>(p - axis.start(tile)) + 0.5) / static_cast<double>(size);
            return (1 - std::cos(2 * std::acos(-1.0) * at)) / 2;
          };
          double all = 0;
          index_t covering = 0;
          for (index_t tile = 0; tile < axis.tiles(); ++tile) {
            if (covers(tile)) all += hump(tile), ++covering;
          }
          float sum = 0;
          bool begun = false;
          for (index_t tile = 0; tile < axis.tiles(); ++tile) {
            if (!covers(tile)) continue;
            if (!begun) BOOST_REQUIRE(axis.first()[static_cast<std::size_t>(p)] == tile);
            begun = true;
            const float weight = axis.weights()[static_cast<std::size_t>(tile * size + p - axis.start(tile))];
            BOOST_REQUIRE((weight >= 0 && weight * 4096 == std::floor(weight * 4096)));
            // Each is rounded down by less than a part, which the heaviest takes from all.
            BOOST_REQUIRE(std::abs(static_cast<double>(weight) - hump(tile) / all) <=
                          (static_cast<double>(covering) + 1e-9) / 4096);
            sum += weight;
          }
          BOOST_REQUIRE(begun);
          BOOST_REQUIRE(sum == 1);  // exactly
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cut_and_blend_are_brute_force) {
  backend b;
  for (const auto& [image, tile] : image_and_tile) {
    for (const double overlap : {0.0, 0.5, 0.8}) {
      const layout at = layout_of(image, tile, overlap);
      const cz::tiling<backend> tiles(b, image, tile, overlap);
      BOOST_REQUIRE(tiles.tiles() == at.tiles());
      const host_images x = random_images(image, 1), answers = random_images(tile.with_n(at.tiles()), 2);
      host_images cut(answers.dims), blended(image);
      tiles.cut(b, x.view().image(0), cut.view());
      for (index_t n = 0; n < at.tiles(); ++n) {
        for (index_t c = 0; c < tile.c; ++c) {
          for (index_t row = 0; row < tile.h; ++row) {
            for (index_t column = 0; column < tile.w; ++column) {
              BOOST_REQUIRE(cut.view()(n, c, row, column) == x.view()(0, c, bounced(at.top(n) + row, image.h),
                                                                      bounced(at.left(n) + column, image.w)));
            }
          }
        }
      }
      tiles.blend(b, answers.view(), blended.view().image(0));
      for (index_t c = 0; c < image.c; ++c) {
        for (index_t row = 0; row < image.h; ++row) {
          for (index_t column = 0; column < image.w; ++column) {
            double wanted = 0;
            for (index_t n = 0; n < at.tiles(); ++n) {
              const index_t y = row - at.top(n), left = column - at.left(n);
              if (y < 0 || y >= tile.h || left < 0 || left >= tile.w) continue;
              const auto weight = [](const cz::tile_axis& axis, index_t number, index_t inside) {
                return static_cast<double>(
                    axis.weights()[static_cast<std::size_t>(number * axis.size() + inside)]);
              };
              wanted += weight(at.down, n / at.across.tiles(), y) *
                        weight(at.across, n % at.across.tiles(), left) *
                        static_cast<double>(answers.view()(n, c, y, left));
            }
            BOOST_REQUIRE(blended.view()(0, c, row, column) == static_cast<float>(wanted));
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(tiles_that_agree_give_back_the_picture_to_the_bit) {
  backend b;
  for (const auto& [image, tile] : image_and_tile) {
    for (const double overlap : {0.0, 0.5, 0.9}) {
      const cz::tiling<backend> tiles(b, image, tile, overlap);
      const host_images x = random_images(image, 3);
      host_images cut(tile.with_n(tiles.tiles())), back(image);
      tiles.cut(b, x.view().image(0), cut.view());
      tiles.blend(b, cut.view(), back.view().image(0));
      BOOST_CHECK(back == x);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_model_of_single_pixels_answers_by_tiles_as_at_once) {
  backend b;
  const host_images x0 = random_images({2, 3, 19, 10}, 4);
  const cz::linear_schedule schedule(8);
  host_images z(x0.dims);
  const std::vector<float> levels(2, schedule.level(7));
  cz::degrade(b, fade{}, x0.view(), {levels.data(), 2}, keys, z.view());
  host_images by_tiles = z;
  undo_fade at_once;
  cz::tiled_model tiled(b, at_once, cz::tiling<backend>(b, x0.dims, {1, 3, 8, 8}));
  const cz::first_steps seven(schedule, 7);  // level 1 would leave nothing
  cz::tacos_sampler{}(b, at_once, fade{}, seven, 7, keys, z.view());
  cz::tacos_sampler{}(b, tiled, fade{}, seven, 7, keys, by_tiles.view());
  BOOST_CHECK(by_tiles == z);
}

BOOST_AUTO_TEST_CASE(a_random_degradation_repeats_the_draw_of_the_whole_image) {
  backend b;
  const cz::shape dims{2, 1, 20, 13};
  host_images x0(dims), z(dims);
  std::fill(x0.pixels.begin(), x0.pixels.end(), 0.25f);
  auto knows = cz::predicting<cz::predict_x0>(
      [](auto, const cz::sampling_step&, auto y) { std::fill_n(y.data, y.dims.size(), 0.25f); });
  cz::tiled_model tiled(b, knows, cz::tiling<backend>(b, dims, {1, 1, 8, 8}));
  const cz::linear_schedule schedule(10);
  const std::vector<float> levels(2, schedule.level(10));
  cz::degrade(b, pepper{}, std::as_const(x0).view(), {levels.data(), 2}, keys, z.view());
  BOOST_CHECK(z != x0);
  cz::tacos_sampler{}(b, tiled, pepper{}, schedule, 10, keys, z.view());
  BOOST_CHECK(z == x0);  // all differences are 0 or 0.75, without rounding
}

BOOST_AUTO_TEST_CASE(each_tile_has_keys_and_a_last_estimate_of_its_own) {
  backend b;
  const cz::shape dims{3, 1, 12, 8};
  spy_model spy;
  cz::tiled_model tiled(b, spy, cz::tiling<backend>(b, dims, {1, 1, 8, 8}));
  BOOST_REQUIRE(tiled.layout().tiles() == 2);
  const host_images x = random_images(dims, 5), before = random_images(dims, 6);
  host_images y(dims);
  cz::sampling_step step;
  step.keys = {7, cz::stream::sampling, 10};
  step.previous = before.pixels.data();
  tiled(x.view(), step, y.view());
  BOOST_CHECK((spy.first == std::vector<std::uint64_t>{20, 22, 24}));
  BOOST_CHECK((spy.dims == std::vector<cz::shape>(3, {2, 1, 8, 8})));
  BOOST_CHECK(y == x);
  std::vector<float> wanted;
  for (index_t n = 0; n < 3; ++n) {
    for (const index_t top : {0, 4}) {
      const auto* rows = before.pixels.data() + (n * 12 + top) * 8;
      wanted.insert(wanted.end(), rows, rows + 64);
    }
  }
  BOOST_CHECK(spy.previous == wanted);
}

BOOST_AUTO_TEST_CASE(errors_name_what_was_found) {
  backend b;
  BOOST_CHECK_EXCEPTION(cz::tile_axis(0, 8, 0.5), cz::error, says("a side of 0 pixels and tiles of 8"));
  BOOST_CHECK_EXCEPTION(cz::tile_axis(9, 8, 1), cz::error, says("an overlap of 1.0"));
  BOOST_CHECK_EXCEPTION(cz::tiling<backend>(b, {1, 3, 9, 9}, {1, 1, 8, 8}), cz::error,
                        says("found images of 1 x 3 x 9 x 9 and tiles of 1 x 1 x 8 x 8"));
  const cz::tiling<backend> tiles(b, {1, 1, 9, 9}, {1, 1, 8, 8});
  host_images image({1, 1, 9, 8}), cut({4, 1, 8, 8});
  BOOST_CHECK_EXCEPTION(tiles.cut(b, image.view().image(0), cut.view()), cz::error,
                        says("found an image of 1 x 1 x 9 x 8 and tiles of 4 x 1 x 8 x 8"));
}
