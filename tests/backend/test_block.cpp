#define BOOST_TEST_MODULE block
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/device/reduction.hpp>
#include <coldzoom/testing/backend_laws.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <set>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

/// out[block] = sum of the block's values, twice in the same shared memory.
struct row_sums {
  static constexpr int most_threads = 1024;
  const double* values;
  double* out;

  template <cz::Block K> void operator()(K& block) const {
    double* shared = block.template shared<double>(block.threads());
    const double* row = values + block.index() * block.threads();
    const double once = cz::device::sum(block, shared, [&](int t) { return row[t]; });
    const double twice = cz::device::sum(block, shared, [&](int t) { return row[t] + once; });
    block.for_each_thread([&](int t) {
      if (t == 0) out[block.index()] = twice;
    });
  }
};

/// Every thread adds its number to its own local value in each of two phases.
struct keeps_locals {
  static constexpr int most_threads = 64;
  int* out;

  template <cz::Block K> void operator()(K& block) const {
    auto mine = block.template local<int>();
    for (int phase = 0; phase < 2; ++phase) block.for_each_thread([&](int t) { mine[t] += t; });
    block.for_each_thread([&](int t) { out[block.index() * block.threads() + t] = mine[t]; });
  }
};

/// Reads what a neighbour writes in the same phase: against the rules.
struct race {
  static constexpr int most_threads = 64;
  float* out;

  template <cz::Block K> void operator()(K& block) const {
    float* shared = block.template shared<float>(block.threads());
    block.for_each_thread([&](int t) { shared[t] = 0; });
    block.for_each_thread([&](int t) { shared[t] = 1 + shared[(t + 1) % block.threads()]; });
    block.for_each_thread([&](int t) { out[t] = shared[t]; });
  }
};

struct reads_unwritten {
  static constexpr int most_threads = 64;
  float* out;

  template <cz::Block K> void operator()(K& block) const {
    const float* shared = block.template shared<float>(4);
    block.for_each_thread([&](int t) { out[t] = shared[t]; });
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(laws) {
  cz::testing::block_backend<float> b;
  cz::testing::backend_laws(b);
}

BOOST_AUTO_TEST_CASE(sums_are_right_and_the_same_for_every_order) {
  for (const int threads : {1, 2, 7, 8, 9, 64, 65, 196, 256, 1024}) {
    const index_t count = 3;
    std::vector<double> values;
    for (index_t i = 0; i < count * threads; ++i)
      values.push_back(static_cast<double>(cz::random_normal({1}, static_cast<std::uint64_t>(i))));
    std::vector<double> first(3), second(3);
    const index_t shared = threads * 8 + 15;
    cz::testing::block_backend<double>(0).for_each_block(count, threads, shared,
                                                         row_sums{values.data(), first.data()});
    cz::testing::block_backend<double>(5).for_each_block(count, threads, shared,
                                                         row_sums{values.data(), second.data()});
    BOOST_TEST(first == second, boost::test_tools::per_element());
    for (index_t block = 0; block < count; ++block) {
      double wanted = 0;
      for (int t = 0; t < threads; ++t) wanted += values[static_cast<std::size_t>(block * threads + t)];
      BOOST_TEST(std::abs(first[static_cast<std::size_t>(block)] - wanted * (1 + threads)) <
                 1e-12 * threads * threads);
    }
  }
}

BOOST_AUTO_TEST_CASE(sums_of_all) {
  const cz::testing::block_backend<float> b, natural(0);
  for (const index_t count : {0, 1, 7, 300, 4096, 4097, 9000, 4096 * 40 + 5}) {
    std::vector<float> values;
    double wanted = 0, sizes = 0;
    for (index_t i = 0; i < count; ++i) {
      values.push_back(i == 1 ? 0x1p24f : static_cast<float>(i % 1001) * 0.37f - 100);
      wanted += static_cast<double>(values.back());
      sizes += std::abs(static_cast<double>(values.back()));
    }
    std::vector<double> scratch(static_cast<std::size_t>(cz::device::sum_scratch(count)));
    double found = 0, again = 0;
    cz::device::sum_all(b, values.data(), count, scratch.data(), &found);
    cz::device::sum_all(natural, values.data(), count, scratch.data(), &again);
    BOOST_TEST(found == again);
    BOOST_TEST(std::abs(found - wanted) <= static_cast<double>(count) * 0x1p-53 * sizes);
  }
}

BOOST_AUTO_TEST_CASE(sums_of_columns) {
  const cz::testing::block_backend<float> b, natural(0);
  for (const index_t count : {1, 64, 65, 300, 3584}) {
    for (const index_t size : {1, 40}) {
      const std::vector<float> parts = cz::testing::random_values(count * size, 1, -1, 1);
      std::vector<float> scratch = parts, found(static_cast<std::size_t>(size), 0.5f), again = found;
      cz::device::add_in_order(b, count, size, scratch.data(), found.data());
      scratch = parts;
      cz::device::add_in_order(natural, count, size, scratch.data(), again.data());
      BOOST_TEST(found == again, boost::test_tools::per_element());
      for (index_t column = 0; column < size; ++column) {
        double wanted = 0.5;
        for (index_t row = 0; row < count; ++row)
          wanted += static_cast<double>(parts[static_cast<std::size_t>(row * size + column)]);
        BOOST_TEST(std::abs(static_cast<double>(found[static_cast<std::size_t>(column)]) - wanted) <
                   0x1p-24 * static_cast<double>(count + 1));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(locals_last_from_phase_to_phase) {
  std::vector<int> out(3 * 40);
  cz::testing::block_backend<float>(3).for_each_block(3, 40, 0, keeps_locals{out.data()});
  for (std::size_t i = 0; i < out.size(); ++i) BOOST_TEST(out[i] == 2 * static_cast<int>(i % 40));
}

BOOST_AUTO_TEST_CASE(orders_bring_races_to_light) {
  std::set<std::vector<float>> results;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    std::vector<float> out(64);
    cz::testing::block_backend<float>(seed).for_each_block(1, 64, 256, race{out.data()});
    results.insert(out);
  }
  BOOST_TEST(results.size() == 4U);
}

BOOST_AUTO_TEST_CASE(shared_memory_is_nan_at_first) {
  std::vector<float> out(4);
  cz::testing::block_backend<float>().for_each_block(1, 4, 16, reads_unwritten{out.data()});
  for (const float value : out) BOOST_TEST(std::isnan(value));
}

BOOST_AUTO_TEST_CASE(impossible_launches) {
  const cz::testing::block_backend<float> b;
  std::vector<float> out(4);
  const reads_unwritten kernel{out.data()};
  BOOST_TEST(message_of([&] { b.for_each_block(1, 4, 8, kernel); }) ==
             "host_block: the kernel wants 16 bytes of shared memory; it was given 8");
  BOOST_TEST(message_of([&] { b.for_each_block(1, 65, 16, kernel); }) ==
             "for_each_block: the blocks have 65 threads; this kernel takes 1 to 64");
  BOOST_TEST(message_of([&] { b.for_each_block(1, 0, 16, kernel); }) ==
             "for_each_block: the blocks have 0 threads; this kernel takes 1 to 64");
  BOOST_TEST(message_of([&] { b.for_each_block(1, 4, 49153, kernel); }) ==
             "for_each_block: the blocks want 49153 bytes of shared memory; there are 49152");
}
