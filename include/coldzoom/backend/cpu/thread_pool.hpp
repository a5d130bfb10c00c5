/// The thread pool that a CPU backend owns.
#pragma once

#include <algorithm>
#include <atomic>
#include <coldzoom/backend/cpu/available_cpus.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// A fixed team of threads that runs independent tasks. No globals: each backend owns one.
///
/// Each thread starts with a share of its own, thread t of T with the t-th T-th of the tasks, and then helps
/// the others: the same thread meets the same images in one call after the other, and their memory stays in
/// its caches, which may be far from those of the other threads. It therefore helps only one that has an
/// eighth of its share left or more: the last few tasks are done sooner by the one that has their memory.
/// Which thread runs which task is left open all the same, so a task must write only what is its own; then
/// results do not depend on the number of threads. The calling thread takes part. One caller at a time.
class thread_pool {
 public:
  /// `threads` = 0 takes all available_cpus(). Throws `error` for a negative count or one above
  /// 1024.
  explicit thread_pool(int threads = 0) {
    require(threads >= 0 && threads <= 1024, "thread_pool", [&] {
      return "the number of threads is " + std::to_string(threads) + "; it must be 0 (all CPUs) to 1024";
    });
    count_ = threads == 0 ? available_cpus() : threads;
    shares_ = std::vector<share>(static_cast<std::size_t>(count_));
    workers_.reserve(static_cast<std::size_t>(count_ - 1));
    for (int i = 1; i < count_; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    stop_ = true;
    wake();
    for (auto& worker : workers_) worker.join();
  }

  int threads() const { return count_; }

  /// Runs f(task, thread) for task = 0 .. tasks - 1, thread in 0 .. threads() - 1, and returns when all are
  /// done. Threads claim `chunk` consecutive tasks at a time. The first exception is rethrown here; tasks not
  /// yet claimed are then skipped. Cost: about 1 us when the workers are still awake from the previous call.
  template <class F> void run(index_t tasks, F&& f, index_t chunk = 1) {
    if (tasks <= 0) return;
    run_tasks(
        tasks,
        [](void* context, index_t task, int thread) {
          (*static_cast<std::remove_reference_t<F>*>(context))(task, thread);
        },
        const_cast<void*>(static_cast<const void*>(&f)), chunk);
  }

 private:
  using function = void (*)(void* context, index_t task, int thread);

  /// Apart from `run`, so that it is compiled once and not for every kernel. Inlined there, the compiler would
  /// also see which function `call` is: a second copy of it could fuse other multiplications with additions,
  /// and the bits would depend on the number of threads.
  [[gnu::noinline]] void run_tasks(index_t tasks, function call, void* context, index_t chunk) {
    asm("" : "+r"(call));
    if (count_ == 1 || tasks <= chunk) {
      for (index_t task = 0; task < tasks; ++task) call(context, task, 0);
      return;
    }
    call_ = call;
    context_ = context;
    chunk_ = chunk;
    const index_t chunks = (tasks + chunk - 1) / chunk;
    for (index_t t = 0; t < count_; ++t) {
      share& own = shares_[static_cast<std::size_t>(t)];
      const index_t first = t * chunks / count_ * chunk;
      own.last = std::min(tasks, (t + 1) * chunks / count_ * chunk);
      own.helped_before = own.last - std::max(2 * chunk, (own.last - first) / 8) + 1;
      own.next.store(first, std::memory_order_relaxed);
    }
    busy_.store(count_ - 1, std::memory_order_relaxed);
    wake();
    drain(0);
    for (int spins = 0; busy_.load(std::memory_order_acquire) != 0; ++spins) {
      if (spins < spin_limit) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  // Waiting threads spin for about 50 us before they sleep: regions of one training step follow each other
  // within microseconds, while a program that does something else must not burn a core.
  static constexpr int spin_limit = 2000;

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  void wake() {
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
  }

  void work(int thread) {
    unsigned seen = 0;
    for (;;) {
      unsigned now = seen;
      for (int spins = 0; (now = epoch_.load(std::memory_order_acquire)) == seen; ++spins) {
        if (spins < spin_limit) {
          pause();
        } else {
          epoch_.wait(seen, std::memory_order_acquire);
        }
      }
      seen = now;
      if (stop_) return;
      drain(thread);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  void drain(int thread) {
    for (int i = 0; i < count_; ++i) {
      share& of = shares_[static_cast<std::size_t>((thread + i) % count_)];
      const index_t end = i == 0 ? of.last : of.helped_before;
      while (of.next.load(std::memory_order_relaxed) < end) {
        const index_t first = of.next.fetch_add(chunk_, std::memory_order_relaxed);
        if (first >= of.last) break;
        const index_t last = std::min(of.last, first + chunk_);
        try {
          for (index_t task = first; task < last; ++task) call_(context_, task, thread);
        } catch (...) {
          const std::lock_guard lock(failure_lock_);
          if (!failure_) failure_ = std::current_exception();
          for (share& rest : shares_) rest.next.store(rest.last, std::memory_order_relaxed);
        }
      }
    }
  }

  int count_ = 1;
  std::vector<std::thread> workers_;
  std::atomic<unsigned> epoch_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
  function call_ = nullptr;
  void* context_ = nullptr;
  index_t chunk_ = 1;
  // A pair of cache lines each, as they are fetched, so that threads do not disturb each other as long as
  // each works on its own.
  struct alignas(128) share {
    std::atomic<index_t> next{0};
    index_t last = 0, helped_before = 0;  // helped while `next` is below the latter
  };
  std::vector<share> shares_;
  std::mutex failure_lock_;
  std::exception_ptr failure_;
};

/// A thread pool that copies share: the part of a CPU backend that its operations run on.
class shared_threads {
 public:
  explicit shared_threads(int threads) : pool_(std::make_shared<thread_pool>(threads)) {}

  thread_pool& pool() const { return *pool_; }
  int threads() const { return pool_->threads(); }

 private:
  std::shared_ptr<thread_pool> pool_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
