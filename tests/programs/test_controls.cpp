// What the scores make of real images spoilt in known ways. Each must be clearly worse than real ones in the
// score that is meant to see it.
#define BOOST_TEST_MODULE controls
#include <boost/test/unit_test.hpp>
#include <coldzoom/io/npy.hpp>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "common/controls.hpp"
#include "common/digits.hpp"
#include "common/errors.hpp"
#include "common/scores.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

constexpr index_t count = 2500;

/// Scores of real images and of the four controls, of `count` images each.
struct fixture {
  programs::host_backend b;
  programs::machine m{b, b};
  programs::scorer score{m, programs::load_classifier(programs::embedded_classifier), "embedded",
                         embedded_digits()};
  std::map<std::string, nlohmann::ordered_json> of;

  fixture() {
    const cz::labelled_images& train = embedded_digits().train;
    const auto add = [&](const char* name, const programs::image_set& images) {
      BOOST_REQUIRE(images.dims.n == count);
      of[name] = score.score(programs::source_of(images));
      BOOST_TEST_MESSAGE(name << " " << of[name].dump());
    };
    add("real", programs::to_image_set(train, count));
    add("noise", programs::with_noise(train, count, 0.1f));
    add("blur", programs::with_blur(train, count));
    add("without 1", programs::without_class(train, count, 1));
    add("repeated", programs::repeated_images(train, 250, 10));
  }
};
fixture& scored() {
  static fixture once;
  return once;
}
double score_of(const std::string& set, const char* name) { return scored().of.at(set).at(name); }

}  // namespace

BOOST_AUTO_TEST_CASE(real_images_set_the_floor) {
  // Two halves of one population: KID is 0 within its error, few real digits lie off the others.
  BOOST_TEST(std::abs(score_of("real", "kid")) < 5 * score_of("real", "kid_error"));
  BOOST_TEST(score_of("real", "precision") > 0.9);
  BOOST_TEST(score_of("real", "recall") > 0.9);
  BOOST_TEST(score_of("real", "class_kl") < 0.02);
  BOOST_TEST(score_of("real", "unconfident_share") < 0.05);
  BOOST_TEST(score_of("real", "duplicate_share") == 0);
  BOOST_TEST(score_of("real", "copy_share") == 1);  // they are training images
}

BOOST_AUTO_TEST_CASE(noise_and_blur_are_no_real_images) {
  for (const char* set : {"noise", "blur"}) {
    BOOST_TEST_CONTEXT(set) {
      BOOST_TEST(score_of(set, "frechet_distance") > 1.5 * score_of("real", "frechet_distance"));
      BOOST_TEST(score_of(set, "kid") > score_of("real", "kid") + 3 * score_of(set, "kid_error"));
      BOOST_TEST(score_of(set, "precision") < score_of("real", "precision") - 0.05);
      BOOST_TEST(score_of(set, "density") < score_of("real", "density") - 0.2);
    }
  }
  BOOST_TEST(score_of("noise", "coverage") < score_of("real", "coverage") - 0.1);
  BOOST_TEST(score_of("blur", "precision") < score_of("real", "precision") - 0.2);
  BOOST_TEST(score_of("blur", "unconfident_share") > 2 * score_of("real", "unconfident_share"));
}

BOOST_AUTO_TEST_CASE(a_missing_digit_shows_in_the_classes_and_in_the_coverage) {
  BOOST_TEST(score_of("without 1", "class_kl") > 5 * score_of("real", "class_kl"));
  BOOST_TEST(score_of("without 1", "total_variation") > 2 * score_of("real", "total_variation"));
  BOOST_TEST(score_of("without 1", "frechet_distance") > 3 * score_of("real", "frechet_distance"));
  BOOST_TEST(score_of("without 1", "recall") < score_of("real", "recall") - 0.05);
  BOOST_TEST(score_of("without 1", "coverage") < score_of("real", "coverage") - 0.05);
  // What there is, is real.
  BOOST_TEST(score_of("without 1", "precision") > 0.9);
}

