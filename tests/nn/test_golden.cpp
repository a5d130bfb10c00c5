#define BOOST_TEST_MODULE golden
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "oracle/network_pass.hpp"

namespace cz = coldzoom;
using cz::index_t;

// Against PyTorch in float64: tests/oracle/torch_parity.py --make-golden, which says what the file holds.
BOOST_AUTO_TEST_CASE(output_loss_and_gradients_of_pytorch) {
  const auto golden =
      cz::load_safetensors(std::string(COLDZOOM_TESTS_DIR) + "/oracle/data/network_golden.safetensors");
  const auto ours = run_pass(golden, golden);

  double worst = 0;
  int compared = 0;
  const auto compare = [&](const std::string& name, const auto& found, double scale = 0) {
    const cz::named_array& array = *golden.find(name);
    const auto& wanted = std::get<std::vector<double>>(array.data);
    // Rows may be left out of a large matrix: all, or every eighth.
    const auto rows = array.shape.empty() ? 1 : static_cast<std::size_t>(array.shape[0]);
    const std::size_t row = wanted.size() / rows, every = found.size() / wanted.size();
    BOOST_REQUIRE(found.size() == every * wanted.size());
    double off = 0, size = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const double difference = static_cast<double>(found[i / row * every * row + i % row]) - wanted[i];
      off += difference * difference;
      size += wanted[i] * wanted[i];
    }
    const double error = std::sqrt(off) / (scale > 0 ? scale : std::sqrt(size));
    // 1e-5 is about 170 roundings of float; the longest sums have 294 terms and four layers follow each
    // other.
    BOOST_TEST(error < 1e-5, name << " is off by " << error);
    worst = std::max(worst, error);
    ++compared;
    return std::sqrt(size);
  };

  compare("y", ours.values<float>("y"));
  compare("loss", ours.values<double>("loss"));
  cz::parameter_list list;
  network_of(golden).describe(list, "");
  double weight_norm = 0;
  for (const auto& tensor : list) {
    // The bias of a convolution in front of a layer norm has no influence, so its gradient is zero but for
    // rounding, and is measured against that of its weights: both sum the same terms.
    const bool idle = tensor.name.ends_with(".net.0.bias");
    const std::string name = "grad." + tensor.name;
    weight_norm = compare(name, ours.values<float>(name, tensor.dims), idle ? weight_norm : 0);
  }
  BOOST_TEST(compared == 2 + 22);
  BOOST_TEST(ours.values<float>("gt.frequencies") == golden.values<float>("gt.frequencies"));
  BOOST_TEST_MESSAGE("worst error " << worst);
}
