/// The ranks of a run under MPI. Needs MPI 3; made for Open MPI and MPICH.
#pragma once

#include <mpi.h>

#include <coldzoom/core/communicator.hpp>
#include <coldzoom/core/error.hpp>
#include <exception>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// MPI from here to the end of the scope, for one thread a rank that calls it. Where an exception ends the scope, the whole run
/// ends, for the other ranks would wait for this one without end.
class mpi_session {
 public:
  mpi_session() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  }
  mpi_session(const mpi_session&) = delete;
  mpi_session& operator=(const mpi_session&) = delete;
  ~mpi_session() {
    if (std::uncaught_exceptions() > 0) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Finalize();
  }
};

/// A Communicator of the ranks of `ranks`, which must live as long, by MPI's calls for all ranks at once. A call that fails
/// ends the run, unless the user has changed that in MPI.
class mpi_communicator {
 public:
  explicit mpi_communicator(MPI_Comm ranks = MPI_COMM_WORLD) : ranks_(ranks) {
    MPI_Comm_rank(ranks, &rank_);
    MPI_Comm_size(ranks, &size_);
  }

  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Throws `error` for 2^31 values or more.
  template <class T> void exchange(const T* from, index_t count, T* to) const {
    const places parts(count, size_);
    const int own = parts.sizes[static_cast<std::size_t>(rank_)];
    places received(index_t{own} * size_, size_);
    MPI_Alltoallv(from, parts.sizes.data(), parts.firsts.data(), type<T>(), to, received.sizes.data(),
                  received.firsts.data(), type<T>(), ranks_);
  }
  /// Throws `error` for 2^31 values or more.
  template <class T> void gather(T* values, index_t count) const {
    const places parts(count, size_);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, parts.sizes.data(), parts.firsts.data(),
                   type<T>(), ranks_);
  }

 private:
  /// The parts of all ranks, as MPI wants them.
  struct places {
    places(index_t count, int ranks) {
      require(count <= std::numeric_limits<int>::max(), "mpi_communicator",
              [&] { return "found " + std::to_string(count) + " values, wanted less than 2^31"; });
      for (int r = 0; r < ranks; ++r) {
        const index_range part = part_of_rank(count, r, ranks);
        sizes.push_back(static_cast<int>(part.size()));
        firsts.push_back(static_cast<int>(part.first));
      }
    }
    std::vector<int> sizes, firsts;
  };
  template <class T> static MPI_Datatype type() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
    return std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE;
  }

  MPI_Comm ranks_;
  int rank_ = 0, size_ = 1;
};
static_assert(Communicator<mpi_communicator>);

}  // namespace coldzoom::inline COLDZOOM_ISA
