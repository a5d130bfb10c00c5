#define BOOST_TEST_MODULE direct_convolution
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/direct_convolution.hpp>
#include <coldzoom/core/view.hpp>
#include <limits>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "common/blocked_convolution.hpp"

namespace cz = coldzoom;
using namespace blocked_convolution;

namespace {

template <class T> void check(const cz::convolution_geometry& g, index_t n) {
  blocked_convolution::check<cz::direct_convolution, T>(g, n);
}

template <class T> void check_all() {
  for (const index_t in : {1, 3, 16, 17, 33}) {
    for (const index_t out : {1, 3, 16, 40}) {
      check<T>({in, out, 3, 3, 1, 1, 1, 1, 7, 9}, 2);
      check<T>({in, out, 1, 1, 1, 1, 0, 0, 5, 6}, 2);
      check<T>({in, out, 3, 2, 2, 3, 1, 0, 9, 8}, 2);
    }
  }
  check<T>({1, 16, 7, 7, 1, 1, 3, 3, 28, 28}, 5);
  check<T>({16, 1, 3, 3, 1, 1, 1, 1, 28, 28}, 5);
  check<T>({32, 32, 4, 4, 2, 2, 1, 1, 16, 16}, 3);
  check<T>({16, 32, 1, 1, 2, 2, 0, 0, 7, 7}, 2);   // some inputs meet no tap
  check<T>({4, 5, 7, 1, 1, 1, 3, 0, 3, 1}, 2);     // kernel larger than the image
  check<T>({4, 5, 1, 3, 1, 2, 2, 4, 3, 5}, 2);     // padding larger than the kernel
  check<T>({2, 2, 5, 5, 3, 3, 0, 0, 5, 5}, 1);     // one output pixel
  check<T>({1, 2, 1, 11, 1, 1, 0, 5, 1, 13}, 40);  // a long row; more images than partial sums
}

}  // namespace

BOOST_AUTO_TEST_CASE(float_against_plain_loops) { check_all<float>(); }
BOOST_AUTO_TEST_CASE(double_against_plain_loops) { check_all<double>(); }

BOOST_AUTO_TEST_CASE(bits) { bits_do_not_depend_on_threads_or_batch<cz::direct_convolution<float>>(); }
BOOST_AUTO_TEST_CASE(padding_lanes) { padding_lanes_do_not_matter<cz::direct_convolution<float>>(); }

BOOST_AUTO_TEST_CASE(memory_is_held_from_the_start) {
  const cz::convolution_geometry g{3, 5, 3, 3, 1, 1, 1, 1, 6, 6};
  using convolution = cz::direct_convolution<float>;
  using scratch = cz::convolution_scratch<float>;
  cz::thread_pool pool(3);
  convolution trained(g, 4, true, std::make_shared<scratch>(3));
  const index_t held = trained.bytes();
  const auto x = random_values<float>(activation<float>{nullptr, {4, 3, 6, 6}}.size(), 1);
  auto y = random_values<float>(activation<float>{nullptr, {4, 5, 6, 6}}.size(), 2), dx = x;
  trained.pack_weights(pool, random_values<float>(g.weights(), 3).data(), nullptr);
  trained.forward(pool, 4, x.data(), y.data(), nothing);
  trained.backward(pool, 4, x.data(), y.data(), dx.data(), true, nothing, nothing);
  BOOST_TEST(trained.bytes() == held);
  const convolution one_thread(g, 4, false), three_threads(g, 4, false, std::make_shared<scratch>(3));
  // Each thread has a copy of the image of its own, with a border left and right.
  BOOST_TEST(three_threads.bytes() >= one_thread.bytes() + 2 * 3 * 6 * 8 * index_t{sizeof(float)});
  BOOST_TEST(three_threads.bytes() < held);
}

BOOST_AUTO_TEST_CASE(wrong_use_throws) {
  using convolution = cz::direct_convolution<float>;
  BOOST_CHECK_THROW(convolution({1, 1, 5, 5, 1, 1, 0, 0, 3, 3}, 1, false), cz::error);
  BOOST_CHECK_THROW(convolution({1, 1, 1, 1, 1, 1, 0, 0, 3, 3}, 0, false), cz::error);
  cz::thread_pool pool(1);
  convolution forward_only({1, 1, 1, 1, 1, 1, 0, 0, 3, 3}, 1, false);
  BOOST_CHECK_THROW(forward_only.reduce_gradients(pool, nullptr, nullptr), cz::error);
}
