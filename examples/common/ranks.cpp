#include "common/ranks.hpp"

#include <unistd.h>

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/fnv1a.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#if defined(COLDZOOM_PROGRAMS_MPI)
#  include <coldzoom/distributed/mpi.hpp>
#endif

namespace programs {

namespace {

using coldzoom::index_t;

struct session {
#if defined(COLDZOOM_PROGRAMS_MPI)
  coldzoom::mpi_session mpi;
  coldzoom::mpi_communicator all;
#else
  coldzoom::single_rank all;
#endif
};
std::optional<session> joined;
std::FILE* errors = stderr;

template <class Use> auto with_ranks(const Use& use) {
  return joined ? use(joined->all) : use(coldzoom::single_rank{});
}

/// "OMPI_COMM_WORLD_SIZE=4", what mpirun or srun says where it started several processes; empty otherwise.
std::string several_started() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const char* const number = std::getenv(name);
    if (number != nullptr && std::atoi(number) > 1) return std::string(name) + "=" + number;
  }
  return {};
}

/// The files of /proc have no length.
std::uint64_t hash_of_file(const char* path) {
  coldzoom::fnv1a hash;
  std::ifstream file(path, std::ios::binary);
  for (std::istreambuf_iterator<char> byte(file), end; byte != end; ++byte)
    hash.add(static_cast<std::uint8_t>(*byte));
  return hash.value();
}

/// Throws coldzoom::error where some rank has another hash than the first one: of `what`, as in "other data".
void require_same(const run_ranks& ranks, std::uint64_t hash, const char* what) {
  std::vector<double> all(2 * static_cast<std::size_t>(ranks.size()));
  const std::size_t own = 2 * static_cast<std::size_t>(ranks.rank());
  all[own] = static_cast<std::uint32_t>(hash >> 32);  // a double holds 53 bits
  all[own + 1] = static_cast<std::uint32_t>(hash);
  ranks.gather(all.data(), static_cast<index_t>(all.size()));
  for (std::size_t r = 0; r < all.size(); r += 2) {
    coldzoom::require(all[r] == all[0] && all[r + 1] == all[1], ("rank " + std::to_string(r / 2)).c_str(),
                      [&] { return std::string("found ") + what + " than rank 0 has"; });
  }
}

/// Of a rank other than the first: what all of them would say is said once.
void be_silent() {
  errors = fdopen(dup(STDERR_FILENO), "w");
  coldzoom::require(errors != nullptr && std::freopen("/dev/null", "w", stdout) != nullptr &&
                        std::freopen("/dev/null", "w", stderr) != nullptr,
                    "/dev/null", "cannot be opened");
}

}  // namespace

int run_ranks::rank() const {
  return with_ranks([](const auto& ranks) { return ranks.rank(); });
}
int run_ranks::size() const {
  return with_ranks([](const auto& ranks) { return ranks.size(); });
}
void run_ranks::exchange(const float* from, index_t count, float* to) const {
  with_ranks([&](const auto& ranks) { ranks.exchange(from, count, to); });
}
void run_ranks::exchange(const double* from, index_t count, double* to) const {
  with_ranks([&](const auto& ranks) { ranks.exchange(from, count, to); });
}
void run_ranks::gather(float* values, index_t count) const {
  with_ranks([&](const auto& ranks) { ranks.gather(values, count); });
}
void run_ranks::gather(double* values, index_t count) const {
  with_ranks([&](const auto& ranks) { ranks.gather(values, count); });
}

double run_ranks::of_first(double value) const {
  std::vector<double> all(static_cast<std::size_t>(size()), value);
  gather(all.data(), size());
  return all.front();
}

run_ranks join_ranks() {
  const std::string started = several_started();
  if (started.empty()) return {};
#if defined(COLDZOOM_PROGRAMS_MPI)
  joined.emplace();
#else
  throw coldzoom::error(
      started,
      "several processes were started, and this program knows no MPI; configure with -DCOLDZOOM_MPI=ON");
#endif
  if (!run_ranks().first()) be_silent();
  return {};
}

void require_same_run(const run_ranks& ranks, std::string_view data) {
  if (ranks.size() == 1) return;
  require_same(ranks, hash_of_file("/proc/self/exe"), "another program");
  require_same(ranks, hash_of_file("/proc/self/cmdline"), "other options");
  coldzoom::fnv1a hash;
  hash.add(data);
  require_same(ranks, hash.value(), "other data");
}

std::FILE* error_output() { return errors; }

void leave_ranks(int code) {
#if defined(COLDZOOM_PROGRAMS_MPI)
  if (joined && code != 0) {
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, code);
  }
#endif
  if (code == 0) joined.reset();
}

}  // namespace programs
