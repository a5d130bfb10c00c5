/// Optional members of backends whose work runs behind the program's back: sums that are fetched later, and
/// work that is recorded once and then replayed.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <optional>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// A backend with `b.sum_later(p, n)`: the sum of `b.sum` without waiting. `get()` of what it returns waits
/// for this sum alone, not for work after it.
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
/// What sum_later gives; double where there is none.
template <Backend B> using pending_sum_t = typename detail::pending_sum<B>::type;

/// A backend with `b.capture(work)` and `b.replay(recorded)`: record calls work() without running what it
/// asks of `b`, and returns a `B::graph` that can be replayed, or one that is false where the work cannot be
/// recorded, because it waits for results or moves data of the host.
template <class B>
concept CapturesGraphs = Backend<B> && requires(B& b, typename B::graph& recorded, void (&work)()) {
  { b.capture(work) } -> std::same_as<typename B::graph>;
  static_cast<bool>(recorded);
  b.replay(recorded);
};

/// Runs work that differs from call to call by nothing but the values in the backend's memory. Where the
/// backend records, the first call with a key runs as it is (so that what is made on first use is made), the
/// second records, and all others replay: one call of the driver in place of one for each kernel. `Key` is
/// equal for two calls that use the same memory and sizes. Elsewhere every call runs as it is.
template <Backend B, class Key> class graph_capture {
 public:
  template <class Work> void operator()([[maybe_unused]] B& b, [[maybe_unused]] const Key& key, Work&& work) {
    if constexpr (CapturesGraphs<B>) {
      if (key_ != key) {
        key_ = key;
        recorded_.reset();
        return work();
      }
      if (!recorded_) recorded_ = b.capture(work);
      if (*recorded_) return b.replay(*recorded_);
    }
    work();
  }

 private:
  struct nothing {};
  template <class T> struct recorded_of { using type = nothing; };
  template <CapturesGraphs T> struct recorded_of<T> { using type = typename T::graph; };

  std::optional<Key> key_;
  std::optional<typename recorded_of<B>::type> recorded_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
