/// The concept of an optimiser: a small value of numbers that turns gradients into steps of the parameters.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/nn/layer.hpp>
#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {
struct archetype_visitor {
  template <class Value> void operator()(const char*, Value&&) const {}
};
}  // namespace detail

/// An optimiser `O` on backend `B`, over one flat array of parameters:
///
/// - `name`: a static const char*; checkpoints name its buffers by it;
/// - `state<B>`: the buffers that it keeps between steps, one value a parameter each, at first zero;
///   `state.for_each_buffer(f)` calls f(const char* name, buffer_t<B>&) for each that a checkpoint must hold;
/// - `make_state(b, list)`: a state for the parameters of `list`; throws `error` for numbers out of range;
/// - `step(b, state, gradients, parameters, rate, step)`: one update, step = 1, 2, ...; reads gradients;
/// - `for_each_number(f)`: f(const char* name, double) for every number of it that changes a step, so that a
///   run which is resumed with others can be refused.
template <class O, class B>
concept Optimizer = Backend<B> && std::copyable<O> &&
    requires(const O& o, B& b, const parameter_list& list, typename O::template state<B>& state,
             const real_t<B>* gradients, real_t<B>* parameters, double rate, index_t step) {
  { O::name } -> std::convertible_to<const char*>;
  { o.make_state(b, list) } -> std::same_as<typename O::template state<B>>;
  state.for_each_buffer(detail::archetype_visitor{});
  o.step(b, state, gradients, parameters, rate, step);
  o.for_each_number(detail::archetype_visitor{});
};

/// Explains what is missing where `O` is no optimiser on backend `B`.
template <class O, class B> consteval bool check_optimizer() {
  constexpr bool has_state =
      requires(const O& o, B& b, const parameter_list& list, typename O::template state<B>& state) {
    { o.make_state(b, list) } -> std::same_as<typename O::template state<B>>;
    state.for_each_buffer(detail::archetype_visitor{});
  };
  static_assert(
      has_state,
      "coldzoom: give your optimiser `template <Backend B> struct state` with `for_each_buffer(f)`, and "
      "`state<B> make_state(B&, const parameter_list&) const`; see docs/concepts/optimizer.md");
  constexpr bool has_numbers = requires(const O& o) {
    { O::name } -> std::convertible_to<const char*>;
    o.for_each_number(detail::archetype_visitor{});
  };
  static_assert(
      !has_state || has_numbers,
      "coldzoom: give your optimiser `static constexpr const char* name` and `for_each_number(f) const`, "
      "by which checkpoints know it; see docs/concepts/optimizer.md");
  constexpr bool optimizer = Optimizer<O, B>;
  static_assert(
      !has_state || !has_numbers || optimizer,
      "coldzoom: let your optimiser be copied, and give it `step(B&, state<B>&, const real_t<B>* "
      "gradients, real_t<B>* parameters, double rate, index_t step) const`; see docs/concepts/optimizer.md");
  return optimizer;
}

/// Elements of all tensors together.
inline index_t parameter_count(const parameter_list& list) {
  index_t total = 0;
  for (const parameter_info& p : list) total += p.size();
  return total;
}

/// Whether weight decay pulls at a tensor: at weights of convolutions, linear layers and embeddings, which
/// have a rank of at least 2 and random initial values. Biases have rank 1; the factors and shifts of a
/// normalisation may have rank 3, but start as constants.
inline bool decays(const parameter_info& p) { return p.dims.size() >= 2 && p.bound > 0; }

namespace detail {

/// One byte a parameter: 1 where weight decay pulls at it, else 0. `all`: everywhere.
template <Backend B> auto decay_mask(B& b, const parameter_list& list, bool all) {
  std::vector<std::uint8_t> mask;
  for (const parameter_info& p : list)
    mask.insert(mask.end(), static_cast<std::size_t>(p.size()), all || decays(p) ? 1 : 0);
  auto memory = b.template allocate<std::uint8_t>(static_cast<index_t>(mask.size()));
  b.upload(mask.data(), memory.data(), static_cast<index_t>(mask.size()));
  return memory;
}

inline void require_number(const char* where, const char* what, double value, bool good, const char* wanted) {
  require(good, where,
          [&] { return std::string(what) + " is " + std::to_string(value) + "; it must be " + wanted; });
}
inline void require_share(const char* where, const char* what, double value) {
  require_number(where, what, value, value >= 0 && value < 1, "at least 0 and below 1");
}
inline void require_decay(const char* where, double value) {
  require_number(where, "weight_decay", value, value >= 0, "at least 0");
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
