#define BOOST_TEST_MODULE examine_degradation
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/any_degradation.hpp>
#include <coldzoom/degradation/compose.hpp>
#include <coldzoom/degradation/fade.hpp>
#include <coldzoom/schedule/curve.hpp>
#include <coldzoom/testing/examine_degradation.hpp>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using cpu = cz::cpu_backend<float>;
using any = cz::any_degradation<cpu, cz::centred>;  // one compilation for all degradations
using cz::index_t;
using cz::testing::degradation_report;

namespace {

/// Independent pixels of variance 1 / 12.
const host_images images = random_images({900, 1, 2, 3}, 1);

degradation_report examined(const any& d, const cz::table_schedule& schedule) {
  cpu b(1);
  return cz::testing::examine_degradation(b, d, schedule, images.view());
}

cz::table_schedule even(int steps) {
  std::vector<float> levels;
  for (int t = 0; t <= steps; ++t) levels.push_back(static_cast<float>(t) / static_cast<float>(steps));
  return cz::table_schedule(levels);
}

bool says_fault(const degradation_report& report, const std::string& words) {
  using cz::testing::finding;
  const std::vector<finding> all = cz::testing::findings_of(report);
  return std::any_of(all.begin(), all.end(), [&](const finding& f) {
    return f.what == finding::kind::fault && f.text.find(words) != std::string::npos;
  });
}
bool says_note(const degradation_report& report, const std::string& words) {
  using cz::testing::finding;
  const std::vector<finding> all = cz::testing::findings_of(report);
  return std::any_of(all.begin(), all.end(), [&](const finding& f) {
    return f.what == finding::kind::note && f.text.find(words) != std::string::npos;
  });
}

/// All pixels go out, at a level of its own each.
struct dropping {
  COLDZOOM_HD float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               cz::sample_key key) const {
    return cz::random_uniform(key, static_cast<std::uint64_t>(y * x0.w + x)) < level ? 0.0f : x0(c, y, x);
  }
};

// The faults.
struct dark_from_the_start {
  COLDZOOM_HD float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    return x0(c, y, x) - 0.1f - level;
  }
};
struct infinite {
  COLDZOOM_HD float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    return level < 1 ? x0(c, y, x) : std::log(level - 1.0f);
  }
};
struct counting {
  mutable float calls = 0;
  template <class B>
  void apply(B& b, cz::const_image_tensor<B> x0, cz::const_levels<B> level, cz::image_tensor<B> out) const {
    cz::degrade(b, cz::fade{{++calls, 0, 0}}, host_images::const_batch(x0), level, {},
                host_images::batch(out));
  }
};
struct shuffled {  // image n becomes the image before it
  template <class B>
  void apply(B&, cz::const_image_tensor<B> x0, cz::const_levels<B> level, cz::image_tensor<B> out) const {
    for (index_t i = 0; i < x0.dims.size(); ++i)
      out.data[i] = x0.data[level[0] > 0 && i >= x0.dims.image() ? i - x0.dims.image() : i];
  }
};
static_assert(cz::Degradation<counting, cpu> && cz::Degradation<shuffled, cpu>);

}  // namespace

BOOST_AUTO_TEST_CASE(a_linear_predictor_recovers_the_share_that_theory_says) {
  // Fading to 0 with noise: per pixel signal^2 v / (signal^2 v + noise^2), v = 1 / 12. Six numbers from 600 images: the
  // share is known to about 0.02.
  const degradation_report report = examined(any(cz::with_noise(cz::fade{}, 0.4f)), even(4));
  BOOST_REQUIRE(report.steps.size() == 4);
  for (const cz::testing::degradation_step& step : report.steps) {
    const double level = static_cast<double>(step.level), signal = (1 - level) * (1 - level) / 12,
                 noise = 0.16 * level * level;
    BOOST_TEST(std::abs(step.recovered - signal / (signal + noise)) < 0.03);
    // The distance: level^2 of the signal, and the noise.
    BOOST_TEST(std::abs(step.distance - std::sqrt(level * level / 12 + noise)) < 0.02);
  }
  BOOST_TEST(report.total == 4);
  BOOST_TEST(report.random);
  BOOST_TEST((report.finite && report.repeatable && report.independent));
  BOOST_TEST(report.farthest_at_0 == 0);
  BOOST_TEST(report.above > 0.1);
  BOOST_TEST(says_note(report, "leave the range"));
}

BOOST_AUTO_TEST_CASE(samplers_are_compared) {
  // Pixels that are known stay known under tacos; the linear predictor blurs them again under naive.
  const degradation_report report = examined(any(dropping{}), even(8));
  BOOST_TEST(report.sampled.at("tacos") < report.sampled.at("naive"));
  BOOST_TEST(!says_note(report, "naive_sampler fits better"));
  degradation_report moved = report;
  moved.sampled = {{"naive", 0.1}, {"tacos", 0.2}, {"direct", 0.1}};
  BOOST_TEST(says_note(moved, "naive_sampler fits better"));
}

BOOST_AUTO_TEST_CASE(advice_on_the_schedule) {
  const degradation_report same = examined(any(cz::fade{}), cz::table_schedule({0, 0.5f, 0.5f}));
  BOOST_TEST(says_note(same, "Step 2 looks like the step before it"));
  BOOST_TEST(says_note(same, "still recovers 100 %"));
  const degradation_report sudden = examined(any(dropping{}), cz::table_schedule({0, 0.9f, 1}));
  BOOST_TEST(says_note(sudden, "Step 1 loses more than half"));
  degradation_report back = same;
  back.steps[0].recovered = 0.2;
  BOOST_TEST(says_note(back, "At step 2 more of the images"));
}

BOOST_AUTO_TEST_CASE(faults_are_named) {
  BOOST_TEST(says_fault(examined(any(dark_from_the_start{}), even(2)), "D(x, 0) is off x by up to 10 %"));
  BOOST_TEST(says_fault(examined(any(infinite{}), even(2)), "not finite"));
  BOOST_TEST(says_fault(examined(any(counting{}), even(2)), "A second call"));
  BOOST_TEST(says_fault(examined(any(shuffled{}), even(2)), "alone than in a batch"));
  cpu b(1);
  const host_images few = random_images({29, 1, 2, 3}, 1);
  BOOST_CHECK_EXCEPTION(cz::testing::examine_degradation(b, cz::fade{}, even(2), few.view()), cz::error,
                        says("examine_degradation: found 29 images, wanted at least 30"));
}
