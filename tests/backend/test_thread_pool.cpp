#define BOOST_TEST_MODULE thread_pool
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <filesystem>
#include <limits>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>

#include "common/errors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;
using cz::index_t;

BOOST_AUTO_TEST_CASE(every_task_once_and_threads_in_range) {
  for (const int threads : {1, 2, 5}) {
    cz::thread_pool pool(threads);
    BOOST_TEST(pool.threads() == threads);
    for (const index_t tasks : {0, 1, 3, 1000}) {
      for (const index_t chunk : {1, 7, 2000}) {
        std::vector<int> visits(static_cast<std::size_t>(tasks));
        std::atomic<bool> in_range{true};
        pool.run(
            tasks,
            [&](index_t task, int thread) {
              ++visits[static_cast<std::size_t>(task)];
              if (thread < 0 || thread >= threads) in_range = false;
            },
            chunk);
        BOOST_TEST(visits == std::vector<int>(visits.size(), 1));
        BOOST_TEST(in_range.load());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(threads_work_at_the_same_time) {
  cz::thread_pool pool(2);
  std::atomic<int> present{0};
  // Each task waits for the other; one thread alone would never return.
  pool.run(2, [&](index_t, int) {
    ++present;
    while (present < 2) std::this_thread::yield();
  });
  BOOST_TEST(present == 2);
}

BOOST_AUTO_TEST_CASE(regions_in_close_and_in_loose_succession) {
  cz::thread_pool pool(3);
  index_t total = 0;
  for (int round = 0; round < 2000; ++round) {
    index_t parts[8]{};
    pool.run(8, [&](index_t task, int) { parts[task] = task; });
    for (const index_t part : parts) total += part;
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // workers fall asleep
  }
  BOOST_TEST(total == 2000 * 28);
}

BOOST_AUTO_TEST_CASE(exceptions_reach_the_caller) {
  for (const int threads : {1, 2, 5}) {
    cz::thread_pool pool(threads);
    for (const index_t thrower : {0, 57, 99}) {
      std::atomic<index_t> started{0};
      BOOST_CHECK_EXCEPTION(pool.run(100,
                                     [&](index_t task, int) {
                                       ++started;
                                       if (task == thrower) throw std::domain_error("task");
                                     }),
                            std::domain_error,
                            [](const std::domain_error& e) { return e.what() == std::string("task"); });
      if (threads == 1) BOOST_TEST(started == thrower + 1);
    }
    // What nobody has claimed is skipped: it would take seconds.
    std::atomic<index_t> slow{0};
    const index_t many = 20000;
    BOOST_CHECK_THROW(pool.run(many,
                               [&](index_t task, int) {
                                 if (task == 0) throw std::domain_error("task");
                                 std::this_thread::sleep_for(std::chrono::microseconds(100));
                                 ++slow;
                               }),
                      std::domain_error);
    BOOST_TEST(slow < many - 1);
    // Several at once: one arrives, the others are dropped.
    BOOST_CHECK_THROW(pool.run(100, [](index_t, int) { throw std::domain_error("all"); }), std::domain_error);
    // The pool is as good as new.
    std::atomic<int> done{0};
    pool.run(100, [&](index_t, int) { ++done; });
    BOOST_TEST(done == 100);
  }
}

BOOST_AUTO_TEST_CASE(a_kernel_that_throws_inside_a_backend) {
  struct thrower {
    void operator()(index_t i) const {
      if (i == 77777) throw std::domain_error("kernel");
    }
  };
  cz::cpu_backend<float> b(2);
  BOOST_CHECK_THROW(b.for_each_index(100000, thrower{}), std::domain_error);
}

BOOST_AUTO_TEST_CASE(two_backends_in_two_threads) {
  const index_t count = 50000;
  const auto work = [](std::vector<float>& y) {
    struct kernel {
      float* y;
      void operator()(index_t i) const { y[i] = y[i] * 0.5f + static_cast<float>(i); }
    };
    cz::cpu_backend<float> b(2);
    y.assign(static_cast<std::size_t>(count), 0.0f);
    for (int round = 0; round < 20; ++round) b.for_each_index(count, kernel{y.data()}, 4);
  };
  std::vector<float> here, there;
  std::thread other([&] { work(there); });
  work(here);
  other.join();
  std::vector<float> wanted(here.size());  // exact: a half of a float is one, so only the sum is rounded
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = wanted[i] * 0.5f + static_cast<float>(i);
  }
  BOOST_TEST((here == wanted));
  BOOST_TEST((there == wanted));
}

BOOST_AUTO_TEST_CASE(numbers_of_threads) {
  BOOST_TEST(cz::thread_pool().threads() == cz::available_cpus());
  // The mask counts, not the machine: one thread of ours keeps to the CPU that it runs on.
  int narrow = 0;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0) narrow = cz::available_cpus();
  }).join();
  BOOST_TEST(narrow == 1);
  cpu_set_t all;
  BOOST_REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
  BOOST_TEST(cz::available_cpus() == CPU_COUNT(&all));
  BOOST_TEST(message_of([] { cz::thread_pool(-1); }) ==
             "thread_pool: the number of threads is -1; it must be 0 (all CPUs) to 1024");
  BOOST_TEST(message_of([] { cz::thread_pool(1025); }) ==
             "thread_pool: the number of threads is 1025; it must be 0 (all CPUs) to 1024");
}

