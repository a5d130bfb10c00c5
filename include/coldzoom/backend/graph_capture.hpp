/// Optional members of backends that only queue their work, as a device does: sums that are fetched later,
/// and graphs of work that is captured once and then replayed.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <optional>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// A backend with `b.sum_later(p, n)`: the sum of `b.sum`, without waiting. It returns an object whose
/// `get()` waits for this sum alone, not for work after it.
template <class B>
concept SumsLater = Backend<B> && requires(B& b, const real_t<B>* values, index_t count) {
  { b.sum_later(values, count).get() } -> std::same_as<double>;
};

namespace detail {
template <class B> struct pending_sum { using type = double; };
template <SumsLater B> struct pending_sum<B> {
  using type = decltype(std::declval<B&>().sum_later(nullptr, index_t{0}));
};
}  // namespace detail
/// The type that sum_later returns; double on backends without it.
template <Backend B> using pending_sum_t = typename detail::pending_sum<B>::type;

/// A backend with `b.capture(work)` and `b.replay(graph)`: `capture` calls work() without running the
/// operations that it asks of `b`, and returns a `B::graph` that can be replayed. The graph is false where
/// the work cannot be captured, because it waits for results or moves data of the host.
template <class B>
concept CapturesGraphs = Backend<B> && requires(B& b, typename B::graph& captured, void (&work)()) {
  { b.capture(work) } -> std::same_as<typename B::graph>;
  static_cast<bool>(captured);
  b.replay(captured);
};

/// Runs work that differs from call to call by nothing but the values in the backend's memory. Where the
/// backend captures graphs, the first call with a key runs as it is, so that objects made on first use exist;
/// the second call captures a graph and replays it, and all others replay it: one call of the driver in place
/// of one for each kernel. `Key` is equal for two calls that use the same memory and sizes. On other backends
/// every call runs as it is.
template <Backend B, class Key> class graph_capture {
 public:
  template <class Work> void operator()([[maybe_unused]] B& b, [[maybe_unused]] const Key& key, Work&& work) {
    if constexpr (CapturesGraphs<B>) {
      if (key_ != key) {
        key_ = key;
        graph_.reset();
        return work();
      }
      if (!graph_) graph_ = b.capture(work);
      if (*graph_) return b.replay(*graph_);
    }
    work();
  }

 private:
  struct nothing {};
  template <class T> struct graph_of { using type = nothing; };
  template <CapturesGraphs T> struct graph_of<T> { using type = typename T::graph; };

  std::optional<Key> key_;
  std::optional<typename graph_of<B>::type> graph_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
