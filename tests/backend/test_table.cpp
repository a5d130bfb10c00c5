// The table of docs/backends.md says what the backends of the host do.
#define BOOST_TEST_MODULE table
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/backend_table.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

int products, loops, blocks;  // that have run since `counted` was called

/// `Base` that counts.
template <class Base> struct counting : Base {
  void gemm(auto... arguments) {
    ++products;
    Base::gemm(arguments...);
  }
  template <class Kernel> void for_each_index(index_t n, const Kernel& kernel, index_t cost = 1) {
    ++loops;
    Base::for_each_index(n, kernel, cost);
  }
  template <class Kernel>
  void for_each_block(index_t count, int threads, index_t shared,
                      const Kernel& kernel) requires cz::BlockBackend<Base> {
    ++blocks;
    Base::for_each_block(count, threads, shared, kernel);
  }
};
using plain = counting<cz::reference_backend<float>>;
using in_blocks = counting<cz::testing::block_backend<float>>;
static_assert(!cz::BlockBackend<plain> && cz::BlockBackend<in_blocks>);

/// Runs `work` and counts anew.
template <class Work> void counted(Work&& work) {
  products = loops = blocks = 0;
  work();
}
template <class B, class L> void run(const L& layer, cz::shape in) {
  counted([&] { layer_probe<B, L>(B(), layer, in).run(); });
}
template <class B> void run_squared_error() {
  B b;
  const cz::shape dims{2, 3, 5, 4};
  const std::vector<float> target(static_cast<std::size_t>(dims.size()));
  cz::activation_buffer<B> prediction(b, dims), gradient(b, dims);
  std::vector<float> per_image(2);
  counted([&] {
    cz::mean_squared_error{}(b, cz::const_activation<B>(prediction.view(2)), {target.data(), dims}, {}, 1,
                             gradient.view(2), {per_image.data(), 2});
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(docs_say_what_the_host_s_backends_do) {
  backend_table::check<cz::reference_backend<float>>("reference_backend");
  backend_table::check<cz::cpu_backend<float>>("cpu_backend");
}

// No concept says what runs these; the table takes them from here.
BOOST_AUTO_TEST_CASE(what_runs_where_no_operation_is_a_backend_s_own) {
  run<plain>(cz::linear{4, 5}, {3, 4, 1, 1});
  BOOST_TEST(products > 0);
  run<plain>(cz::layer_norm_pixels{5, 4}, {2, 3, 5, 4});
  BOOST_TEST((blocks == 0 && loops > 0));
  run<in_blocks>(cz::layer_norm_pixels{5, 4}, {2, 3, 5, 4});
  BOOST_TEST(blocks > 0);
  run<plain>(cz::group_norm{1, 3}, {2, 3, 5, 4});
  BOOST_TEST((blocks == 0 && loops > 0));
  run<in_blocks>(cz::group_norm{1, 3}, {2, 3, 5, 4});
  BOOST_TEST(blocks > 0);
  run_squared_error<plain>();
  BOOST_TEST((blocks == 0 && loops > 0));
  run_squared_error<in_blocks>();
  BOOST_TEST((blocks > 0 && loops == 0));
}

BOOST_AUTO_TEST_CASE(cells_of_a_line) {
  const std::vector<std::string> wanted{"a b", "", "c"};
  BOOST_TEST(backend_table::cells("| a b |  | c |") == wanted, boost::test_tools::per_element());
}
