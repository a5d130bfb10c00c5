#define BOOST_TEST_MODULE profiled_backend
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <coldzoom/backend/cpu/profiled_backend.hpp>
#include <coldzoom/nn/conv_stack.hpp>
#include <coldzoom/nn/self_attention.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <string>
#include <vector>

namespace cz = coldzoom;

namespace {

constexpr cz::shape dims{3, 2, 8, 8};
using profiled = cz::profiled_backend<float>;
static_assert(cz::Backend<profiled>);

/// dx and the gradients of one step, one after the other.
template <class B, class L> std::vector<float> run(B& b, const L& layer) {
  const std::vector<float> parameters = cz::initial_parameters(layer, 1);
  std::vector<float> gradients(parameters.size());
  const cz::shape out = layer.output_shape(dims);
  auto ws = layer.make_workspace(b, dims, cz::pass::train);
  cz::activation_buffer<B> x(b, dims), dx(b, dims), y(b, out);
  for (cz::index_t i = 0; i < x.view(3).size(); ++i) x.view(3).data[i] = static_cast<float>(i % 7);
  layer.pack_weights(b, parameters.data(), ws);
  layer.forward(b, parameters.data(), x.view(3), {}, y.view(3), ws);
  layer.backward(b, parameters.data(), x.view(3), {}, y.view(3), dx.view(3), gradients.data(), ws);
  layer.reduce_gradients(b, gradients.data(), ws);
  gradients.insert(gradients.end(), dx.view(3).data, dx.view(3).data + dx.view(3).size());
  return gradients;
}

using stack = cz::conv_stack<cz::layer_norm_pixels, cz::gelu>;
stack make_stack() {
  const auto block = [](cz::index_t in, cz::index_t out) -> stack::block {
    return {cz::conv2d::same(in, out, 5), cz::layer_norm_pixels(8, 8)};
  };
  return stack({block(2, 33), block(33, 40)}, cz::conv2d::same(40, 2, 3));
}

}  // namespace

BOOST_AUTO_TEST_CASE(same_bits_a_row_for_each_operation_and_no_overlap) {
  const cz::sequence network(make_stack(), cz::self_attention(2, 1, 1));
  cz::cpu_backend<float> plain(1);
  profiled b(plain);
  const std::vector<float> wanted = run(plain, network);
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(run(b, network) == wanted, boost::test_tools::per_element());
  const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  double sum = 0;
  std::vector<std::string> names;
  for (const cz::profiled_operation& row : b.rows()) {
    sum += row.seconds();
    names.push_back(row.name);
    BOOST_TEST_CONTEXT(row.name) {
      if (row.convolution) {
        BOOST_TEST(row.images == 3);
        BOOST_TEST((row.pack_weights > 0 && row.forward > 0 && row.backward > 0 && row.reduce_gradients > 0));
      }
    }
  }
  BOOST_TEST(sum < total);
  for (const char* name : {"block 2 -> 33, 5 x 5 on 8 x 8", "block 33 -> 40, 5 x 5 on 8 x 8",
                           "convolution 40 -> 2, 3 x 3 on 8 x 8", "norm 2 x 64", "attention 2 x 64, 1 heads",
                           "convolution 2 -> 6, 1 x 1 on 8 x 8", "element by element"}) {
    BOOST_TEST((std::find(names.begin(), names.end(), name) != names.end()), name);
  }

  b.restart();
  for (const cz::profiled_operation& row : b.rows()) BOOST_TEST((row.seconds() == 0 && row.images == 0));
}

// The clock between two blocks does not part them.
BOOST_AUTO_TEST_CASE(blocks_hand_their_images_on) {
  profiled b(cz::cpu_backend<float>(1));
  auto ws = make_stack().make_workspace(b, dims, cz::pass::train);
  BOOST_TEST(bool(ws.input_of_next(0)));
}
