#define BOOST_TEST_MODULE any_degradation
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/any_degradation.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>

#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using any = cz::any_degradation<backend, cz::centred>;
using cz::index_t;

namespace {

static_assert(cz::BatchDegradation<any, backend> && !cz::PixelDegradation<any>);

/// The ten-line form, without randomness.
struct fade {
  COLDZOOM_HD float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    return x0(c, y, x) * (1 - level);
  }
};

template <class D> host_images run(const D& d) {
  const host_images x0 = random_images({5, 2, 9, 8}, 1);
  host_images out(x0.dims);
  const float levels[] = {0, 0.25f, 0.5f, 0.75f, 1};
  backend b(2);
  cz::degrade(b, d, x0.view(), {levels, 5}, {3, cz::stream::user, 11}, out.view());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(equals_the_degradation_itself) {
  const cz::zoom<cz::bilinear> zoom{.last_step = 4};
  const any held(zoom), copy = held;  // NOLINT: the copy is what is tested
  BOOST_TEST((run(held) == run(zoom)));
  BOOST_TEST((run(copy) == run(zoom)));
  BOOST_TEST((run(any(cz::gaussian_noise{})) == run(cz::gaussian_noise{})));
  BOOST_TEST((run(any(fade{})) == run(fade{})));
  BOOST_TEST((run(fade{}) != run(zoom)));
}
