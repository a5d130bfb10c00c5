// The CUDA backend on a device, against the backends of the host. Without a device it is skipped, but every
// kernel of the library has been compiled for one.
#include <coldzoom/cuda.cuh>
// The umbrella first, to see that it includes what it needs.
#include <boost/test/unit_test.hpp>
#include <coldzoom/testing/backend_laws.hpp>
#include <coldzoom/testing/degradation_laws.hpp>
#include <coldzoom/testing/initial_state_laws.hpp>
#include <numeric>
#include <tuple>

#include "common/errors.hpp"
#include "cuda/device_checks.cuh"

using cuda = cz::cuda_backend<float>;
using reference = cz::reference_backend<float>;

namespace {

/// out[block][t] = sum over the block's values + a local value that two phases made.
struct block_probe {
  static constexpr int most_threads = 256;
  const float* values;
  float* out;

  template <cz::Block K> COLDZOOM_HD void operator()(K& block) const {
    float* shared = block.template shared<float>(block.threads());
    auto mine = block.template local<float>();
    const float* row = values + block.index() * block.threads();
    for (int phase = 0; phase < 2; ++phase) block.for_each_thread([&](int t) { mine[t] += row[t]; });
    const float total = cz::device::sum(block, shared, [&](int t) { return row[t]; });
    block.for_each_thread([&](int t) { out[block.index() * block.threads() + t] = mine[t] + total; });
  }
};

/// Number i of the stream `key` in each of its forms.
struct random_probe {
  cz::sample_key key;
  std::uint32_t* words;
  float* uniforms;
  float* normals;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto at = static_cast<std::uint64_t>(i);
    words[i] = cz::random_word(key, at);
    uniforms[i] = cz::random_uniform(key, at);
    normals[i] = cz::random_normal(key, at);
  }
};

template <class D> std::vector<std::vector<float>> degraded_on_both(const D& d) {
  cuda device;
  reference host;
  const cz::shape dims{9, 2, 13, 11};
  const std::vector<float> x0 = cz::testing::random_values(dims.size(), 1, -0.5f, 0.5f);
  const std::vector<float> level = cz::testing::random_values(dims.n, 2, 0, 1);
  return {cz::testing::degraded<cz::centred>(device, d, dims, x0, level, {5}),
          cz::testing::degraded<cz::centred>(host, d, dims, x0, level, {5})};
}

}  // namespace

BOOST_AUTO_TEST_CASE(laws) {
  cuda b;
  cz::testing::backend_laws(b);
  cz::cuda_backend<double> exact;
  cz::testing::backend_laws(exact);
}

BOOST_AUTO_TEST_CASE(sums_are_fetched_later) {
  cuda device;
  const std::vector<float> values = cz::testing::random_values(100001, 1, -1, 1);
  const double wanted = std::accumulate(values.begin(), values.end(), 0.0);
  const auto memory = to_backend(device, values);
  std::vector<cz::cuda_sum> sums;
  for (int i = 0; i < 10; ++i) sums.push_back(device.sum_later(memory.data(), 100001));
  for (const cz::cuda_sum& sum : sums) {
    BOOST_TEST(std::abs(sum.get() - wanted) < 100001 * 0x1p-53 * 100001);
    BOOST_TEST(sum.get() == sums[0].get());
  }
}

BOOST_AUTO_TEST_CASE(transfers_larger_than_their_staging) {
  cuda device;
  const std::vector<float> values =
      cz::testing::random_values(1500001, 1, -1, 1);  // 6 slots of the ring of 4
  const auto memory = to_backend(device, values);
  BOOST_TEST((to_host<float>(device, memory.data(), 1500001) == values));
}

BOOST_AUTO_TEST_CASE(captured_work) {
  cuda device;
  auto memory = to_backend(device, std::vector<float>{1});
  float* const at = memory.data();
  cz::graph_capture<cuda, int> step;
  int calls = 0;
  const auto twice = [&] {
    ++calls;
    device.for_each_index(1, cz::generic::add<float>{at, at});
  };
  for (int i = 0; i < 5; ++i) step(device, 1, twice);
  BOOST_TEST(to_host<float>(device, at, 1)[0] == 32.0f);
  BOOST_TEST(calls == 2);

  // What waits or allocates cannot be captured, and what throws throws.
  BOOST_TEST(!device.capture([&] { device.sum(at, 1); }));
  BOOST_TEST(!device.capture([&] { device.allocate<float>(1); }));
  BOOST_TEST(!device.capture([&] { throw cz::error("test", "no"); }));
  BOOST_TEST(device.sum(at, 1) == 32.0);  // all is well again
}

