/// The processes of a run: one, or as many as mpirun started.
#pragma once

#include <coldzoom/core/communicator.hpp>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace programs {

/// A handle of them, see coldzoom::Communicator; a run is one process until `join_ranks`.
class run_ranks {
 public:
  int rank() const;
  int size() const;
  void exchange(const float* from, coldzoom::index_t count, float* to) const;
  void exchange(const double* from, coldzoom::index_t count, double* to) const;
  void gather(float* values, coldzoom::index_t count) const;
  void gather(double* values, coldzoom::index_t count) const;

  /// Whether this is the one that writes files and talks to the user.
  bool first() const { return rank() == 0; }
  /// A number as the first rank has it: below 2^53, and the same on all of them.
  double of_first(double value) const;
};
static_assert(coldzoom::Communicator<run_ranks>);

/// Joins the processes that mpirun started, if it did. From then on ranks other than the first say nothing but errors. Throws
/// coldzoom::error where the program was built without MPI.
run_ranks join_ranks();

/// Throws coldzoom::error where some rank is another program, was started with other options, or has other `data`, or what
/// stands for them, than the first one.
void require_same_run(const run_ranks& ranks, std::string_view data);

/// Where errors go, though the rank may be silent.
std::FILE* error_output();

/// Ends what join_ranks began: with a code other than 0 for all ranks, which would wait for this one without end.
void leave_ranks(int code);

}  // namespace programs