BOOST_AUTO_TEST_CASE(repetition_shows_in_duplicates_and_coverage) {
  BOOST_TEST(score_of("repeated", "duplicate_share") == 1);
  BOOST_TEST(score_of("repeated", "recall") < score_of("real", "recall") / 2);
  BOOST_TEST(score_of("repeated", "coverage") < score_of("real", "coverage") / 2);
  BOOST_TEST(score_of("repeated", "frechet_distance") > 1.5 * score_of("real", "frechet_distance"));
  BOOST_TEST(score_of("repeated", "precision") > 0.9);
}

BOOST_AUTO_TEST_CASE(held_out_images_are_no_copies_and_the_test_split_is_its_own_reference) {
  const programs::image_set test = programs::to_image_set(embedded_digits().test);
  programs::host_backend one(1);
  programs::machine on_one(one, one);
  programs::scorer score(on_one, programs::load_classifier(programs::embedded_classifier), "embedded",
                         embedded_digits());
  const nlohmann::ordered_json scores = score.score(programs::source_of(test));
  // A hundredth of them lies below the distance that a hundredth of them sets.
  BOOST_TEST(std::abs(scores.at("copy_share").get<double>() - 0.01) < 1e-3);
  BOOST_TEST(std::abs(scores.at("frechet_distance").get<double>()) < 1e-6);
  BOOST_TEST(scores.at("class_kl") == 0);
  BOOST_TEST(scores.at("precision") == 1);
  BOOST_TEST(scores.at("coverage") == 1);
  // The same on another number of threads.
  programs::host_backend three(3);
  programs::machine on_three(three, three);
  programs::scorer again(on_three, programs::load_classifier(programs::embedded_classifier), "embedded",
                         embedded_digits());
  BOOST_TEST(again.score(programs::source_of(test)) == scores);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  programs::scorer& score = scored().score;
  // Too few for all scores are enough for some.
  const nlohmann::ordered_json few =
      score.score(programs::source_of(programs::to_image_set(embedded_digits().test, 600)));
  BOOST_TEST(few.at("frechet_infinity").is_null());
  BOOST_TEST(few.at("frechet_distance").is_number());
  const std::string warning = few.at("warnings").at(1).get<std::string>();
  BOOST_TEST(warning.starts_with("frechet_infinity is not known: "), warning);

  const temporary_folder folder;
  const cz::shape image{1, 1, 28, 28};
  const auto saved = [&](float value, std::vector<index_t> dims) {
    index_t size = 1;
    for (const index_t d : dims) size *= d;
    std::vector<float> pixels(static_cast<std::size_t>(size), 0.5f);
    pixels[pixels.size() / 2] = value;
    cz::save_npy(folder / "x.npy", pixels, dims);
    return message_of([&] { programs::open_samples(folder / "x.npy", image); });
  };
  BOOST_TEST(saved(1.0f, {3, 28, 28}) == "no error");
  BOOST_TEST(saved(1.0f, {3, 1, 28, 28}) == "no error");
  const std::string range = "pixels of range unit lie from 0";
  BOOST_TEST(saved(-0.5f, {3, 28, 28}).find(range) != std::string::npos);
  BOOST_TEST(saved(255.0f, {3, 28, 28}).find(range) != std::string::npos);
  BOOST_TEST(saved(std::numeric_limits<float>::quiet_NaN(), {3, 28, 28}).find(range) != std::string::npos);
  BOOST_TEST(saved(1.0f, {3, 27, 28}) ==
             folder / "x.npy" + ": found shape [3, 27, 28], wanted [N, 28, 28] or [N, 1, 28, 28]");
  BOOST_TEST(saved(1.0f, {3, 3, 28, 28}) ==
             folder / "x.npy" + ": found shape [3, 3, 28, 28], wanted [N, 28, 28] or [N, 1, 28, 28]");
  BOOST_TEST(saved(1.0f, {28, 28}) ==
             folder / "x.npy" + ": found shape [28, 28], wanted [N, 28, 28] or [N, 1, 28, 28]");
  // The image is counted from the first of the file, not of the part that was read.
  const std::string late = saved(2.0f, {10000, 28, 28});
  BOOST_TEST(late.find("the pixel at image 5000, channel 0, row 0, column 0 is 2.0") != std::string::npos,
             late);
}