BOOST_AUTO_TEST_CASE(blocks) {
  cuda device;
  for (const int threads : {1, 31, 196, 256}) {
    const index_t count = 5 * threads;
    const std::vector<float> values = cz::testing::random_values(count, 1, -1, 1);
    std::vector<float> wanted;
    for (index_t block = 0; block < 5; ++block) {
      const auto row = values.begin() + block * threads;
      const float total = static_cast<float>(std::accumulate(row, row + threads, 0.0));
      for (int t = 0; t < threads; ++t) wanted.push_back(2 * row[t] + total);
    }
    const auto memory = to_backend(device, values);
    auto out = device.allocate<float>(count);
    device.for_each_block(5, threads, 4 * threads + 16, block_probe{memory.data(), out.data()});
    BOOST_TEST(relative_error(to_host<float>(device, out.data(), count), wanted) < 1e-6);
  }
  BOOST_CHECK_THROW(device.for_each_block(1, 257, 0, block_probe{}), cz::error);
}

BOOST_AUTO_TEST_CASE(random_numbers) {
  const index_t count = 1 << 20;
  const auto draw = [&](auto b) {
    auto words = b.template allocate<std::uint32_t>(count);
    auto uniforms = b.template allocate<float>(count), normals = b.template allocate<float>(count);
    b.for_each_index(
        count,
        random_probe{
            {3, cz::stream::user, std::uint64_t(1) << 40}, words.data(), uniforms.data(), normals.data()});
    return std::tuple(to_host<std::uint32_t>(b, words.data(), count),
                      to_host<float>(b, uniforms.data(), count), to_host<float>(b, normals.data(), count));
  };
  const auto [words, uniforms, normals] = draw(cuda());
  const auto [words_wanted, uniforms_wanted, normals_wanted] = draw(reference());
  BOOST_TEST((words == words_wanted));
  BOOST_TEST((uniforms == uniforms_wanted));
  index_t far = 0;
  for (std::size_t i = 0; i < normals.size(); ++i) {
    const float size = std::abs(normals_wanted[i]), ulp = std::nextafter(size, INFINITY) - size;
    far += !(std::abs(normals[i] - normals_wanted[i]) <= 2 * ulp);
  }
  BOOST_TEST(far == 0);
}

BOOST_AUTO_TEST_CASE(buffers_outlive_their_backend) {
  const auto make = [] {
    cuda b;
    auto memory = to_backend(b, std::vector<float>(1000, 2.0f));
    b.synchronize();
    return memory;
  };
  const auto memory = make();
  cuda other;
  BOOST_TEST(to_host<float>(other, memory.data(), 1000) == std::vector<float>(1000, 2.0f));
}

BOOST_AUTO_TEST_CASE(impossible_requests) {
  cuda b;
  BOOST_CHECK_EXCEPTION(cuda(1000), cz::error, says("there is no device 1000"));
  BOOST_CHECK_EXCEPTION(b.allocate<float>(index_t(1) << 45), cz::error, says("take a smaller batch"));
  BOOST_TEST(b.sum(to_backend(b, std::vector<float>{1, 2}).data(), 2) == 3.0);  // all is well again
}

BOOST_AUTO_TEST_CASE(degradations) {
  cuda b;
  const cz::shape dims{6, 2, 7, 5};
  cz::testing::degradation_laws<cz::centred>(cz::zoom<cz::nearest>{}, {}, dims, b);
  cz::testing::degradation_laws<cz::centred>(cz::zoom<cz::bilinear>{}, {}, dims, b);
  cz::testing::degradation_laws<cz::centred>(cz::gaussian_noise{}, {.random = true}, dims, b);

  const auto nearest = degraded_on_both(cz::zoom<cz::nearest>{});
  BOOST_TEST(nearest[0] == nearest[1]);
  const auto bilinear = degraded_on_both(cz::zoom<cz::bilinear>{});
  BOOST_TEST(relative_error(bilinear[0], bilinear[1]) < 1e-6);
  const auto noise = degraded_on_both(cz::gaussian_noise{});
  BOOST_TEST(relative_error(noise[0], noise[1]) < 1e-6);
}

BOOST_AUTO_TEST_CASE(latents) {
  cuda device;
  reference host;
  std::array<std::uint64_t, 256> counts{};
  for (std::size_t k = 0; k < 256; ++k) counts[k] = k % 7;
  const auto patches = cz::testing::random_values(3 * 4 * 5, 1, -0.5f, 0.5f);
  const auto draw = [](auto& b, const auto& latent) {
    using space = typename std::remove_reference_t<decltype(b)>::space;
    const cz::shape dims{10, 1, 12, 12};
    auto out = b.template allocate<float>(dims.size());
    latent.draw(b, {5},
                cz::image_batch<cz::centred, float, space>(cz::tensor_view<float, space>(out.data(), dims)));
    return to_host<float>(b, out.data(), dims.size());
  };
  const cz::pixel_histogram<cz::centred> histogram(counts, 4, 4);
  BOOST_TEST(draw(device, histogram) == draw(host, histogram));
  using device_bank = cz::patch_bank<cz::centred, cz::nearest, cuda>;
  using host_bank = cz::patch_bank<cz::centred, cz::nearest, reference>;
  BOOST_TEST(draw(device, device_bank(device, {3, 1, 4, 5}, patches)) ==
             draw(host, host_bank(host, {3, 1, 4, 5}, patches)));
}

