/// Ranks that are threads of one program: a communicator for tests.
#pragma once

#include <algorithm>
#include <barrier>
#include <coldzoom/core/communicator.hpp>
#include <memory>
#include <thread>
#include <vector>

class thread_ranks {
 public:
  int rank() const { return rank_; }
  int size() const { return static_cast<int>(shared_->published.size()); }

  template <class T> void exchange(const T* from, coldzoom::index_t count, T* to) const {
    const coldzoom::index_range own = coldzoom::part_of_rank(count, rank_, size());
    publish(from);
    for (int r = 0; r < size(); ++r) to = std::copy_n(published<T>(r) + own.first, own.size(), to);
    meet();
  }
  template <class T> void gather(T* values, coldzoom::index_t count) const {
    publish(values);
    for (int r = 0; r < size(); ++r) {
      const coldzoom::index_range part = coldzoom::part_of_rank(count, r, size());
      if (r != rank_) std::copy_n(published<T>(r) + part.first, part.size(), values + part.first);
    }
    meet();
  }

  /// work(communicator) on `count` threads at once.
  template <class Work> static void run(int count, const Work& work) {
    const auto shared = std::make_shared<state>(count);
    std::vector<std::thread> threads;
    for (int r = 0; r < count; ++r) threads.emplace_back([&, r] { work(thread_ranks(shared, r)); });
    for (std::thread& t : threads) t.join();
  }

 private:
  struct state {
    explicit state(int count) : published(static_cast<std::size_t>(count)), all(count) {}
    std::vector<const void*> published;
    std::barrier<> all;
  };

  thread_ranks(std::shared_ptr<state> shared, int rank) : shared_(std::move(shared)), rank_(rank) {}
  void meet() const { shared_->all.arrive_and_wait(); }
  void publish(const void* values) const {
    shared_->published[static_cast<std::size_t>(rank_)] = values;
    meet();
  }
  template <class T> const T* published(int r) const {
    return static_cast<const T*>(shared_->published[static_cast<std::size_t>(r)]);
  }

  std::shared_ptr<state> shared_;
  int rank_;
};
static_assert(coldzoom::Communicator<thread_ranks>);
