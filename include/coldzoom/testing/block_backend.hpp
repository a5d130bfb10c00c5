/// The reference backend with block kernels, for tests of these on the host.
#pragma once

#include <coldzoom/backend/device/host_block.hpp>
#include <coldzoom/backend/reference.hpp>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// Runs what a device would run: layers take their paths over blocks. The threads of a block run in an order
/// that `seed` decides, anew for each phase, so that two seeds make the same bits where the kernels keep the
/// rules of `Block`. Real is float, or double for gradient checks.
template <std::floating_point Real = float> class block_backend : public reference_backend<Real> {
 public:
  explicit block_backend(std::uint64_t seed = 1) : seed_(seed) {}

  template <class Kernel>
  void for_each_block(index_t count, int threads, index_t shared, const Kernel& kernel) const {
    device::run_on_host(count, threads, shared, kernel, seed_);
  }

 private:
  std::uint64_t seed_;
};

static_assert(BlockBackend<block_backend<float>> && BlockBackend<block_backend<double>>);

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