BOOST_AUTO_TEST_CASE(networks) {
  cuda device;
  // Sums of some thousand floats run in other orders on the two sides, and exp and erfc differ in the last
  // bits.
  check_networks(device, 1e-5);
}

BOOST_AUTO_TEST_CASE(captured_passes) {
  cuda device;
  check_recordings(device);
}

BOOST_AUTO_TEST_CASE(convolutions) {
  cuda device;
  for (const cz::convolution_geometry& g :
       {same_convolution(17, 33, 7, 7, 28, 28), same_convolution(5, 9, 3, 3, 15, 15),
        same_convolution(40, 3, 3, 3, 7, 7), same_convolution(3, 4, 7, 7, 45, 30)}) {
    const auto wanted = convolution_problem<double>{g}.wanted();
    for (const auto algorithm : {cz::convolution_algorithm::direct, cz::convolution_algorithm::transformed}) {
      const convolution_problem<float> p{g};
      const auto found = p.run(device, algorithm, p.images);
      BOOST_TEST(relative_error(found.y, wanted.y) < 2e-6);
      BOOST_TEST(relative_error(found.dx, wanted.dx) < 2e-6);
      BOOST_TEST(relative_error(found.dw, wanted.dw) < 2e-6);
      BOOST_TEST(relative_error(found.db, wanted.db) < 2e-6);
      BOOST_TEST((p.run(device, algorithm, p.images) == found), "two runs differ");
    }
  }
}

// The backend has a kernel of its own for products that cuBLASLt declines; these it must not.
BOOST_AUTO_TEST_CASE(cublaslt_makes_products) {
  const auto device = std::make_shared<cz::detail::cuda_device>(0);
  const index_t n = 128;
  cz::cuda_buffer<float> left(device, n * n), right(device, n * n), out(device, n * n);
  for (const auto precision : {cz::cuda_precision::float32, cz::cuda_precision::tf32}) {
    cz::detail::cuda_products<float> products(device, precision);
    for (const bool transpose : {false, true}) {
      BOOST_TEST(products(transpose, n, n, n, left.data(), n, right.data(), n, out.data(), n, false));
    }
  }
  device->synchronize();
}

BOOST_AUTO_TEST_CASE(rows_of_products_do_not_depend_on_their_number) {
  cuda exact, fast(0, cz::cuda_precision::tf32);
  const index_t most = 4096;
  for (cuda& b : {std::ref(exact), std::ref(fast)}) {
    for (const auto& [n, k] : {std::pair<index_t, index_t>(128, 128), {19, 33}, {1568, 100}}) {
      const auto left = to_backend(b, cz::testing::random_values(most * k, 1, -1, 1)),
                 right = to_backend(b, cz::testing::random_values(k * n, 2, -1, 1));
      for (const bool transpose : {false, true}) {
        const auto rows = [&](index_t m) {
          auto out = b.allocate<float>(m * n);
          b.gemm(transpose, m, n, k, left.data(), transpose ? most : k, right.data(), n, out.data(), n,
                 false);
          return to_host(b, out);
        };
        const std::vector<float> all = rows(most);
        for (const index_t m : {1, 200}) {
          const std::vector<float> some = rows(m);
          BOOST_TEST(std::equal(some.begin(), some.end(), all.begin()),
                     m << " rows of " << n << ", sums of " << k << (transpose ? ", transposed" : ""));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(products_in_tf32) {
  cuda exact, fast(0, cz::cuda_precision::tf32);
  const index_t n = 256;
  const std::vector<float> values = cz::testing::random_values(n * n, 1, 0.5f, 1);
  const auto square = [&](cuda& b) {
    const auto memory = to_backend(b, values);
    auto out = b.allocate<float>(n * n);
    b.gemm(false, n, n, n, memory.data(), n, memory.data(), n, out.data(), n, false);
    return to_host<float>(b, out.data(), n * n);
  };
  // Factors of 11 significant bits. Where the hardware cuts the others off, all errors have one sign.
  const double error = relative_error(square(fast), square(exact));
  BOOST_TEST(error < 0x1p-9);
  BOOST_TEST(error > 1e-6, "no factor was rounded to TF32: the error is " << error);
}

BOOST_AUTO_TEST_CASE(training_and_sampling) {
  cuda device;
  // The larger batch passes through the network as 128 and 72 images.
  for (const index_t batch : {40, 200}) {
    check_training(device, zoom_method, batch);
    check_training(device,
                   cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::ddpm_schedule::linear(50),
                                   cz::predict_noise{}),
                   batch);
  }
}

BOOST_AUTO_TEST_CASE(training_repeats_its_bits) {
  cuda device;
  const auto run = [&] { return train_on(device, zoom_method, 200); };
  const training_results first = run(), second = run();
  BOOST_TEST(first.second_loss == second.second_loss);
  BOOST_TEST(first.naive == second.naive, boost::test_tools::per_element());
}
