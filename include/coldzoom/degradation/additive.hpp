/// Degradations that add noise to the clean image: x_t = signal x0 + noise e, element by element.
#pragma once

#include <cmath>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/prediction/prediction.hpp>
#include <coldzoom/schedule/schedule.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {
template <class D>
concept regenerates_noise = std::is_trivially_copyable_v<D> &&
    requires(const D d, sample_key key, index_t i) {
  { d.noise(key, i) } -> std::same_as<float>;
};
}  // namespace detail

/// d.amplitudes(level): one pair for the whole image. d.noise(key, i) gives e at element i = (c H + y) W + x.
template <class D>
concept UniformlyAdditive = detail::regenerates_noise<D> && requires(const D d, float level) {
  { d.amplitudes(level) } -> std::same_as<amplitudes>;
};

/// d.amplitudes(level, image, c, y, x): a pair for each element of an image of that shape, so that noise can
/// follow another degradation over the picture.
template <class D>
concept FieldAdditive = detail::regenerates_noise<D> &&
    requires(const D d, float level, shape image, index_t i) {
  { d.amplitudes(level, image, i, i, i) } -> std::same_as<amplitudes>;
};

/// signal^2 + noise^2 = 1, as in a NoiseSchedule, whose noise(t) is the level: `static constexpr bool
/// variance_preserving = true` says so.
template <class D>
concept VariancePreserving = UniformlyAdditive<D> && requires {
  requires D::variance_preserving;
};

/// A degradation whose predictions convert: noise, velocity and flow become an image and back.
template <class D>
concept Additive = UniformlyAdditive<D> || FieldAdditive<D>;

namespace detail {

/// The same pair for every element.
struct uniform_amplitudes {
  amplitudes value;
  COLDZOOM_HD amplitudes operator()(index_t) const { return value; }
};

/// The pair of element i = (c H + y) W + x.
template <class D> struct amplitude_field {
  D d;
  float level;
  shape image;

  COLDZOOM_HD amplitudes operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, image);
    return d.amplitudes(level, image, c, y, x);
  }
};

/// Where there is no noise, so that a conversion is the identity of predict_x0.
struct no_amplitudes {
  COLDZOOM_HD amplitudes operator()(index_t) const { return {1, 0}; }
};

/// Amplitudes of level `level`.
template <class D> COLDZOOM_HD auto amplitudes_of(const D& d, float level, const shape& image) {
  if constexpr (FieldAdditive<D>) {
    return amplitude_field<D>{d, level, image};
  } else if constexpr (UniformlyAdditive<D>) {
    return uniform_amplitudes{d.amplitudes(level)};
  } else {
    return no_amplitudes{};
  }
}

/// Amplitudes at step t. A noise schedule knows those of a variance-preserving degradation to double
/// precision, which the level as a float does not: near noise = 1 it would lose the signal.
template <class D, class S> auto amplitudes_at(const D& d, const S& schedule, int t, const shape& image) {
  if constexpr (VariancePreserving<D> && NoiseSchedule<S>) {
    return uniform_amplitudes{{schedule.signal(t), schedule.noise(t)}};
  } else {
    return amplitudes_of(d, schedule.level(t), image);
  }
}

/// Throws `error` where an answer at step t stands for no image, because no signal is left.
template <class P, class D, class S>
void require_signal(const char* where, const D& d, const S& schedule, int t, const shape& image) {
  if constexpr (P::needs_amplitudes && !FieldAdditive<D>) {
    const amplitudes a = amplitudes_at(d, schedule, t, image)(0);
    require(std::isfinite(P::x0(1, 1, a)), where, [&] {
      return "no signal is left at step " + std::to_string(t) + ", so a prediction of " +
             std::string(P::name) +
             " says nothing of the image; use predict_velocity, predict_flow or predict_x0, or a "
             "schedule that leaves some";
    });
  }
}

}  // namespace detail

/// x_t = (1 - level) x0 + level e, e standard normal from the key: the straight path of flow matching (Lipman
/// et al. 2023; Liu et al. 2023). Level from 0 to 1, as linear_schedule gives it. Cost: about 35 ns an
/// element.
struct flow_noise {
  COLDZOOM_HD static coldzoom::amplitudes amplitudes(float level) {
    return {1 - static_cast<double>(level), static_cast<double>(level)};
  }
  COLDZOOM_HD float noise(const sample_key& key, index_t element) const {
    return random_normal(key, static_cast<std::uint64_t>(element));
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    return (1 - level) * x0(c, y, x) + level * noise(key, (c * x0.h + y) * x0.w + x);
  }
};

/// x_t = x0 + level e, e standard normal from the key: variance-exploding noise (Song et al. 2021,
/// "Score-based generative modeling", section 3.4), level = sigma, its deviation in units of the pixels, as
/// karras_schedule gives it. Cost: about 35 ns an element.
struct exploding_noise {
  COLDZOOM_HD static coldzoom::amplitudes amplitudes(float level) { return {1, static_cast<double>(level)}; }
  COLDZOOM_HD float noise(const sample_key& key, index_t element) const {
    return random_normal(key, static_cast<std::uint64_t>(element));
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    return x0(c, y, x) + level * noise(key, (c * x0.h + y) * x0.w + x);
  }
};

static_assert(PixelDegradation<flow_noise> && UniformlyAdditive<flow_noise>);
static_assert(PixelDegradation<exploding_noise> && UniformlyAdditive<exploding_noise>);

}  // namespace coldzoom::inline COLDZOOM_ISA
