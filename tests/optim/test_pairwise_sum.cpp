#define BOOST_TEST_MODULE pairwise_sum
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/optim/pairwise_sum.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <vector>

#include "common/thread_ranks.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

using arrays = std::vector<std::vector<float>>;

arrays random_arrays(int number, index_t count) {
  arrays all;
  for (int i = 0; i < number; ++i)
    all.push_back(cz::random_values(count, static_cast<std::uint64_t>(i + 1), -1, 1));
  return all;
}

/// By rounds: neighbours are added, the one that is left over goes on to the next round.
std::vector<float> by_rounds(arrays all) {
  while (all.size() > 1) {
    arrays next;
    for (std::size_t i = 0; i < all.size(); i += 2) {
      next.push_back(all[i]);
      for (std::size_t k = 0; i + 1 < all.size() && k < all[i].size(); ++k) next.back()[k] += all[i + 1][k];
    }
    all = next;
  }
  return all.front();
}

}  // namespace

BOOST_AUTO_TEST_CASE(arrays_are_added_in_pairs) {
  cz::cpu_backend<float> b(2);
  constexpr index_t count = 1000;
  bool order_counts = false;
  for (int number = 2; number <= 17; ++number) {
    const arrays all = random_arrays(number, count);
    cz::pairwise_sum<cz::cpu_backend<float>> sum(b, count, number);
    auto to = b.allocate<float>(count);
    std::vector<float> one_by_one(count);
    for (int round = 0; round < 2; ++round) {  // finish starts the next sum
      for (const std::vector<float>& values : all) sum.add(b, values.data());
      sum.finish(b, to.data());
      BOOST_TEST((cz::to_host(b, to) == by_rounds(all)));
    }
    for (const std::vector<float>& values : all) {
      for (std::size_t i = 0; i < values.size(); ++i) one_by_one[i] += values[i];
    }
    order_counts = order_counts || one_by_one != by_rounds(all);
  }
  BOOST_TEST(order_counts);  // the sums above would tell another order
}

using backends = boost::mpl::list<cz::cpu_backend<float>, cz::testing::block_backend<float>>;
BOOST_AUTO_TEST_CASE_TEMPLATE(the_sum_of_ranks_is_that_of_one_rank_with_all_arrays, B, backends) {
  for (const int ranks : {1, 2, 3, 4, 7, 8}) {
    for (const int each : {1, 2, 4}) {
      for (const index_t count : {1, 5, 1003}) {  // fewer numbers than ranks too
        const arrays all = random_arrays(ranks * each, count);
        const std::vector<float> expected = by_rounds(all);
        std::vector<int> right(static_cast<std::size_t>(ranks));
        thread_ranks::run(ranks, [&](const thread_ranks& communicator) {
          B b;
          const auto rank = static_cast<std::size_t>(communicator.rank()),
                     first = rank * static_cast<std::size_t>(each);
          auto values = cz::to_backend(b, all[first]);
          if (each > 1) {
            cz::pairwise_sum<B> own(b, count, each);
            for (int i = 0; i < each; ++i) {
              const auto next = cz::to_backend(b, all[first + static_cast<std::size_t>(i)]);
              own.add(b, next.data());
            }
            own.finish(b, values.data());
          }
          cz::ranks_on<B, thread_ranks> together(communicator);
          together.sum(b, values.data(), count);
          right[rank] = cz::to_host(b, values) == expected;
        });
        for (const int one : right) BOOST_TEST(one == 1);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(parts_of_ranks_are_all_there_is) {
  for (const int ranks : {1, 2, 3, 8}) {
    for (const index_t count : {0, 1, 7, 24}) {
      index_t next = 0;
      for (int r = 0; r < ranks; ++r) {
        const cz::index_range part = cz::part_of_rank(count, r, ranks);
        BOOST_TEST((part.first == next && part.size() >= count / ranks));
        next = part.last;
      }
      BOOST_TEST(next == count);
    }
  }
}
