#define BOOST_TEST_MODULE loss_concepts
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/cross_entropy.hpp>
#include <coldzoom/nn/energy_score.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <memory>
#include <string>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;
using reference = cz::reference_backend<float>;

namespace {

/// What the concept demands and nothing else, in an odd form: targets of its own kind, no default
/// constructor, an integer scale, and a result that nobody asked for.
struct archetype_loss {
  struct number {
    float wanted;
  };
  template <class B> using target = number;

  explicit archetype_loss(int) {}
  int scale(cz::shape) const { return 1; }
  template <class B>
  bool operator()(B&, cz::const_activation<B> prediction, number from, const cz::loss_weights<B>&,
                  double scale, cz::activation<B> d_prediction,
                  cz::vector_view<float, typename B::space> per_image) const {
    for (index_t n = 0; n < per_image.size; ++n) {
      per_image[n] = static_cast<float>(scale) * (prediction(n, 0, 0, 0) - from.wanted);
      if (d_prediction.data) d_prediction(n, 0, 0, 0) = static_cast<float>(scale);
    }
    return true;
  }
};
static_assert(cz::Loss<archetype_loss, reference> && cz::check_loss<archetype_loss, reference>());

struct moves_alone : archetype_loss {
  std::unique_ptr<int> memory;
};
struct no_target {
  double scale(cz::shape) const { return 1; }
  template <class... Any> void operator()(Any&&...) const {}
};
struct text_scale : archetype_loss {
  std::string scale(cz::shape) const { return "large"; }
};
struct changing_scale : archetype_loss {
  double scale(cz::shape) { return 1; }
};
struct without_weights {
  template <class B> using target = cz::const_tensor<B>;
  double scale(cz::shape) const { return 1; }
  template <class B>
  void operator()(B&, cz::const_activation<B>, cz::const_tensor<B>, double, cz::activation<B>,
                  cz::vector_view<float, typename B::space>) const {}
};
static_assert(!cz::Loss<moves_alone, reference> && !cz::Loss<no_target, reference>);
static_assert(!cz::Loss<text_scale, reference> && !cz::Loss<changing_scale, reference>);
static_assert(!cz::Loss<without_weights, reference> && !cz::Loss<int, reference>);
static_assert(!cz::Loss<archetype_loss, int> && !cz::Loss<cz::mean_squared_error, int>);

template <class B>
constexpr bool shipped =
    cz::check_loss<cz::mean_squared_error, B>() && cz::check_loss<cz::mean_absolute_error, B>() &&
    cz::check_loss<cz::huber, B>() && cz::check_loss<cz::energy_score, B>() &&
    cz::check_loss<cz::softmax_cross_entropy, B>();
static_assert(shipped<reference> && shipped<cz::cpu_backend<double>> &&
              shipped<cz::testing::block_backend<float>>);

/// log cosh, a function of one's own.
struct log_cosh_function {
  static constexpr const char* name = "log_cosh";
  template <class Real> COLDZOOM_HD Real value(Real d) const { return std::log(std::cosh(d)); }
  template <class Real> COLDZOOM_HD Real slope(Real d) const { return std::tanh(d); }
  template <class Visit> void for_each_number(const Visit&) const {}
};
static_assert(shipped<reference> && cz::check_loss<cz::pixel_loss<log_cosh_function>, reference>());

}  // namespace

BOOST_AUTO_TEST_CASE(draws) {
  BOOST_TEST(cz::draws_of(archetype_loss(1)) == 1);
  BOOST_TEST(cz::draws_of(cz::mean_squared_error()) == 1);
  BOOST_TEST(cz::draws_of(cz::energy_score{.draws = 5}) == 5);
}

BOOST_AUTO_TEST_CASE(names_and_numbers) {
  const auto text = [](const auto& loss) {
    std::string all = loss.name;
    loss.for_each_number([&](const char* name, double value) {
      for (const std::string& word : {std::string(name), std::to_string(value).substr(0, 4)}) {
        all += ' ';
        all += word;
      }
    });
    return all;
  };
  BOOST_TEST(text(cz::mean_squared_error()) == "mean_squared_error");
  BOOST_TEST(text(cz::mean_absolute_error()) == "mean_absolute_error");
  BOOST_TEST(text(cz::huber{0.5}) == "huber delta 0.50");
  BOOST_TEST(text(cz::energy_score()) == "energy_score draws 2.00 exponent 1.00 smoothing 0.05");
  BOOST_TEST(text(cz::softmax_cross_entropy()) == "softmax_cross_entropy");
  BOOST_TEST(text(cz::pixel_loss<log_cosh_function>()) == "log_cosh");
}

BOOST_AUTO_TEST_CASE(an_archetype_is_called) {
  reference b;
  cz::activation_buffer<reference> y(b, {2, 1, 1, 1}), d(b, {2, 1, 1, 1});
  y.view(2).data[1] = 5;
  std::vector<float> per_image(2);
  const archetype_loss loss(1);
  loss(b, cz::const_activation<reference>(y.view(2)), {3}, cz::loss_weights<reference>{}, loss.scale({}),
       d.view(2), {per_image.data(), 2});
  BOOST_TEST((per_image == std::vector<float>{-3, 2} && d.view(2).data[0] == 1));
}
