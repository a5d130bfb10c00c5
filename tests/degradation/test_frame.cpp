#define BOOST_TEST_MODULE frame
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/frame.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/testing/degradation_laws.hpp>

#include "common/degraded_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

BOOST_AUTO_TEST_CASE(a_zoom_loses_a_pixel_at_the_first_step_whose_window_is_without_it) {
  const cz::zoom<cz::nearest> zoom;
  for (index_t h = 1; h <= 17; ++h) {
    for (index_t w = 1; w <= 17; ++w) {
      for_each_pixel({1, 1, h, w}, [&](index_t, index_t, index_t y, index_t x) {
        index_t step = 0;
        while (step < std::min(h, w) && inside(zoom.window(step, h, w), y, x)) ++step;
        BOOST_REQUIRE(cz::zoom_lost_step(h, w, y, x) == step);
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(the_frame_of_a_zoom_holds_the_same_information) {
  // The mask keeps exactly the window of the zoom, and a zoom of the masked picture is a zoom of the picture.
  for (const cz::shape& dims : degraded_shapes) {
    const int last = static_cast<int>(std::min(dims.h, dims.w)) - 1;
    if (last == 0) continue;
    const cz::zoom<cz::nearest> zoom{{}, last};
    const cz::masked<cz::zoom_order> masked{{last}, -7.0f};
    const host_images x0 = random_images(dims, 3);
    // Levels at and between the steps, but for the halves: a zoom rounds a product there, up or down.
    const cz::linear_schedule schedule(4 * last);
    for (int t = 0; t <= 4 * last; ++t) {
      if (t % 4 == 2) continue;
      const float level = schedule.level(t);
      BOOST_REQUIRE(zoom.step(level) == (t + 2) / 4);
      const host_images framed = degraded(masked, x0, level);
      const cz::image_window window = zoom.window(zoom.step(level), dims.h, dims.w);
      for_each_pixel(dims, [&](index_t n, index_t c, index_t y, index_t x) {
        const float found = framed.view()(n, c, y, x);
        BOOST_REQUIRE(found == (inside(window, y, x) ? x0.view()(n, c, y, x) : -7.0f));
      });
      BOOST_TEST((degraded(zoom, framed, level) == degraded(zoom, x0, level)));
    }
  }
}

BOOST_AUTO_TEST_CASE(last_steps_of_any_size) {
  // As a zoom, it keeps a pixel whatever the last step; without one, a seventh of the shorter side.
  for (const int last : {3, 6, 7, 24}) {
    const host_images x0 = random_images({1, 1, 7, 9}, 5);
    const cz::zoom<cz::nearest> zoom{{}, last};
    const host_images framed = degraded(cz::masked<cz::zoom_order>{{last}, -7.0f}, x0, 1);
    const cz::image_window window = zoom.window(last, 7, 9);
    for_each_pixel(x0.dims, [&](index_t, index_t, index_t y, index_t x) {
      BOOST_REQUIRE((framed.view()(0, 0, y, x) != -7.0f) == inside(window, y, x));
    });
  }
  for_each_pixel({1, 1, 28, 28}, [&](index_t, index_t, index_t y, index_t x) {
    BOOST_REQUIRE(cz::zoom_order{0}({1, 1, 28, 28}, 0, y, x) == cz::zoom_order{24}({1, 1, 28, 28}, 0, y, x));
  });
}

BOOST_AUTO_TEST_CASE(a_zoomed_picture_is_put_back_to_its_place_and_zoomed_again) {
  backend b(2);
  for (const cz::shape& dims : degraded_shapes) {
    const int last = static_cast<int>(std::min(dims.h, dims.w)) - 1;
    if (last == 0) continue;
    const cz::zoom<cz::nearest> zoom{{}, last};
    const host_images x0 = random_images(dims, 4);
    for (int s = 0; s <= last; ++s) {
      const float level = cz::linear_schedule(last).level(s);
      const std::vector<float> levels(static_cast<std::size_t>(dims.n), level);
      const host_images zoomed = degraded(zoom, x0, level);
      host_images framed(dims);
      cz::to_frame(b, zoom, zoomed.view(), {levels.data(), dims.n}, framed.view());
      BOOST_TEST((framed == degraded(zoom.frame(), x0, level)));
      BOOST_TEST((degraded(zoom, framed, level) == zoomed));
    }
  }
}

BOOST_AUTO_TEST_CASE(in_the_frame_tacos_keeps_what_is_known_whatever_the_network_answers) {
  backend b(2);
  const cz::shape dims{2, 2, 12, 9};
  const host_images x0 = random_images(dims, 5), wrong = random_images(dims, 6);
  const int last = 7;
  const cz::linear_schedule schedule(last);
  const auto frame = cz::zoom<cz::nearest>{{}, last}.frame();
  auto network = cz::predicting<cz::predict_x0>(
      [&](cz::tensor_view<const float>, const cz::sampling_step&, cz::tensor_view<float> y) {
        std::copy(wrong.pixels.begin(), wrong.pixels.end(), y.data);
      });
  for (const int calls : {last, 3, 1}) {
    host_images z = degraded(frame, x0, 1);
    cz::tacos_sampler{}(b, network, frame, schedule, calls, {}, z.view());
    const cz::image_window known = cz::zoom_window(last, dims.h, dims.w);
    for_each_pixel(dims, [&](index_t n, index_t c, index_t y, index_t x) {
      BOOST_REQUIRE(z.view()(n, c, y, x) == (inside(known, y, x) ? x0 : wrong).view()(n, c, y, x));
    });
  }
}

BOOST_AUTO_TEST_CASE(inpainting_ends_blank) {
  backend b(2);
  for (const cz::shape& dims : degraded_shapes) {
    const host_images x0 = random_images(dims, 7);
    const cz::masked<cz::inpainting_order> d{{}, 0.25f};
    index_t lost_before = 0;
    for (int k = 0; k <= 10; ++k) {
      const host_images z = degraded(d, x0, static_cast<float>(k) / 10);
      index_t lost = 0;
      for_each_pixel(dims, [&](index_t n, index_t c, index_t y, index_t x) {
        const bool gone = d.lost(dims, c, y, x, static_cast<float>(k) / 10);
        BOOST_REQUIRE(z.view()(n, c, y, x) == (gone ? 0.25f : x0.view()(n, c, y, x)));
        lost += gone;
      });
      BOOST_TEST(lost >= lost_before);
      BOOST_TEST((lost == 0) == (k == 0));
      BOOST_TEST((lost == dims.size()) == (k == 10));
      lost_before = lost;
    }
  }
  cz::testing::degradation_laws<cz::centred>(cz::masked<cz::inpainting_order>{}, {.levels_beyond = true},
                                             {2, 2, 9, 8}, b);
}
