#define BOOST_TEST_MODULE golden
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "common/worse.hpp"
#include "oracle/network_pass.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

/// Compares what `ours` has of `golden`: y, loss and all gradients of `list`. `idle(name)` names a tensor whose
/// gradient is zero but for rounding: it is measured against that of the weights, which stand before it.
template <class Idle>
void compare(const cz::safetensors_file& golden, const cz::safetensors_file& ours,
             const cz::parameter_list& list, const Idle& idle) {
  double worst = 0;
  const auto one = [&](const std::string& name, const auto& found, double scale = 0) {
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
    // 1e-5 is about 170 roundings of float; the longest sums have 294 terms and some layers follow each other.
    BOOST_TEST(error < 1e-5, name << " is off by " << error);
    worst = worse(worst, error);
    return std::sqrt(size);
  };
  one("y", ours.values<float>("y"));
  one("loss", ours.values<double>("loss"));
  double weight_norm = 0;
  for (const auto& tensor : list) {
    const std::string name = "grad." + tensor.name;
    const double norm = one(name, ours.values<float>(name, tensor.dims), idle(name) ? weight_norm : 0);
    if (tensor.name.ends_with(".weight")) weight_norm = norm;
  }
  BOOST_TEST_MESSAGE("worst error " << worst);
}

}  // namespace

// Against PyTorch in float64: tests/oracle/torch_parity.py --make-golden, which says what the file holds.
BOOST_AUTO_TEST_CASE(reconstructor_of_pytorch) {
  const auto golden =
      cz::load_safetensors(std::string(COLDZOOM_TESTS_DIR) + "/oracle/data/network_golden.safetensors");
  const auto ours = run_pass(golden, golden);
  const cz::parameter_list list = cz::parameters_of(network_of(golden));
  BOOST_TEST(list.size() == 22);
  // The bias of a convolution in front of a layer norm has no influence; both sum the same terms.
  compare(golden, ours, list, [](const std::string& name) { return name.ends_with(".net.0.bias"); });
  BOOST_TEST(ours.values<float>("gt.frequencies") == golden.values<float>("gt.frequencies"));
}

// Against diffusers in float64: tests/oracle/diffusers_parity.py --make-golden. The embedding is added in the first
// file; in the second it scales and shifts, and averages lead down and transposed convolutions up.
BOOST_AUTO_TEST_CASE(unets_with_attention_and_labels_of_diffusers) {
  for (const auto& [name, tensors] : {std::pair("", 145u), std::pair("film_", 141u)}) {
    const auto golden = cz::load_safetensors(std::string(COLDZOOM_TESTS_DIR) +
                                             "/oracle/data/attention_unet_" + name + "golden.safetensors");
    const cz::attention_unet net = unet_of(golden);
    const cz::parameter_list list = cz::parameters_of(net);
    BOOST_TEST(list.size() == tensors);
    // The bias of the keys moves all scores of a query alike. A norm behind conv1 takes the mean of its bias over a
    // group away, so the terms of that gradient cancel, and what is left is small beside them.
    compare(golden, run_pass(net, golden, golden), list, [](const std::string& tensor) {
      return tensor.ends_with(".to_k.bias") || tensor.ends_with(".conv1.bias");
    });
  }
}
