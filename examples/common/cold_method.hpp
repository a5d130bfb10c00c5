/// Entries of the table of methods, and the methods that need no code of their own but the degradation.
#pragma once

#include <algorithm>
#include <coldzoom/degradation/any_degradation.hpp>
#include <coldzoom/degradation/in_range.hpp>
#include <coldzoom/sampling/direct.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/curve.hpp>
#include <coldzoom/training/method.hpp>
#include <tuple>

#include "common/latent_policies.hpp"
#include "common/method.hpp"
#include "common/on_backend.hpp"

namespace programs {

namespace detail {

/// A sampler with a share of fresh noise to choose.
template <class Sampler>
concept TakesEta = requires(Sampler s) {
  s.eta;
};
/// A sampler that can raise the noise on its way.
template <class Sampler>
concept TakesChurn = requires(Sampler s) {
  s.churn;
};
/// A sampler that can spend its calls unevenly.
template <class Sampler>
concept TakesSpacing = requires(Sampler s) {
  s.spacing;
};
/// A sampler that can add noise to its states.
template <class Sampler>
concept TakesNoise = requires(Sampler s) {
  s.noise;
};

/// `m` with its degradation in the range of the programs' images.
template <class M> auto in_programs_range(const M& m) {
  return coldzoom::make_method(value_range{}, coldzoom::in_range<value_range>(m.degradation), m.schedule,
                               m.predict, m.input, m.loss, m.weighting);
}

template <class Make>
using made_method =
    decltype(in_programs_range(std::declval<const Make&>()(std::declval<const method_settings&>())));

/// An entry of the table; Work::on(b, method, last_step) puts its method to work on a backend.
template <class Latents, class Samplers, class Make, class Backends, class Work> class entry_of;
template <class... Latents, class... Samplers, class Make, class... Bs, class Work>
class entry_of<std::tuple<Latents...>, std::tuple<Samplers...>, Make, backend_list<Bs...>, Work> final
    : public method_entry {
  using method = made_method<Make>;
  using degradation = decltype(method::degradation);
  using schedule = decltype(method::schedule);
  static_assert(sizeof...(Samplers) > 0, "coldzoom: give the method at least one sampler that fits it");
  static_assert((Latents::template fit<degradation, schedule> && ...),
                "coldzoom: histogram_latents and patch_latents want a zoom, gaussian_latents noise of the "
                "same amplitude "
                "for all elements");

 public:
  entry_of(method_info info, Make make)
      : method_entry(std::move(info), method::prediction::name, {Latents::name...},
                     {sampler_info{Samplers::name, TakesEta<Samplers>, TakesSpacing<Samplers>,
                                   TakesChurn<Samplers>, TakesNoise<Samplers>}...}),
        make_(std::move(make)) {}

  bool adds_noise() const override { return coldzoom::NoiseSchedule<schedule>; }
  bool takes_channels(coldzoom::index_t channels) const override {
    using made = decltype(make_(defaults()).degradation);
    if constexpr (coldzoom::StatesChannels<made>) {
      return channels == static_cast<coldzoom::index_t>(make_(defaults()).degradation.channels);
    }
    return true;
  }
  coldzoom::index_t input_channels(coldzoom::shape image) const override {
    // The policy of any numbers: which channels there are is in its type.
    return make_(defaults()).input.channels(image);
  }
  int most_steps(coldzoom::shape image) const override {
    return Zooms<degradation> ? static_cast<int>(std::min(image.h, image.w)) - 1 : largest_steps;
  }
  std::unique_ptr<method_at_work> on(machine& m, const method_settings& settings) const override {
    return on_backend(backend_list<Bs...>{}, m, [&]<class B>(B& b) -> std::unique_ptr<method_at_work> {
      return Work::on(b, in_programs_range(make_(settings)), settings.last_step);
    });
  }

 private:
  method_settings defaults() const { return {info().steps, info().steps, info().default_numbers()}; }

  Make make_;
};

template <class Policy>
concept LatentPolicy = requires {
  typename Policy::latents;
};
template <class Policy>
using if_latents = std::conditional_t<LatentPolicy<Policy>, std::tuple<Policy>, std::tuple<>>;
template <class Policy>
using unless_latents = std::conditional_t<LatentPolicy<Policy>, std::tuple<>, std::tuple<Policy>>;
template <class Tuple, class Default>
using or_default = std::conditional_t<std::tuple_size_v<Tuple> == 0, std::tuple<Default>, Tuple>;

/// The policies of an entry, by their kind.
template <class... Policies> struct entry_parts {
  using latents =
      or_default<decltype(std::tuple_cat(std::declval<if_latents<Policies>>()...)), degraded_latents>;
  using samplers = decltype(std::tuple_cat(std::declval<unless_latents<Policies>>()...));
};

/// A method is cold where its network answers with x0 and all else is as make_method has it, so that the degradation and
/// the levels are all that differs from one to the next: those are held behind one call a batch, and the rest is
/// compiled once for all of them.
template <class B>
using cold_method =
    coldzoom::method<value_range, coldzoom::any_degradation<B, value_range>, coldzoom::table_schedule>;

template <class D, class S>
concept Cold = !coldzoom::Additive<D> && !Zooms<D> && !requires(D d, S s) {
  d.scale;
}
&&!requires(const S s) { s.time(1); }
&&!requires(const S s) { s.share(1); };
template <class Sampler>
concept ColdSampler = std::same_as<Sampler, coldzoom::naive_sampler> ||
    std::same_as<Sampler, coldzoom::tacos_sampler> || std::same_as<Sampler, coldzoom::direct_sampler>;

template <class M>
inline constexpr bool is_cold_method = Cold<decltype(M::degradation), decltype(M::schedule)>&&
    std::same_as<M, coldzoom::method<value_range, decltype(M::degradation), decltype(M::schedule)>>;
template <class Make, class... Policies>
inline constexpr bool is_cold = is_cold_method<made_method<Make>> &&
                                ((LatentPolicy<Policies> || ColdSampler<Policies>)&&...);

/// Compiled in cold_method.cpp; other backends than those of the programs include method_on.hpp.
template <class B> std::unique_ptr<method_at_work> cold_method_on(B& b, cold_method<B> method, int last_step);

/// How a cold method goes to work.
struct cold_work {
  template <class B, class M>
  static std::unique_ptr<method_at_work> on(B& b, const M& method, int last_step) {
    return cold_method_on<B>(b,
                             {coldzoom::any_degradation<B, value_range>(method.degradation),
                              coldzoom::table_schedule::of(method.schedule)},
                             last_step);
  }
};

}  // namespace detail

/// As add_method, of a cold method: it compiles in a few seconds.
template <class Backends = backends, class Make, class... Policies>
std::unique_ptr<method_entry> make_cold_entry(method_info info, Make make, Policies...) {
  constexpr bool cold = detail::is_cold<Make, Policies...>;
  static_assert(
      cold,
      "coldzoom: this method has policies of its own, or a degradation that adds noise or zooms: take "
      "make_entry of method_on.hpp");
  using parts = detail::entry_parts<Policies...>;
  return std::make_unique<
      detail::entry_of<typename parts::latents, typename parts::samplers, Make, Backends, detail::cold_work>>(
      std::move(info), std::move(make));
}

namespace detail {
extern template std::unique_ptr<method_at_work> cold_method_on(host_backend&, cold_method<host_backend>, int);
#if defined(COLDZOOM_PROGRAMS_CUDA)
extern template std::unique_ptr<method_at_work> cold_method_on(coldzoom::cuda_backend<float>&,
                                                               cold_method<coldzoom::cuda_backend<float>>,
                                                               int);
#endif
}  // namespace detail

}  // namespace programs
