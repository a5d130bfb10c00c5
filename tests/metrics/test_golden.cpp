#define BOOST_TEST_MODULE metrics_golden
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/metrics/class_scores.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <coldzoom/metrics/kernel_distance.hpp>
#include <coldzoom/metrics/manifold.hpp>
#include <coldzoom/metrics/restoration.hpp>

#include "common/eigensolver.hpp"
#include "common/safetensors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

// Against numpy and scipy in float64: tests/oracle/make_metrics_golden.py, which says what the file holds.
const cz::safetensors_file& golden() {
  static const auto file =
      cz::load_safetensors(std::string(COLDZOOM_TESTS_DIR) + "/oracle/data/metrics_golden.safetensors");
  return file;
}

cz::feature_set rows(const std::string& name) {
  cz::feature_set x;
  x.values = golden().values<float>(name);
  x.n = golden().find(name)->shape[0];
  x.d = golden().find(name)->shape[1];
  return x;
}

void check_near(const std::vector<double>& found, const std::string& name, double tolerance) {
  const std::vector<double> wanted = golden().values<double>(name);
  BOOST_REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    BOOST_TEST(std::abs(found[i] - wanted[i]) < tolerance, name << ": " << found[i] << " for " << wanted[i]);
}

}  // namespace

BOOST_AUTO_TEST_CASE(distances_of_features) {
  cz::cpu_backend<float> b(2);
  const cz::feature_set x = rows("x"), y = rows("y");
  // Values of order 100 in double; scipy's square root of the product, which is not symmetric, loses a few
  // digits more than ours.
  check_near({cz::frechet_distance(cz::moments_of(b, x), cz::moments_of(b, y)).distance}, "frechet", 1e-9);
  // Kernel values up to 1e3, each of relative error d 2^-24 = 4e-7 at most, which mostly cancel in the mean.
  const cz::feature_view all = x;
  check_near({cz::detail::kernel_discrepancy(b, all.rows(0, y.n), y)}, "kernel", 1e-4);
  const cz::manifold_scores scores = cz::compare_manifolds(b, x, y);
  check_near({scores.precision, scores.recall, scores.density, scores.coverage}, "manifold", 1e-14);
}

BOOST_AUTO_TEST_CASE(scores_of_classes) {
  const cz::feature_set rounded = cz::softmax(rows("logits"));
  const cz::class_probabilities p(rounded);
  // Probabilities rounded to float: 6e-8 of values of order 1.
  check_near({cz::classifier_score(p)}, "classifier_score", 1e-6);
  const std::vector<double> histogram = cz::class_histogram(p), even(5, 0.2);
  check_near(histogram, "histogram", 1e-15);
  check_near({cz::class_divergence(histogram, even)}, "divergence", 1e-14);
  check_near({cz::class_variation(histogram, even)}, "variation", 1e-15);
  check_near({cz::unconfident_share(p)}, "unconfident", 1e-15);
}

BOOST_AUTO_TEST_CASE(restoration) {
  cz::cpu_backend<float> b(2);
  const std::vector<index_t>& s = golden().find("original")->shape;
  const cz::shape dims{s[0], s[1], s[2], s[3]};
  const std::vector<float> a = golden().values<float>("restored"), c = golden().values<float>("original");
  const cz::image_batch<cz::unit, const float> restored(cz::tensor_view<const float>(a.data(), dims)),
      original(cz::tensor_view<const float>(c.data(), dims));
  check_near(cz::rmse(b, restored, original), "rmse", 1e-13);
  check_near(cz::psnr(b, restored, original), "psnr", 1e-11);
  check_near(cz::ssim(b, restored, original), "ssim", 1e-11);
}
