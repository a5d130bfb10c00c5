// Both algorithms of the convolution by blocks, on the host: against the definition in double precision, and
// the same bits whatever the order of the threads.
#define BOOST_TEST_MODULE block_convolution
#include <boost/test/unit_test.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/convolution_problem.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::convolution_algorithm;
using cz::index_t;

namespace {

template <class Real> void check(const cz::convolution_geometry& g, convolution_algorithm algorithm) {
  const convolution_problem<Real> p{g};
  const auto on = [&](std::uint64_t seed, index_t count) {
    cz::testing::block_backend<Real> b(seed);
    return p.run(b, algorithm, count);
  };
  const convolution_results<Real> found = on(1, p.images);
  const convolution_results<double> wanted = convolution_problem<double>{g}.wanted();
  const double tolerance = std::is_same_v<Real, float> ? 1e-6 : 1e-14;
  BOOST_TEST(relative_error(found.y, wanted.y) < tolerance);
  BOOST_TEST(relative_error(found.dx, wanted.dx) < tolerance);
  BOOST_TEST(relative_error(found.dw, wanted.dw) < tolerance);
  BOOST_TEST(relative_error(found.db, wanted.db) < tolerance);
  BOOST_TEST((on(0, p.images) == found && on(7, p.images) == found),
             "the order of the threads has influence");
  const convolution_results<Real> first = on(1, 1);
  BOOST_TEST(std::equal(first.y.begin(), first.y.end(), found.y.begin()), "other images have influence on y");
  BOOST_TEST(std::equal(first.dx.begin(), first.dx.end(), found.dx.begin()),
             "other images have influence on dx");
}

void check_both(const cz::convolution_geometry& g) {
  BOOST_TEST_CONTEXT(g.in_channels << " to " << g.out_channels << " channels, kernel " << g.kernel_h << " x "
                                   << g.kernel_w << ", pictures " << g.in_h << " x " << g.in_w) {
    for (const auto algorithm : {convolution_algorithm::direct, convolution_algorithm::transformed}) {
      check<float>(g, algorithm);
      check<double>(g, algorithm);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(pictures_on_one_tile) {
  check_both(same_convolution(1, 1, 1, 1, 1, 1));
  check_both(same_convolution(2, 3, 3, 3, 7, 7));     // 8 points, full to the border
  check_both(same_convolution(3, 2, 5, 3, 6, 5));     // 8 points
  check_both(same_convolution(9, 33, 3, 5, 4, 6));    // more channels than a block takes
  check_both(same_convolution(2, 2, 7, 7, 13, 12));   // 16 points
  check_both(same_convolution(17, 5, 3, 3, 15, 15));  // 16 points, full
  check_both(same_convolution(3, 9, 7, 7, 28, 28));   // 32 points, as in the reconstructor
  check_both(same_convolution(1, 2, 17, 17, 24, 24));
  check_both(same_convolution(2, 1, 3, 9, 31, 28));
}

BOOST_AUTO_TEST_CASE(pictures_cut_into_tiles) {
  check_both(same_convolution(2, 3, 3, 3, 45, 75));
  check_both(same_convolution(2, 2, 7, 7, 29, 30));   // one pixel too many for a tile
  check_both(same_convolution(1, 2, 1, 17, 1, 100));  // C x 1 x W
  check_both(same_convolution(2, 1, 17, 1, 40, 3));
  check_both(same_convolution(1, 1, 17, 17, 33, 50));
}

BOOST_AUTO_TEST_CASE(products_of_many_tiles) {
  check_both(same_convolution(33, 70, 3, 3, 5, 4));
  check_both(same_convolution(70, 2, 3, 3, 4, 4));
}

BOOST_AUTO_TEST_CASE(choice) {
  using layer = cz::device::convolution<cz::testing::block_backend<float>>;
  // The reconstructor's: large kernels between many channels are worth a transform.
  BOOST_TEST((layer::choose(same_convolution(1, 16, 7, 7, 28, 28)) == convolution_algorithm::direct));
  BOOST_TEST((layer::choose(same_convolution(16, 32, 7, 7, 28, 28)) == convolution_algorithm::transformed));
  BOOST_TEST((layer::choose(same_convolution(32, 32, 7, 7, 28, 28)) == convolution_algorithm::transformed));
  BOOST_TEST((layer::choose(same_convolution(16, 1, 3, 3, 28, 28)) == convolution_algorithm::direct));
  BOOST_TEST((layer::choose({64, 64, 7, 7, 2, 2, 3, 3, 28, 28}) == convolution_algorithm::direct));
  BOOST_TEST((layer::choose(same_convolution(64, 64, 19, 19, 28, 28)) == convolution_algorithm::direct));
}

BOOST_AUTO_TEST_CASE(impossible_requests) {
  cz::testing::block_backend<float> b;
  using layer = cz::device::convolution<decltype(b)>;
  for (const cz::convolution_geometry& g :
       {same_convolution(1, 1, 19, 19, 28, 28), same_convolution(1, 1, 33, 33, 28, 28),
        same_convolution(1, 1, 4, 4, 28, 28)}) {
    BOOST_TEST(message_of([&] { layer(b, g, 1, true, convolution_algorithm::transformed); }) ==
               "fft_convolution: the geometry must be stride 1, padding kernel / 2, kernel <= 17");
  }
}
