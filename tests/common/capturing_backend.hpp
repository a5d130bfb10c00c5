// A backend of the host that captures work and sums later, as a device does.
#pragma once

#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <functional>
#include <memory>
#include <vector>

/// Captured kernels are kept as closures: they see memory as it is when they are replayed, and nothing of the
/// host. Copies share the counts.
class capturing_backend : public coldzoom::testing::block_backend<float> {
  using base = coldzoom::testing::block_backend<float>;
  using index_t = coldzoom::index_t;

 public:
  struct counts {
    int captures = 0, replays = 0;
    int pending = 0;  // most sums at once that nobody has fetched
  };
  const counts& count() const { return state_->count; }

  struct graph {
    std::vector<std::function<void()>> kernels;
    explicit operator bool() const { return !kernels.empty(); }
  };

  template <class T> buffer<T> allocate(index_t size) const {
    forbid("allocate");
    return base::allocate<T>(size);
  }
  template <class T> void copy(const T* from, T* to, index_t size) const {
    run([=, this] { base::copy(from, to, size); });
  }
  template <class T> void upload(const T* from, T* to, index_t size) const {
    forbid("upload");
    base::upload(from, to, size);
  }
  template <class T> void download(const T* from, T* to, index_t size) const {
    forbid("download");
    base::download(from, to, size);
  }
  template <class Kernel> void for_each_index(index_t count, Kernel kernel, index_t cost = 1) const {
    run([=, this] { base::for_each_index(count, kernel, cost); });
  }
  template <class Kernel>
  void for_each_block(index_t count, int threads, index_t shared, const Kernel& kernel) const {
    run([=, this] { base::for_each_block(count, threads, shared, kernel); });
  }
  void gemm(bool transpose_a, index_t m, index_t n, index_t k, const float* a, index_t lda, const float* b,
            index_t ldb, float* c, index_t ldc, bool accumulate) const {
    run([=, this] { base::gemm(transpose_a, m, n, k, a, lda, b, ldb, c, ldc, accumulate); });
  }
  double sum(const float* values, index_t count) const {
    forbid("sum");
    return base::sum(values, count);
  }

  /// A sum whose `get` is counted.
  struct pending_sum {
    double value = 0;
    std::shared_ptr<int> pending{};
    double get() {
      --*pending;
      return value;
    }
  };
  pending_sum sum_later(const float* values, index_t count) const {
    ++*state_->pending;
    state_->count.pending = std::max(state_->count.pending, *state_->pending);
    return {sum(values, count), state_->pending};
  }

  template <class Work> graph capture(Work&& work) const {
    graph made;
    state_->to = &made.kernels;
    try {
      work();
    } catch (const coldzoom::error&) {
      made.kernels.clear();
    }
    state_->to = nullptr;
    state_->count.captures += made ? 1 : 0;
    return made;
  }
  void replay(const graph& work) const {
    ++state_->count.replays;
    for (const auto& kernel : work.kernels) kernel();
  }

 private:
  struct state {
    counts count;
    std::vector<std::function<void()>>* to = nullptr;
    std::shared_ptr<int> pending = std::make_shared<int>(0);
  };
  template <class Kernel> void run(const Kernel& kernel) const {
    if (state_->to) {
      state_->to->push_back(kernel);
    } else {
      kernel();
    }
  }
  void forbid(const char* what) const {
    coldzoom::require(!state_->to, "capturing_backend",
                      [&] { return std::string(what) + " while captured"; });
  }

  std::shared_ptr<state> state_ = std::make_shared<state>();
};
