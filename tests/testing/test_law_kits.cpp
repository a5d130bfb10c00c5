#define BOOST_TEST_MODULE law_kits
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/testing/backend_laws.hpp>
#include <coldzoom/testing/degradation_laws.hpp>
#include <coldzoom/testing/initial_state_laws.hpp>
#include <coldzoom/testing/interpolation_laws.hpp>
#include <coldzoom/testing/schedule_laws.hpp>
#include <memory>
#include <string>
#include <vector>

namespace cz = coldzoom;
namespace laws = coldzoom::testing;
using cz::index_t;
using cz::shape;
using images = cz::image_view<const float>;
using reference = cz::reference_backend<float>;
using cpu = cz::cpu_backend<float>;

namespace {

const shape odd_images{5, 2, 9, 7};

/// The kit must throw, and its sentence must hold `sentence`.
template <class Kit> void broken(const std::string& sentence, Kit&& kit) {
  BOOST_CHECK_EXCEPTION(kit(), cz::error, [&](const cz::error& e) {
    BOOST_TEST_MESSAGE(e.what());
    return std::string(e.what()).find(sentence) != std::string::npos;
  });
}

template <class D> void obeys(const D& d, laws::degradation_promises promises = {}) {
  cpu two(2), one(1), five(5);
  BOOST_CHECK_NO_THROW((laws::degradation_laws<cz::centred>(d, promises, odd_images, two, one, five)));
  reference plain;
  BOOST_CHECK_NO_THROW(laws::degradation_laws<cz::centred>(d, promises, odd_images, plain));
}
template <class D>
void breaks(const std::string& sentence, const D& d, laws::degradation_promises promises = {}) {
  broken(sentence, [&] {
    cpu two(2), one(1);
    laws::degradation_laws<cz::centred>(d, promises, odd_images, two, one);
  });
}

// ---- Degradations that break one law each; `F` makes a pixel of the result from the whole batch.
template <class F> struct batch_form {
  F pixel;
  template <class B>
  void apply(B& b, cz::const_image_tensor<B> x0, cz::const_levels<B> level, cz::key_sequence keys,
             cz::image_tensor<B> out) const {
    for (index_t n = 0; n < x0.dims.n; ++n) {
      for (index_t c = 0; c < x0.dims.c; ++c) {
        for (index_t y = 0; y < x0.dims.h; ++y) {
          for (index_t x = 0; x < x0.dims.w; ++x) out(n, c, y, x) = pixel(b, x0, level, keys, n, c, y, x);
        }
      }
    }
  }
};
template <class F> batch_form(F) -> batch_form<F>;

template <class F> auto pixels(F f) {
  return batch_form{[f](auto& b, const auto& x0, const auto& level, const auto& keys, index_t n, index_t c,
                        index_t y,
                        index_t x) -> float { return x0(n, c, y, x) + level[n] * f(b, x0, keys, n); }};
}

/// One pixel of the result from the images and its place.
template <class F> auto places(F f) {
  return batch_form{[f](auto&, const auto& x0, const auto& level, const auto&, index_t n, index_t c,
                        index_t y, index_t x) -> float { return f(x0.image(n), c, y, x, level[n]); }};
}

struct wrong_order {
  float operator()(images x0, index_t x, index_t y, index_t c, float) const { return x0(c, y, x); }
};
struct rows_for_columns {
  float operator()(images x0, index_t c, index_t y, index_t x, float) const { return x0(c, x, y); }
};
struct desaturation {  // reads three channels, and does not say so
  float operator()(images x0, index_t c, index_t y, index_t x, float level) const {
    const float grey = (x0(0, y, x) + x0(1, y, x) + x0(2, y, x)) / 3;
    return level > 0 ? x0(c, y, x) + level * (grey - x0(c, y, x)) : x0(c, y, x);
  }
};
struct stated_desaturation : desaturation {
  static constexpr index_t channels = 3;
};
struct stated_at_run_time : desaturation {
  int channels = 3;
};
static_assert(!cz::StatesChannels<desaturation> && cz::StatesChannels<stated_desaturation> &&
              cz::StatesChannels<stated_at_run_time>);
static_assert(cz::PixelDegradation<stated_desaturation> && cz::PixelDegradation<stated_at_run_time>);

/// As if its images were dense, for reading or for writing.
struct dense_alone {
  bool reads = true, writes = true;
  template <class B>
  void apply(B&, cz::const_image_tensor<B> x0, cz::const_levels<B>, cz::image_tensor<B> out) const {
    const cz::const_image_tensor<B> from = reads ? cz::const_image_tensor<B>(x0.data, x0.dims) : x0;
    const cz::image_tensor<B> to = writes ? cz::image_tensor<B>(out.data, out.dims) : out;
    for (index_t n = 0; n < x0.dims.n; ++n) {
      for (index_t c = 0; c < x0.dims.c; ++c) {
        for (index_t y = 0; y < x0.dims.h; ++y) {
          for (index_t x = 0; x < x0.dims.w; ++x) to(n, c, y, x) = from(n, c, y, x);
        }
      }
    }
  }
};

/// Another result where the pixels of a row of the output have gaps.
struct dark_unless_rows_are_dense {
  template <class B>
  void apply(B& b, cz::const_image_tensor<B> x0, cz::const_levels<B> level, cz::image_tensor<B> out) const {
    cz::zoom<cz::nearest>{.last_step = 0}.apply(b, x0, level, out);
    if (out.stride_x != 1) out(0, 0, 0, 0) = 0;
  }
};

// ---- Schedules.
struct table_schedule {
  std::vector<float> levels;
  int steps() const { return static_cast<int>(levels.size()) - 1; }
  float level(int t) const { return levels[static_cast<std::size_t>(t)]; }
};
struct wrong_noise {
  double energy = 1, beta_value = 0.1;
  float scale = 1;
  int steps() const { return 4; }
  double beta(int) const { return beta_value; }
  double noise(int t) const { return std::sqrt(t / 5.0); }
  double signal(int t) const { return std::sqrt(energy - t / 5.0); }
  float level(int t) const { return scale * static_cast<float>(noise(t)); }
};

// ---- Interpolations.
struct shifted {
  float operator()(images crop, index_t c, index_t y, index_t x, index_t h, index_t w) const {
    return crop(c, y * crop.h / h, std::min(x * crop.w / w + 1, crop.w - 1));
  }
};
struct outside {  // between a pixel and its right neighbour, even at the border
  float operator()(images crop, index_t c, index_t y, index_t x, index_t h, index_t w) const {
    return crop(c, y * crop.h / h, x * crop.w / w) + 0 * crop(c, y * crop.h / h, x * crop.w / w + 1);
  }
};
struct dim {
  float operator()(images crop, index_t c, index_t y, index_t x, index_t h, index_t w) const {
    return cz::nearest{}(crop, c, y, x, h, w) * (h == crop.h && w == crop.w ? 1.0f : 0.99f);
  }
};
struct two_minds : cz::nearest {  // its taps are those of another interpolation
  cz::axis_tap tap(index_t i, index_t in, index_t out) const { return cz::bilinear{}.tap(i, in, out); }
};

// ---- Latents.
template <class F> struct drawn {
  using range = cz::unit;
  F value;  // from the keys and the place
  template <class B>
  void draw(B& b, cz::key_sequence keys, cz::image_batch<cz::unit, float, typename B::space> out) const {
    for (index_t i = 0; i < out.dims.size(); ++i)
      value(b, out.data[i], keys, i / out.dims.image(), i % out.dims.image());
  }
};
template <class F> drawn(F) -> drawn<F>;
float uniform(const cz::key_sequence& keys, index_t n, index_t i) {
  return cz::random_uniform(keys[n], static_cast<std::uint64_t>(i));
}
template <class F> void initial_state_breaks(const std::string& sentence, F f) {
  broken(sentence, [&] {
    cpu two(2), one(1);
    laws::initial_state_laws(drawn{f}, {}, odd_images, two, one);
  });
}

// ---- Backends: the plain one with one verb spoiled.
struct dirty : reference {
  template <class T> auto allocate(index_t n) const {
    auto memory = reference::allocate<T>(n);
    if (n > 0) memory.data()[n - 1] = T(1);
    return memory;
  }
};
struct short_copy : reference {
  template <class T> void copy(const T* from, T* to, index_t n) const { reference::copy(from, to, n - 1); }
};
struct forgetful : reference {
  template <class Kernel> void for_each_index(index_t n, Kernel kernel, index_t cost = 1) const {
    reference::for_each_index(n > 1000 ? n - 1 : n, kernel, cost);
  }
};
struct float_sum : reference {
  double sum(const float* values, index_t n) const {
    float total = 0;
    for (index_t i = 0; i < n; ++i) total += values[i];
    return static_cast<double>(total);
  }
};
struct no_transpose : reference {
  void gemm(bool, index_t m, index_t n, index_t k, const float* a, index_t lda, const float* b, index_t ldb,
            float* c, index_t ldc, bool accumulate) const {
    reference::gemm(false, m, n, k, a, lda, b, ldb, c, ldc, accumulate);
  }
};
struct shape_dependent : reference {  // another order of summation for many rows
  void gemm(bool transpose, index_t m, index_t n, index_t k, const float* a, index_t lda, const float* b,
            index_t ldb, float* c, index_t ldc, bool accumulate) const {
    if (m < 16) return reference::gemm(transpose, m, n, k, a, lda, b, ldb, c, ldc, accumulate);
    const index_t half = k / 2;
    reference::gemm(transpose, m, n, k - half, a + half * (transpose ? lda : 1), lda, b + half * ldb, ldb, c,
                    ldc, accumulate);
    reference::gemm(transpose, m, n, half, a, lda, b, ldb, c, ldc, true);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(shipped_degradations) {
  obeys(cz::zoom<cz::nearest>{.last_step = 5}, {.levels_beyond = true});
  obeys(cz::zoom<cz::bilinear>{.last_step = 5}, {.levels_beyond = true});
  obeys(cz::gaussian_noise{}, {.random = true});
  cpu b(2);
  laws::degradation_laws<cz::centred>(cz::any_degradation<cpu, cz::centred>(cz::gaussian_noise{}),
                                      {.random = true}, odd_images, b);
}

BOOST_AUTO_TEST_CASE(broken_degradations) {
  obeys(pixels([](auto&, const auto&, const auto&, index_t) { return 0.25f; }));
  breaks("a second call",
         pixels([calls = std::make_shared<int>(0)](auto&, const auto&, const auto&, index_t) {
           return static_cast<float>(++*calls);
         }));
  breaks("differs alone and in the batch",
         pixels([](auto&, const auto& x0, const auto&, index_t) { return static_cast<float>(x0.dims.n); }));
  breaks("differs alone and in the batch",
         pixels([](auto&, const auto&, const auto&, index_t n) { return static_cast<float>(n); }));
  breaks("another backend object",
         pixels([](auto& b, const auto&, const auto&, index_t) { return static_cast<float>(b.threads()); }));
  breaks("not finite", pixels([](auto&, const auto&, const auto&, index_t) { return HUGE_VALF; }));
  breaks("depends on the keys", pixels([](auto&, const auto&, const auto& keys, index_t n) {
           return cz::random_uniform(keys[n], 0);
         }));
  breaks("another seed gives the same", cz::zoom<cz::nearest>{.last_step = 5}, {.random = true});
  breaks("changes its input",
         batch_form{[](auto&, const auto& x0, const auto&, const auto&, index_t n, index_t c, index_t y,
                       index_t x) { return const_cast<float&>(x0(n, c, y, x)) += 1; }});
  const auto negative = batch_form{[](auto&, const auto& x0, const auto&, const auto&, index_t n, index_t c,
                                      index_t y, index_t x) { return -x0(n, c, y, x); }};
  breaks("level 0 is not the identity", negative);
  obeys(negative, {.identity_at_zero = false});
}

BOOST_AUTO_TEST_CASE(degradations_that_leave_their_image) {
  obeys(places([](const auto& x0, index_t c, index_t y, index_t x, float) { return x0(c, y, x); }));
  const std::string outside = "reads outside its image: are the indices c, y, x in this order";
  breaks(outside, wrong_order{});
  breaks(outside, rows_for_columns{});
  breaks(outside, desaturation{});
  breaks(outside, places([](const auto& x0, index_t c, index_t y, index_t x, float) {  // lets no NaN through
           return std::max(x0(c, y, x), x0(c, y, x - 1));
         }));
  breaks(outside, dense_alone{.writes = false});
  breaks("writes outside its image", dense_alone{.reads = false});
  breaks("writes outside its image", dense_alone{});
  obeys(dense_alone{}, {.strided = false});
}

BOOST_AUTO_TEST_CASE(degradations_that_state_their_channels) {
  breaks("degrade: the images have 2 channels; this degradation wants 3", stated_desaturation{});
  breaks("degrade: the images have 2 channels; this degradation wants 3", stated_at_run_time{});
  breaks("degrade: the images have 2 channels; this degradation wants 3",
         cz::any_degradation<cpu, cz::centred>(stated_desaturation{}));
  reference b;
  BOOST_CHECK_NO_THROW(laws::degradation_laws<cz::centred>(stated_desaturation{}, {}, {4, 3, 9, 7}, b));
}

BOOST_AUTO_TEST_CASE(degradations_that_mind_the_strides) {
  const auto unless = [](auto strides) {
    return places([strides](const auto& x0, index_t c, index_t y, index_t x, float) {
      return strides(x0) ? x0(c, y, x) : 0.0f;
    });
  };
  breaks("from a crop to a crop", unless([](images x0) { return x0.stride_y == x0.w; }));
  breaks("from images with channels last to a crop", unless([](images x0) { return x0.stride_c > 1; }));
  breaks("from a crop to images with channels last", dark_unless_rows_are_dense{});
}

BOOST_AUTO_TEST_CASE(levels_outside_0_and_1) {
  const auto root = places([](const auto& x0, index_t c, index_t y, index_t x, float level) {
    return x0(c, y, x) * std::sqrt(1 - level);
  });
  obeys(root);
  breaks("the result is not finite, against its promise", root, {.levels_beyond = true});
  const auto moved = places([](const auto& x0, index_t c, index_t y, index_t x, float level) {
    return x0(c, y, level < 0 ? x - 1 : x);
  });
  obeys(moved);
  breaks("reads outside its image, against its promise", moved, {.levels_beyond = true});
}

BOOST_AUTO_TEST_CASE(shapes_that_show_no_mistake) {
  reference b;
  for (const shape& dims : {shape{1, 2, 9, 7}, shape{2, 2, 7, 7}, shape{2, 7, 9, 7}, shape{2, 9, 9, 7}})
    broken("whose channels, height and width all differ",
           [&] { laws::degradation_laws<cz::centred>(cz::gaussian_noise{}, {.random = true}, dims, b); });
}

BOOST_AUTO_TEST_CASE(schedules) {
  laws::schedule_laws(cz::linear_schedule(1));
  laws::schedule_laws(cz::linear_schedule(24));
  for (const int steps : {10, 1000}) {
    laws::schedule_laws(cz::ddpm_schedule::linear(steps));
    laws::schedule_laws(cz::ddpm_schedule::cosine(steps));
    laws::schedule_laws(cz::ddpm_schedule::cosine(steps, 0.02));
  }
  const auto check = [](const auto& schedule) { return [&] { laws::schedule_laws(schedule); }; };
  broken("steps() is 0", check(table_schedule{{0}}));
  broken("it must not fall", check(table_schedule{{0, 0.5f, 0.4f, 1}}));
  broken("it must be finite", check(table_schedule{{0, NAN, 1}}));
  broken("the last must be the higher", check(table_schedule{{0.5f, 0.5f}}));
  laws::schedule_laws(wrong_noise{});
  broken("squares must add up to 1", check(wrong_noise{.energy = 0.9}));
  broken("must be 0 to 1", check(wrong_noise{.beta_value = 1.5}));
  broken("they must be equal", check(wrong_noise{.scale = 0.5f}));
}

BOOST_AUTO_TEST_CASE(interpolations) {
  laws::interpolation_laws(cz::nearest{});
  laws::interpolation_laws(cz::bilinear{});
  broken("to its own size", [] { laws::interpolation_laws(shifted{}); });
  broken("read the crop alone", [] { laws::interpolation_laws(outside{}); });
  broken("pixels of 0.75 becomes", [] { laws::interpolation_laws(dim{}); });
  broken("the taps give", [] { laws::interpolation_laws(two_minds{}); });
}

BOOST_AUTO_TEST_CASE(latents) {
  cpu two(2), one(1), five(5);
  std::array<std::uint64_t, 256> counts{};
  for (std::size_t k = 0; k < 256; ++k) counts[k] = k % 5;
  laws::initial_state_laws(cz::pixel_histogram<cz::centred>(counts, 4, 4), {}, odd_images, two, one, five);
  const std::vector<float> patches = laws::random_values(20 * 2 * 3 * 3, 1, 0, 1);
  laws::initial_state_laws(cz::patch_bank<cz::unit, cz::bilinear, cpu>(two, {20, 2, 3, 3}, patches), {},
                           odd_images, two, one, five);

  initial_state_breaks("a second call", [](auto&, float&, const auto&, index_t, index_t) {});
  initial_state_breaks("not finite", [](auto&, float& v, const auto&, index_t, index_t) { v = NAN; });
  initial_state_breaks("differs alone", [](auto&, float& v, const auto& keys, index_t n, index_t i) {
    v = uniform(keys, 0, n * 1000 + i);
  });
  initial_state_breaks("another seed", [](auto&, float& v, const auto&, index_t, index_t) { v = 0.5f; });
  initial_state_breaks("another backend object", [](auto& b, float& v, const auto& keys, index_t n,
                                                    index_t i) { v = uniform(keys, n, i + b.threads()); });
  const auto wide = [](auto&, float& v, const auto& keys, index_t n, index_t i) {
    v = 2 * uniform(keys, n, i);
  };
  initial_state_breaks("the range is", wide);
  laws::initial_state_laws(drawn{wide}, {.within_range = false}, odd_images, two, one);
}

BOOST_AUTO_TEST_CASE(backends) {
  const auto check = [](auto backend) { return [backend]() mutable { laws::backend_laws(backend); }; };
  check(reference{})();
  check(cz::reference_backend<double>{})();
  check(cpu(1))();
  check(cpu(3))();
  check(cz::cpu_backend<double>(2))();
  broken("not zero", check(dirty{}));
  broken("copy(from, to, 900)", check(short_copy{}));
  broken("for_each_index(32769)", check(forgetful{}));
  broken("the sum of", check(float_sum{}));
  broken("transposed", check(no_transpose{}));
  broken("where there are fewer rows", check(shape_dependent{}));
}
