#define BOOST_TEST_MODULE predictor
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <thread>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 2, 12, 10};
const cz::reconstructor net(image, {5, 4}, 5);
const std::vector<float> parameters = cz::initial_parameters(net, 1);
const host_images x = random_images(image.with_n(100), 2);

template <class Network> host_images predict(Network& network, index_t count, float time) {
  host_images out(image.with_n(count));
  network(x.view().images(0, count), time, out.view());
  return out;
}
host_images predict(index_t count, float time = 0.5f, int threads = 2) {
  backend b(threads);
  cz::predictor network(b, net, image, parameters);
  return predict(network, count, time);
}

}  // namespace

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_batch) {
  const host_images whole = predict(100);
  BOOST_TEST((predict(100, 0.25f) != whole));
  for (const index_t count : {1, 31, 32, 33, 100}) {
    for (const int threads : {1, 3}) {
      const host_images part = predict(count, 0.5f, threads);
      BOOST_TEST(std::equal(part.pixels.begin(), part.pixels.end(), whole.pixels.begin()),
                 count << " images on " << threads << " threads");
    }
  }
  // A large batch leaves nothing behind that a small one could see.
  backend b(2);
  cz::predictor network(b, net, image, parameters);
  predict(network, 100, 0.25f);
  BOOST_TEST((predict(network, 1, 0.5f) == predict(1)));
  cz::predictor few(b, net, image, parameters, 7);
  BOOST_TEST((predict(few, 100, 0.5f) == whole));
}

BOOST_AUTO_TEST_CASE(one_time_for_each_image) {
  std::vector<float> times;
  for (int i = 0; i < 40; ++i) times.push_back(i % 3 == 0 ? 0.5f : 0.25f);
  backend b(2);
  cz::predictor network(b, net, image, parameters);
  host_images out(image.with_n(40));
  network(x.view().images(0, 40), {{times.data(), 40}, {}}, out.view());
  const host_images half = predict(40), quarter = predict(40, 0.25f);
  for (index_t n = 0; n < 40; ++n) {
    const auto first = out.pixels.begin() + n * image.image();
    const host_images& wanted = n % 3 == 0 ? half : quarter;
    BOOST_TEST(std::equal(first, first + image.image(), wanted.pixels.begin() + n * image.image()));
  }
}

BOOST_AUTO_TEST_CASE(strided_images) {
  // Transposed, in and out.
  const cz::shape dims{3, 2, 12, 10};
  host_images dense(dims), wanted(dims), out(dims);
  const auto view = [&](float* data) { return cz::tensor_view<float>(data, dims, 240, 120, 1, 12); };
  for (index_t n = 0; n < 3; ++n)
    for (index_t c = 0; c < 2; ++c)
      for (index_t h = 0; h < 12; ++h)
        for (index_t w = 0; w < 10; ++w) view(dense.pixels.data())(n, c, h, w) = x.view()(n, c, h, w);
  backend b(1);
  cz::predictor network(b, net, image, parameters);
  network(x.view().images(0, 3), 0.5f, wanted.view());
  network(view(dense.pixels.data()), 0.5f, view(out.pixels.data()));
  index_t differing = 0;
  for (index_t n = 0; n < 3; ++n)
    for (index_t c = 0; c < 2; ++c)
      for (index_t h = 0; h < 12; ++h)
        for (index_t w = 0; w < 10; ++w)
          differing += view(out.pixels.data())(n, c, h, w) != wanted.view()(n, c, h, w);
  BOOST_TEST(differing == 0);
}

BOOST_AUTO_TEST_CASE(two_predictors_on_two_threads) {
  // Each on a backend of its own: a pool has one caller at a time. The network is shared.
  const host_images half = predict(33), quarter = predict(33, 0.25f);
  int wrong[2] = {0, 0};
  const auto work = [&](int& differing, float time, const host_images& wanted) {
    backend b(2);
    cz::predictor network(b, net, image, parameters);
    for (int i = 0; i < 10; ++i) differing += predict(network, 33, time) != wanted;
  };
  std::thread other(work, std::ref(wrong[0]), 0.5f, std::cref(half));
  work(wrong[1], 0.25f, quarter);
  other.join();
  BOOST_TEST(wrong[0] + wrong[1] == 0);
}

BOOST_AUTO_TEST_CASE(wrong_number_of_parameters) {
  backend b(1);
  BOOST_TEST(message_of([&] { cz::predictor(b, net, image, std::vector<float>(7)); }) ==
             "predictor: there are 7 parameters; the network has " + std::to_string(parameter_count(net)));
}
