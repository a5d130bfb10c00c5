/// Work done ahead on threads, whose results are taken in order.
#pragma once

#if defined(__linux__)
#  include <sys/resource.h>
#endif

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Makes make(0), make(1), ... make(count - 1) on threads of its own, at most `ahead` of them before they are taken, for one
/// caller who takes them in order. make is called from several threads at once; what it throws is thrown by next().
template <class Make> class prefetched {
 public:
  using value_type = std::invoke_result_t<const Make&, index_t>;

  /// Throws `error` for less than one thread or less than one result ahead.
  prefetched(Make make, index_t count, int threads, index_t ahead)
      : make_(std::move(make)),
        count_(count),
        ahead_(ahead) {
    require(threads >= 1 && ahead >= 1, "prefetched", [&] {
      return "found " + std::to_string(threads) + " threads and " + std::to_string(ahead) +
             " results ahead, wanted at least 1 of each";
    });
    for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  prefetched(const prefetched&) = delete;
  prefetched& operator=(const prefetched&) = delete;
  ~prefetched() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  bool finished() const { return taken_ == count_; }

  /// Waits for the next result; not to be called once finished().
  value_type next() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return made_.contains(taken_); });
    result r = std::move(made_.extract(taken_).mapped());
    ++taken_;
    lock.unlock();
    room_.notify_one();
    if (r.failure) std::rethrow_exception(r.failure);
    return std::move(r.value);
  }

 private:
  struct result {
    value_type value{};
    std::exception_ptr failure;
  };

  void work() {
    give_way();
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return stopped_ || begun_ == count_ || begun_ < taken_ + ahead_; });
      if (stopped_ || begun_ == count_) return;
      const index_t number = begun_++;
      lock.unlock();
      result r;
      try {
        r.value = make_(number);
      } catch (...) {
        r.failure = std::current_exception();
      }
      lock.lock();
      made_.emplace(number, std::move(r));
      ready_.notify_one();
    }
  }

  /// Gives this thread the lowest priority: the caller's threads often wait for one another, and all of them would wait for one
  /// whose CPU was taken from it. A caller who waits in next() leaves the CPUs to these threads. Nothing depends on it.
  static void give_way() {
#if defined(__linux__)
    constexpr int lowest = 19;
    ::setpriority(PRIO_PROCESS, 0, lowest);  // of this thread alone, on Linux
#endif
  }

  const Make make_;
  const index_t count_, ahead_;
  std::mutex mutex_;
  std::condition_variable ready_, room_;
  std::map<index_t, result> made_;
  index_t begun_ = 0, taken_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> workers_;  // last: they use what stands above
};

}  // namespace coldzoom::inline COLDZOOM_ISA
