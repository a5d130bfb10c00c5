// A backend's own convolution: whole networks compute with it, whatever the backend derives from.
#define BOOST_TEST_MODULE operations
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/operations.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/every_layer.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;

namespace {

int passes_run = 0;

/// The generic convolution, which counts its passes and keeps its gradients to itself until they are asked
/// for.
template <class Base> class own_convolution : public cz::generic::convolution<Base> {
  using real = cz::real_t<Base>;
  using generic = cz::generic::convolution<Base>;

 public:
  explicit own_convolution(const cz::convolution_geometry& g)
      : generic(g),
        dw_(static_cast<std::size_t>(g.weights())),
        db_(static_cast<std::size_t>(g.out_channels)) {}

  void forward(Base& b, index_t n, const real* x, real* y) const {
    ++passes_run;
    generic::forward(b, n, x, y);
  }
  void backward(Base& b, index_t n, const real* x, const real* dy, real* dx, real*, real*) {
    ++passes_run;
    generic::backward(b, n, x, dy, dx, dw_.data(), db_.data());
  }
  void reduce_gradients(Base&, real* dw, real* db) {
    const auto add = [](std::vector<real>& from, real* to) {
      for (real& value : from) *to++ += std::exchange(value, real(0));
    };
    add(dw_, dw);
    add(db_, db);
  }

 private:
  std::vector<real> dw_, db_;
};

/// `Base` with a convolution of its own, and nothing else.
template <class Base> struct with_own_convolution : Base {
  using Base::Base;
  using convolution = own_convolution<Base>;
  convolution make_convolution(const cz::convolution_geometry& g, index_t, bool) const {
    return convolution(g);
  }
};

template <class L> passes run_on(auto b, const L& layer, cz::shape in) {
  layer_probe<decltype(b), L> probe(b, layer, in);
  probe.time.assign(static_cast<std::size_t>(in.n), 0x1p-12);
  return probe.run();
}

/// Networks on `Base` with and without: the same within rounding, and the convolution has run.
template <class Base> void check_own_convolution() {
  using own = with_own_convolution<Base>;
  static_assert(cz::ConvolutionOperation<typename own::convolution, own>);
  static_assert(std::same_as<cz::convolution_t<own>, typename own::convolution>);
  const auto check = [](const auto& network, cz::shape in, int convolutions) {
    passes_run = 0;
    check_agreement(run_on(own(), network, in), run_on(cz::reference_backend<double>(), network, in));
    BOOST_TEST(passes_run == 2 * convolutions);
  };
  check(cz::reconstructor({1, 2, 9, 8}, {4, 17, 3}, 5), {3, 2, 9, 8}, 4);
  check(small_u_net(), every_layer_image, 5);
}

}  // namespace

BOOST_AUTO_TEST_CASE(networks_compute_with_a_convolution_of_ones_own) {
  check_own_convolution<cz::reference_backend<float>>();
  check_own_convolution<cz::cpu_backend<float>>();             // and not with that of the CPU's blocks
  check_own_convolution<cz::testing::block_backend<float>>();  // and not with spectra
  const cz::reconstructor network({1, 1, 8, 8}, {4, 3}, 3);
  const cz::shape in{2, 1, 8, 8};
  BOOST_TEST((run_on(with_own_convolution<cz::reference_backend<float>>(), network, in) ==
              run_on(cz::reference_backend<float>(), network, in)));
}

namespace {

/// sums[n] = sum of image n.
struct sum_rows {
  const float* elements;
  index_t size;
  float* sums;
  void operator()(index_t n) const {
    double total = 0;
    for (index_t i = 0; i < size; ++i) total += static_cast<double>(elements[n * size + i]);
    sums[n] = static_cast<float>(total);
  }
};
struct sum_blocks {
  static constexpr int most_threads = cz::device::usual_threads;
  sum_rows all;
  template <cz::Block K> void operator()(K& block) const {
    const index_t n = block.index();
    double* shared = block.template shared<double>(block.threads());
    const double total = cz::device::sum(block, shared, [&](int thread) {
      double part = 0;
      for (index_t i = thread; i < all.size; i += block.threads())
        part += static_cast<double>(all.elements[n * all.size + i]);
      return part;
    });
    block.for_each_thread([&](int thread) {
      if (thread == 0) all.sums[n] = static_cast<float>(total);
    });
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(sums_of_images) {
  const auto check = [](auto b, index_t images, index_t size) {
    std::vector<float> elements, sums(static_cast<std::size_t>(images));
    for (index_t i = 0; i < images * size; ++i) elements.push_back(static_cast<float>(i % 13));
    const sum_rows rows{elements.data(), size, sums.data()};
    cz::for_each_image(b, images, size, size, rows, sum_blocks{rows});
    for (index_t n = 0; n < images; ++n) {
      float wanted = 0;  // whole numbers: exact in any order
      for (index_t i = 0; i < size; ++i) wanted += elements[static_cast<std::size_t>(n * size + i)];
      BOOST_TEST(sums[static_cast<std::size_t>(n)] == wanted);
    }
  };
  for (const index_t size : {1, 31, 1000}) {
    check(cz::reference_backend<float>(), 3, size);
    check(cz::cpu_backend<float>(2), 3, size);
    check(cz::testing::block_backend<float>(), 3, size);
  }
}

namespace {
template <class B, class N, class F> using block_of = cz::conv_block_t<B, N::affine, F>;
using gelu = cz::generic::gelu_function;
using silu = cz::generic::silu_function;
struct cube {};  // a function that no backend knows

using cpu = cz::cpu_backend<float>;
using device = cz::testing::block_backend<float>;
using plain = cz::reference_backend<float>;
using pixels = cz::layer_norm_pixels;
}  // namespace

static_assert(std::same_as<block_of<cpu, pixels, gelu>, cpu::conv_block<pixels::affine, gelu>>);
static_assert(
    std::same_as<block_of<cpu, pixels, cube>, cz::generic::conv_block<cpu, cpu::convolution, cube>>);
static_assert(std::same_as<cz::convolution_t<device>, cz::device::convolution<device>>);
static_assert(std::same_as<cz::convolution_t<plain>, cz::generic::convolution<plain>>);
static_assert(cz::ConvBlockOperation<block_of<cpu, cz::layer_norm_image, silu>, cpu>);
static_assert(cz::ConvBlockOperation<block_of<device, cz::group_norm, silu>, device>);
static_assert(cz::ConvBlockOperation<block_of<plain, pixels, gelu>, plain>);
static_assert(!cz::ConvBlockOperation<cz::convolution_t<cpu>, cpu>);
static_assert(cz::NormalisationOperation<cz::normalisation_t<plain, pixels::affine, silu>, plain>);
static_assert(cz::NormalisationOperation<cz::normalisation_t<device, pixels::affine, silu>, device>);
static_assert(cz::NormalisationOperation<cz::normalisation_t<cpu, pixels::affine, silu>, cpu>);
static_assert(!cz::NormalisationOperation<cz::convolution_t<cpu>, cpu>);
static_assert(std::same_as<cz::attention_t<cpu>, cz::cpu_attention<float>>);
static_assert(cz::AttentionOperation<cz::attention_t<cpu>, cpu>);
static_assert(cz::AttentionOperation<cz::attention_t<device>, device>);
static_assert(!cz::AttentionOperation<cz::convolution_t<cpu>, cpu>);
