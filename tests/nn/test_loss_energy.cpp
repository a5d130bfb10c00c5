#define BOOST_TEST_MODULE loss_energy
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/energy_score.hpp>

#include "common/errors.hpp"
#include "common/loss_laws.hpp"

namespace cz = coldzoom;

namespace {

const cz::energy_score of_three{.draws = 3, .exponent = 1.5, .smoothing = 0.3};

/// The definition, written out in double for the draws of image n.
template <class B> double by_definition(const image_problem<B>& p, const cz::energy_score& loss, index_t n) {
  const index_t size = p.dims.image(), m = loss.draws;
  const auto draw = [&](index_t j, index_t i) {
    return p.y[static_cast<std::size_t>((n * m + j) * size + i)];
  };
  const auto norm = [&](auto difference) {
    double total = loss.smoothing * loss.smoothing;
    for (index_t i = 0; i < size; ++i)
      total +=
          static_cast<double>(p.pixel[static_cast<std::size_t>(n * size + i)]) * std::pow(difference(i), 2.0);
    return std::pow(std::sqrt(total), loss.exponent);
  };
  double score = 0;
  for (index_t j = 0; j < m; ++j) {
    score += norm([&](index_t i) {
               return draw(j, i) - static_cast<double>(p.target[static_cast<std::size_t>(n * size + i)]);
             }) /
             static_cast<double>(m);
    for (index_t k = 0; k < m; ++k) {
      if (k != j)
        score -=
            norm([&](index_t i) { return draw(j, i) - draw(k, i); }) / static_cast<double>(2 * m * (m - 1));
    }
  }
  return score;
}

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(gradients, B, double_backends) {
  check_loss_gradient<B>(cz::energy_score());
  check_loss_gradient<B>(of_three);
  check_loss_gradient<B>(cz::energy_score{.draws = 8, .exponent = 0.5, .smoothing = 0});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(independence, B, all_backends) {
  check_loss_independence<B>(cz::energy_score());
  check_loss_independence<B>(of_three);
}

BOOST_AUTO_TEST_CASE(threads) {
  check_loss_threads(cz::energy_score());
  check_loss_threads(of_three);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(against_the_definition, B, all_backends) {
  const double unit = static_cast<double>(std::numeric_limits<cz::real_t<B>>::epsilon());
  for (const cz::energy_score& loss : {cz::energy_score{}, of_three}) {
    const image_problem<B> p({3, 2, 3, 4}, loss.draws);
    const outcome found = p.whole(loss, p.weights());
    for (index_t n = 0; n < 3; ++n) {
      const auto at = static_cast<std::size_t>(n);
      const double wanted = static_cast<double>(p.image[at]) * loss.scale(p.dims) * by_definition(p, loss, n);
      // Distances are taken of differences in the real type, and cancel by less than a factor of 8.
      BOOST_TEST(std::abs(found.per_image[at] - wanted) <= 16 * unit * std::abs(wanted));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closed_forms, B, double_backends) {
  const cz::shape dims{2, 1, 2, 2};
  const std::vector<double> target(8, 1.0);
  const auto score = [&](const cz::energy_score& loss, const values& y) {
    return evaluate<B>(loss, dims.with_n(2 * loss.draws), 2, y, cz::const_tensor<B>(target.data(), dims), {},
                       loss.scale(dims));
  };
  // Draws that are all alike: the root of the mean squared error.
  BOOST_TEST(std::abs(score({.draws = 3, .smoothing = 0}, values(24, 3.0)).total - 2.0) < 1e-15);
  // Exponent 2: with a and b off by 1 and 3 everywhere, (1 + 9) / 2 - (3 - 1)^2 / 2 = 3.
  values y(16, 2.0);
  for (std::size_t i : {4u, 5u, 6u, 7u, 12u, 13u, 14u, 15u}) y[i] = 4;
  BOOST_TEST(std::abs(score({.exponent = 2, .smoothing = 0}, y).total - 3.0) < 1e-15);
  // All equal and no smoothing: no slope, and no NaN.
  const outcome equal = score({.smoothing = 0}, values(16, 1.0));
  BOOST_TEST((equal.total == 0 && equal.gradient == values(16)));
}

// Draws of the true law score best, and no shift of them would score better.
BOOST_AUTO_TEST_CASE(proper) {
  using backend = cz::reference_backend<double>;
  const cz::energy_score loss{.draws = 2, .exponent = 1, .smoothing = 0.05};
  const cz::shape dims{20000, 1, 2, 2};
  const values target = random_values(dims.size(), 1), noise = random_values(2 * dims.size(), 2);
  const auto of_law = [&](double shift, double spread) {
    values y(noise);
    for (double& v : y) v = shift + spread * v;
    return evaluate<backend>(loss, dims.with_n(2 * dims.n), dims.n, y,
                             cz::const_tensor<backend>(target.data(), dims), {}, loss.scale(dims));
  };
  const outcome truth = of_law(0, 1);
  for (const auto& [shift, spread] : {std::pair{0.4, 1.0}, {-0.4, 1.0}, {0.0, 0.5}, {0.0, 1.6}, {0.0, 0.0}}) {
    const outcome other = of_law(shift, spread);
    double mean = 0, square = 0;
    for (std::size_t n = 0; n < truth.per_image.size(); ++n) {
      const double worse = other.per_image[n] - truth.per_image[n];
      mean += worse;
      square += worse * worse;
    }
    BOOST_TEST(mean > 5 * std::sqrt(square), "shift " << shift << ", spread " << spread << ": " << mean);
  }
  double sum = 0, square = 0;  // the slope by a common shift of all draws, image by image
  for (std::size_t n = 0; n < truth.per_image.size(); ++n) {
    double slope = 0;
    for (std::size_t i = 8 * n; i < 8 * (n + 1); ++i) slope += truth.gradient[i];
    sum += slope;
    square += slope * slope;
  }
  BOOST_TEST(std::abs(sum) < 4 * std::sqrt(square));
}

BOOST_AUTO_TEST_CASE(arguments_that_do_not_fit) {
  using backend = cz::reference_backend<float>;
  backend b;
  cz::activation_buffer<backend> y(b, {4, 3, 1, 1});
  const float target[6]{};
  float per_image[2];
  const auto score = [&](cz::energy_score loss, index_t images) {
    return message_of([&] {
      loss(b, y.view(images), cz::const_tensor<backend>(target, {2, 3, 1, 1}), cz::loss_weights<backend>{},
           1.0, cz::activation<backend>{}, {per_image, 2});
    });
  };
  BOOST_TEST(score({}, 4) == "no error");
  BOOST_TEST(score({}, 2) ==
             "energy_score: the prediction is 2 x 3 x 1 x 1, wanted 4 x 3 x 1 x 1: 2 draws of each target");
  BOOST_TEST(score({.draws = 1}, 2) == "energy_score: there are 1 draws of an image, wanted 2 to 8");
  BOOST_TEST(score({.draws = 9}, 4) == "energy_score: there are 9 draws of an image, wanted 2 to 8");
  BOOST_TEST(score({.exponent = 0}, 4) ==
             "energy_score: the exponent is 0.000000; it must lie above 0 and be at most 2");
  BOOST_TEST(score({.smoothing = -1}, 4) ==
             "energy_score: the smoothing is -1.000000; it must be at least 0");
}
