/// Probes: the results of the policies of a run on fixed inputs. Two runs with the same probes compute the
/// same.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/training/method.hpp>
#include <coldzoom/training/network_in_training.hpp>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Values that a policy gives on fixed inputs, by its name. A list of settings would miss a number that a
/// user's own policy does not name, and a type does not change with the body of a function; a probe compares
/// results.
using policy_probes = std::vector<std::pair<std::string, std::vector<float>>>;

namespace detail {

/// At most `most` of them, evenly spread.
inline std::vector<float> thinned(const std::vector<float>& values, std::size_t most = 128) {
  const std::size_t step = std::max<std::size_t>(1, values.size() / most);
  std::vector<float> few;
  for (std::size_t i = 0; i < values.size(); i += step) few.push_back(values[i]);
  return few;
}

/// The result of apply(x0, keys, out) on two random images of range R.
template <ValueRange R, class B, class Apply>
std::vector<float> probe_images(B& b, shape image, std::size_t most, const Apply& apply) {
  using space = typename B::space;
  const shape dims = image.with_n(2);
  const auto x0 = to_backend(b, random_values(dims.size(), 1, R::low, R::high));
  auto out = b.template allocate<float>(dims.size());
  apply(image_batch<R, const float, space>(tensor_view<const float, space>(x0.data(), dims)),
        key_sequence{3, stream::training_degradation, 0},
        image_batch<R, float, space>(tensor_view<float, space>(out.data(), dims)));
  return thinned(to_host<float>(b, out.data(), dims.size()), most);
}

/// At five steps.
template <ValueRange R, class B, class D, class S>
std::vector<float> probe_degradation(B& b, const D& d, const S& schedule, shape image) {
  std::vector<float> found;
  for (int part = 0; part < 5; ++part) {
    const auto level = to_backend(b, std::vector<float>(2, schedule.level(schedule.steps() * part / 4)));
    const auto values = probe_images<R>(b, image, 64, [&](auto x0, key_sequence keys, auto out) {
      degrade(b, d, x0, const_levels<B>{level.data(), 2}, keys, out);
    });
    found.insert(found.end(), values.begin(), values.end());
  }
  return found;
}

/// Loss and gradient of random predictions.
template <class B, class L> std::vector<float> probe_loss(B& b, const L& loss, shape image) {
  const index_t draws = draws_of(loss);
  const shape targets = image.with_n(2), rows = image.with_n(2 * draws);
  const auto target = to_backend(b, random_values(targets.size(), 4, -1, 1)),
             images = to_backend(b, random_values(rows.size(), 5, -1, 1));
  activation_buffer<B> y(b, rows), dy(b, rows);
  auto per_image = b.template allocate<float>(2), out = b.template allocate<float>(rows.size());
  using space = typename B::space;
  pack_images(b, tensor_view<const float, space>(images.data(), rows), y.view(rows.n));
  loss(b, y.view(rows.n), tensor_view<const float, space>(target.data(), targets), loss_weights<B>{},
       loss.scale(targets), dy.view(rows.n), vector_view<float, space>{per_image.data(), 2});
  unpack_images<B>(b, dy.view(rows.n), tensor_view<float, space>(out.data(), rows));
  std::vector<float> found = thinned(to_host<float>(b, out.data(), rows.size()));
  for (const float v : to_host<float>(b, per_image.data(), 2)) found.push_back(v);
  return found;
}

/// The channels of one image.
template <class B, class I> std::vector<float> probe_input(B& b, const I& input, shape image) {
  using space = typename B::space;
  const shape dims = image.with_n(1), in = input_shape(input, dims);
  const index_t conditions = condition_channels(input);
  const auto x_t = to_backend(b, random_values(dims.size(), 6, -1, 1));
  const auto condition = to_backend(b, random_values(conditions * dims.pixels(), 7, -1, 1));
  const auto number = to_backend(b, std::vector<float>{0.5f});
  auto out = b.template allocate<float>(in.size());
  input_context<B> context;
  context.x_t = tensor_view<const float, space>(x_t.data(), dims);
  context.time = context.level = {number.data(), 1};
  if (conditions > 0)
    context.condition = tensor_view<const float, space>(condition.data(), {1, conditions, dims.h, dims.w});
  context.keys = {8, stream::input_noise, 0};
  input.compose(b, context, tensor_view<float, space>(out.data(), in));
  return thinned(to_host<float>(b, out.data(), in.size()));
}

/// The answer of a network in training to a random input, with initial parameters of a fixed seed. It runs in
/// the memory of the training passes: a second network would cost a tenth of the memory of a small run.
template <class B, class Passes> std::vector<float> probe_network(B& b, Passes& passes, shape in) {
  using space = typename B::space;
  in = in.with_n(1);
  const shape out = passes.output();
  auto parameters = b.template allocate<float>(passes.parameters().size());
  const std::vector<float> initial = initial_parameters(passes.network(), 9);
  b.upload(initial.data(), parameters.data(), parameters.size());
  const auto x = to_backend(b, random_values(in.size(), 10, -1, 1)),
             time = to_backend(b, std::vector<float>{0.5f});
  const auto label = to_backend(b, std::vector<std::int32_t>{0});
  auto y = b.template allocate<float>(out.size());
  side_inputs<B> side;
  side.time = {time.data(), 1};
  side.label = {label.data(), 1};
  const auto key = to_backend(b, std::vector<sample_key>{{11, stream::dropout, 0}});
  side.keys = {key.data(), 1};
  passes.pack(parameters);
  passes.predict(tensor_view<const float, space>(x.data(), in), side,
                 [&](index_t, const_activation<B> answer) {
                   unpack_images<B>(b, answer, tensor_view<float, space>(y.data(), out));
                 });
  passes.pack(passes.parameters());
  return thinned(to_host<float>(b, y.data(), out.size()));
}

template <class Method> std::vector<float> probe_schedule(const Method& m) {
  std::vector<float> found;
  for (int t = 0; t <= m.schedule.steps(); ++t) {
    found.push_back(m.schedule.level(t));
    if constexpr (NoiseSchedule<typename Method::schedule_type>)
      found.push_back(static_cast<float>(m.schedule.signal(t)));
    if constexpr (requires { m.schedule.share(t); }) {
      if (t > 0) found.push_back(static_cast<float>(m.schedule.share(t)));
    }
    if constexpr (requires { m.schedule.time(t); }) {
      if (t > 0) found.push_back(m.schedule.time(t));
    }
  }
  return thinned(found, 512);
}
template <class Method> std::vector<float> probe_weighting(const Method& m) {
  std::vector<float> found;
  for (int t = 1; t <= m.schedule.steps(); ++t)
    found.push_back(static_cast<float>(
        weight_at<typename Method::prediction>(m.weighting, m.degradation, m.schedule, t)));
  found = thinned(found, 512);
  if constexpr (weighs_pixels<typename Method::weighting_type>) {
    const shape image{1, 1, 8, 8};
    for (index_t i = 0; i < image.image(); ++i)
      found.push_back(static_cast<float>(m.weighting.pixel_weight(0.5f, image, 0, i / 8, i % 8)));
  }
  return found;
}

/// Throws `error` where `found`, from a file, differs from `wanted`, from this run. A network's sums may be
/// ordered otherwise on another machine, which changes the last bits.
inline void require_same_probe(const std::string& path, const std::string& what,
                               const std::vector<float>& found, const std::vector<float>& wanted) {
  const std::string sentence = "the checkpoint was made with another " + what + " than this run has";
  require(found.size() == wanted.size(), path.c_str(), sentence);
  double scale = 0;
  for (const float v : wanted)
    if (std::isfinite(v)) scale = std::max(scale, std::abs(static_cast<double>(v)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double a = static_cast<double>(found[i]), b = static_cast<double>(wanted[i]);
    const bool same = a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 2e-5 * scale;
    require(same, path.c_str(), [&] {
      return sentence + ": value " + std::to_string(i) + " of its probe is " + std::to_string(a) +
             " there and " + std::to_string(b) + " here";
    });
  }
}

}  // namespace detail

/// The probes of all policies of a trainer. A policy on which others depend comes first.
template <class Trainer> policy_probes probe_policies(Trainer& t) {
  auto& b = t.on();
  policy_probes probes;
  if constexpr (requires { t.method(); }) {
    const auto& m = t.method();
    using R = typename std::remove_cvref_t<decltype(m)>::range;
    probes.emplace_back("schedule", detail::probe_schedule(m));
    probes.emplace_back("degradation", detail::probe_degradation<R>(b, m.degradation, m.schedule, t.image()));
    probes.emplace_back("weighting", detail::probe_weighting(m));
    probes.emplace_back("loss", detail::probe_loss(b, m.loss, t.image()));
    const shape in = input_shape(m.input, t.image());
    probes.emplace_back("input", detail::probe_input(b, m.input, t.image()));
    probes.emplace_back("network", detail::probe_network(b, t.passes(), in));
  } else {
    probes.emplace_back("augmentation", detail::probe_images<typename Trainer::range>(
                                            b, t.image(), 128, [&](auto x0, key_sequence keys, auto out) {
                                              t.augment()(b, x0, keys, out);
                                            }));
    probes.emplace_back("network", detail::probe_network(b, t.passes(), t.image()));
  }
  return probes;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
