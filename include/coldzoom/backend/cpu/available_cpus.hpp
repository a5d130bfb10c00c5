/// How many CPUs this process may keep busy.
#pragma once

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// What a small file of the kernel says; nothing where it cannot be read.
inline std::string text_of(const std::string& path) {
  if (!file_exists(path)) return {};
  try {
    const std::vector<std::byte> bytes = read_file(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  } catch (const error&) {
    return {};
  }
}

/// CPU time over time that one control group grants, infinite without a limit: cpu.max of version 2 ("200000 100000" or
/// "max 100000") and cpu.cfs_quota_us over cpu.cfs_period_us of version 1 (a quota of -1 is none).
inline double cpus_of_group(const std::string& folder) {
  std::string quota = text_of(folder + "/cpu.max"), period;
  if (const std::size_t space = quota.find(' '); space != std::string::npos) {
    period = quota.substr(space + 1);
    quota.resize(space);
  } else {
    quota = text_of(folder + "/cpu.cfs_quota_us");
    period = text_of(folder + "/cpu.cfs_period_us");
  }
  const double granted = std::strtod(quota.c_str(), nullptr), of = std::strtod(period.c_str(), nullptr);
  return granted > 0 && of > 0 ? granted / of : std::numeric_limits<double>::infinity();
}

/// The least that the groups of a process and those above them grant. `membership` is a file as /proc/self/cgroup, of lines
/// "number:controllers:path"; `root` is where groups are mounted. In a container the path may be that of the host, which is
/// not mounted: the root of the mount is then the container's own group.
inline double cpus_of_groups(const std::string& membership, const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  const std::string lines = text_of(membership);
  for (std::size_t begin = 0, end; begin < lines.size(); begin = end + 1) {
    end = std::min(lines.find('\n', begin), lines.size());
    const std::string line = lines.substr(begin, end - begin);
    const std::size_t first = line.find(':'),
                      second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && (',' + controllers + ',').find(",cpu,") == std::string::npos) continue;
    std::string group = line.substr(second + 1);
    while (group.ends_with('/')) group.pop_back();
    for (;;) {
      // Version 2 alone, version 2 beside 1, and version 1 by the controller's name or by both of a common mount.
      for (const std::string mount : {"", "/unified", "/cpu", "/cpu,cpuacct"}) {
        if (controllers.empty() == (mount.empty() || mount == "/unified"))
          least = std::min(least, cpus_of_group(root + mount + group));
      }
      if (group.empty()) break;
      group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
    }
  }
  return least;
}

}  // namespace detail

/// Number of CPUs that this process may keep busy, at least 1: those of its affinity mask, and no more than the quota of its
/// control groups (containers, systemd), rounded up.
inline int available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
  if (cpus == 0) cpus = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const double quota = detail::cpus_of_groups("/proc/self/cgroup", "/sys/fs/cgroup");
  return static_cast<int>(std::min(static_cast<double>(cpus), std::ceil(quota)));
}

}  // namespace coldzoom::inline COLDZOOM_ISA
