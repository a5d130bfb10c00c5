#define BOOST_TEST_MODULE bf16_convolution
#include <bit>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/bf16_convolution.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/core/error.hpp>
#include <string>
#include <vector>

#include "common/blocked_convolution.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using namespace blocked_convolution;

namespace {

template <class T> using convolution = cz::bf16_convolution;

void check(const cz::convolution_geometry& g, index_t n) {
  blocked_convolution::check<convolution, float>(g, n);
}

}  // namespace

// Factors that bfloat16 holds: nothing is rounded but the sums.
BOOST_AUTO_TEST_CASE(against_plain_loops) {
  for (const index_t in : {1, 3, 16, 17, 33, 70}) {
    for (const index_t out : {1, 3, 16, 40}) {
      check({in, out, 3, 3, 1, 1, 1, 1, 7, 9}, 2);
      check({in, out, 1, 1, 1, 1, 0, 0, 5, 6}, 2);
    }
  }
  check({1, 16, 7, 7, 1, 1, 3, 3, 28, 28}, 5);
  check({16, 1, 3, 3, 1, 1, 1, 1, 28, 28}, 5);
  check({4, 5, 7, 1, 1, 1, 3, 0, 3, 1}, 2);     // kernel larger than the image
  check({2, 2, 5, 5, 1, 1, 2, 2, 1, 1}, 40);    // one pixel; more images than partial sums
  check({2, 3, 3, 3, 1, 1, 1, 1, 4, 200}, 11);  // a stack of images that ends early
}

BOOST_AUTO_TEST_CASE(bits) { bits_do_not_depend_on_threads_or_batch<cz::bf16_convolution>(); }
BOOST_AUTO_TEST_CASE(padding_lanes) { padding_lanes_do_not_matter<cz::bf16_convolution>(); }

// Halves of the last of 8 bits are rounded to even, anything more to the nearest.
BOOST_AUTO_TEST_CASE(rounding) {
  const auto rounded = [](float value) {
    return std::bit_cast<float>(cz::bf16_pair_of(0, value) & 0xffff0000U);
  };
  BOOST_TEST(rounded(1.0F + 0x1p-8F) == 1.0F);
  BOOST_TEST(rounded(1.0F + 0x1p-7F + 0x1p-8F) == 1.0F + 0x1p-6F);
  BOOST_TEST(rounded(1.0F + 0x1p-8F + 0x1p-20F) == 1.0F + 0x1p-7F);
  BOOST_TEST(rounded(-3.0F) == -3.0F);
  BOOST_TEST(cz::bf16_pair_of(1.0F, -2.0F) == 0xc0003f80U);
}

BOOST_AUTO_TEST_CASE(only_who_allows_it_gets_it) {
  using layer = cz::cpu_convolution<float>;
  const cz::convolution_geometry g{64, 64, 3, 3, 1, 1, 1, 1, 32, 32};
  BOOST_TEST((layer::choose(g) == cz::convolution_algorithm::transformed));
  const bool unit = cz::tile_product::available();
  const auto allowed = unit ? cz::convolution_algorithm::bf16 : cz::convolution_algorithm::transformed;
  BOOST_TEST((layer::choose(g, cz::cpu_precision::bf16) == allowed));
  BOOST_TEST((cz::cpu_backend<float>(1, cz::cpu_precision::bf16).make_convolution(g, 1, false).algorithm() ==
              allowed));
  BOOST_TEST((cz::cpu_backend<float>(1).make_convolution(g, 1, false).algorithm() ==
              cz::convolution_algorithm::transformed));
  BOOST_TEST(message_of([] { cz::cpu_backend<double>(1, cz::cpu_precision::bf16); }) ==
             "cpu_backend: the precision is bf16 and the numbers are doubles; bf16 takes floats");
  BOOST_TEST(message_of([&] {
               cz::bf16_convolution({1, 1, 3, 3, 2, 2, 1, 1, 8, 8}, 1, false);
             }) == "bf16_convolution: the geometry must be stride 1, odd kernels, padding kernel / 2");
}
