/// A small network from the diffusion time to one number per channel.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// The numbers that a network reads of its time u = t / T: sines and cosines of (scale u + shift) w for each
/// frequency w, sines first unless `cosine_first`; `cosine_shift` is added to the cosines.
struct time_features {
  std::vector<float> frequencies;
  float scale = 1, shift = 0;
  bool cosine_first = false;
  float cosine_shift = 0;

  /// Those of Cold Zoom Diffusion: [sin(u w), cos(u w) - 1], w = [0, 2 pi 1.5^0, ..., 2 pi 1.5^(count - 2)],
  /// computed in double and rounded to float. Throws `error` for fewer than 1.
  static time_features geometric(index_t count) {
    require(count > 0, "time_features",
            [&] { return "found " + std::to_string(count) + " frequencies, wanted at least 1"; });
    time_features made{.frequencies = {0.0f}, .cosine_shift = -1};
    double w = 2 * 3.14159265358979323846;
    for (index_t i = 1; i < count; ++i, w *= 1.5) made.frequencies.push_back(static_cast<float>(w));
    return made;
  }
  /// Those of a transformer's positions (Vaswani et al. 2017, section 3.5) as diffusers has them: cosines and
  /// then sines of (t - 1) 10000^(-k / count), k < count, for t = 1 .. steps.
  static time_features positional(index_t count, index_t steps) {
    require(count > 0 && steps > 0, "time_features", [&] {
      return "found " + std::to_string(count) + " frequencies and " + std::to_string(steps) +
             " steps, wanted at least 1";
    });
    time_features made{
        .frequencies = {}, .scale = static_cast<float>(steps), .shift = -1, .cosine_first = true};
    for (index_t i = 0; i < count; ++i) {
      made.frequencies.push_back(static_cast<float>(
          std::exp(-std::log(10000.0) * static_cast<double>(i) / static_cast<double>(count))));
    }
    return made;
  }

  index_t count() const { return static_cast<index_t>(frequencies.size()); }
  /// Numbers for each image: a sine and a cosine of each frequency.
  index_t size() const { return 2 * count(); }
};

namespace detail {

/// See time_features; u = time[n]. Index: [n][frequency].
template <class Out, class Real> struct sinusoidal_features {
  const Real* time;
  const Real* frequency;
  index_t count;
  Real scale, shift, cosine_shift;
  index_t sine, cosine;  // where they begin
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / count, k = i % count;
    const Real angle = (time[n] * scale + shift) * frequency[k];
    y.data[y.offset(n, sine + k, 0)] = std::sin(angle);
    y.data[y.offset(n, cosine + k, 0)] = std::cos(angle) + cosine_shift;
  }
};

}  // namespace detail

/// A condition `C` of convolution blocks on backend `B`: one number per image and channel, made of the side
/// inputs. Its members are those of a Layer that has `side` for x and is told a capacity in place of a shape;
/// `forward` writes and `backward` reads an activation of (n, channels, 1, 1), whose padding lanes are
/// finite.
template <class C, class B>
concept Condition = Backend<B> && std::copyable<C> &&
    requires(const C& condition, B& b, const real_t<B>* parameters, real_t<B>* gradients, side_inputs<B> side,
             activation<B> e, parameter_list& list, typename C::template workspace<B>& ws) {
  condition.describe(list, std::string());
  { condition.make_workspace(b, index_t{1}, pass::train) } -> std::same_as<typename C::template workspace<B>>;
  condition.pack_weights(b, parameters, ws);
  condition.forward(b, parameters, side, e, ws);
  condition.backward(b, parameters, side, e, gradients, ws);
  condition.reduce_gradients(b, gradients, ws);
};

/// u -> features -> `Mlp`, one row an image.
template <class Mlp> struct time_network {
  time_features features;
  Mlp mlp;  // from features.size() numbers

  void describe(parameter_list& list, const std::string& prefix) const { mlp.describe(list, prefix); }

  template <Backend B> struct workspace {
    buffer_t<B> table;
    activation_buffer<B> features;
    typename Mlp::template workspace<B> mlp;
  };
  template <Backend B> workspace<B> make_workspace(B& b, index_t capacity, pass mode) const {
    const shape in{capacity, features.size(), 1, 1};
    workspace<B> ws{
        b.template allocate<real_t<B>>(features.count()), {b, in}, mlp.make_workspace(b, in, mode)};
    const std::vector<real_t<B>> table(features.frequencies.begin(), features.frequencies.end());
    b.upload(table.data(), ws.table.data(), features.count());
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    mlp.pack_weights(b, parameters, ws.mlp);
  }
  /// e: (n, channels, 1, 1).
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> e,
               workspace<B>& ws) const {
    require(side.time.data != nullptr && side.time.size == e.dims.n, "time_condition", [&] {
      return "the batch has " + std::to_string(e.dims.n) + " images and " + std::to_string(side.time.size) +
             " times; each image needs one";
    });
    const activation<B> made = ws.features.view(e.dims.n);
    const index_t count = features.count();
    b.for_each_index(
        e.dims.n * count,
        detail::sinusoidal_features<activation<B>, real_t<B>>{
            side.time.data, ws.table.data(), count, features.scale, features.shift, features.cosine_shift,
            features.cosine_first ? count : 0, features.cosine_first ? 0 : count, made},
        40);
    mlp.forward(b, parameters, made, side, e, ws.mlp);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> de,
                real_t<B>* gradients, workspace<B>& ws) const {
    mlp.backward(b, parameters, ws.features.view(de.dims.n), side, de, {}, gradients, ws.mlp);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    mlp.reduce_gradients(b, gradients, ws.mlp);
  }
};

/// time_network with linear, GELU, ..., linear of the given width: the condition of the original's first
/// block, one number a channel.
struct time_condition : time_network<sequence<linear, gelu, linear, gelu, linear, gelu, linear>> {
  explicit time_condition(index_t channels, index_t frequency_count = 16, index_t width = 128)
      : time_network{time_features::geometric(frequency_count),
                     sequence(linear{2 * frequency_count, width}, gelu{}, linear{width, width}, gelu{},
                              linear{width, width}, gelu{}, linear{width, channels})} {}
};

/// For blocks that read nothing beside their input.
struct no_condition {
  template <Backend B> struct workspace {};
  void describe(parameter_list&, const std::string&) const {}
  template <Backend B> workspace<B> make_workspace(B&, index_t, pass) const { return {}; }
  template <Backend B> void pack_weights(B&, const real_t<B>*, workspace<B>&) const {}
  template <Backend B>
  void forward(B&, const real_t<B>*, const side_inputs<B>&, activation<B>, workspace<B>&) const {}
  template <Backend B>
  void backward(B&, const real_t<B>*, const side_inputs<B>&, activation<B>, real_t<B>*, workspace<B>&) const {
  }
  template <Backend B> void reduce_gradients(B&, real_t<B>*, workspace<B>&) const {}
};

}  // namespace coldzoom::inline COLDZOOM_ISA