// The second thread is held up by its first task; of the other 31 the first thread takes all but the last
// few, which lie in the caches of the second. The first waits in its own first task until the second has
// come.
BOOST_AUTO_TEST_CASE(control_groups_limit_the_default) {
  const double none = std::numeric_limits<double>::infinity();
  const auto limit = [](const std::string& groups, const std::map<std::string, std::string>& files) {
    const temporary_folder dir;
    for (const auto& [name, text] : files) {
      const std::filesystem::path path = dir / name;
      std::filesystem::create_directories(path.parent_path());
      cz::write_file_atomically(path, text);
    }
    cz::write_file_atomically(dir / "membership", groups);
    return cz::detail::cpus_of_groups(dir / "membership", dir / "groups");
  };
  BOOST_TEST(limit("0::/user/job\n", {}) == none);
  BOOST_TEST(limit("0::/user/job\n", {{"groups/user/job/cpu.max", "150000 100000\n"}}) == 1.5);
  BOOST_TEST(limit("0::/user/job\n", {{"groups/user/job/cpu.max", "max 100000\n"}}) == none);
  // The least of a group and those above it; those beside it are others'.
  BOOST_TEST(limit("0::/user/job\n", {{"groups/user/cpu.max", "50000 100000\n"},
                                      {"groups/user/job/cpu.max", "400000 100000\n"},
                                      {"groups/other/cpu.max", "1000 100000\n"}}) == 0.5);
  // In a container: the path is the host's, the mount is the container's own group.
  BOOST_TEST(limit("0::/docker/0123\n", {{"groups/cpu.max", "200000 100000"}}) == 2);
  // Version 1, alone and with version 2 beside it.
  const std::map<std::string, std::string> old{{"groups/cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n"},
                                               {"groups/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"}};
  BOOST_TEST(limit("5:memory:/job\n4:cpu,cpuacct:/job\n0::/job\n", old) == 3);
  BOOST_TEST(limit("5:memory:/job\n0::/job\n", old) == none);
  BOOST_TEST(limit("4:cpu:/\n", {{"groups/cpu/cpu.cfs_quota_us", "-1\n"},
                                 {"groups/cpu/cpu.cfs_period_us", "100000\n"}}) == none);
  // Nothing that a kernel says, and no file at all.
  BOOST_TEST(limit("nonsense\n:\n0::\n", {{"groups/cpu.max", "many few\n"}}) == none);
  BOOST_TEST(cz::detail::cpus_of_groups("/nowhere", "/nowhere") == none);
  BOOST_TEST(cz::available_cpus() >= 1);
}

BOOST_AUTO_TEST_CASE(a_late_thread_is_helped) {
  cz::thread_pool pool(2);
  std::vector<int> by(64, -1);
  std::atomic<int> by_first{0};
  std::atomic<bool> second_came{false};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  pool.run(64, [&](index_t task, int thread) {
    by[static_cast<std::size_t>(task)] = thread;
    by_first += thread == 0;
    if (task == 32) second_came = true;
    while (task == 0 && !second_came && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    while (task == 32 && thread == 1 && by_first < 60 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
  });
  BOOST_REQUIRE(std::count(by.begin(), by.end(), -1) == 0);
  BOOST_TEST(by[32] == 1);
  BOOST_TEST(std::count(by.begin(), by.end(), 0) == 60);
  BOOST_TEST((by[61] == 1 && by[62] == 1 && by[63] == 1));
}
