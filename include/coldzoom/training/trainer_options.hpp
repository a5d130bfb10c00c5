/// What a training run can be told, beside its policies.
#pragma once

#include <algorithm>
#include <bit>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

struct trainer_options {
  index_t batch_size = 128;  // images that are in memory at a time
  /// The number of such parts in an update: a batch is batch_size * accumulate images. Where batch_size is a
  /// multiple of the micro-batch, 32 images on a CPU, the bits are those of one part as large as the batch.
  index_t accumulate = 1;
  /// A batch is so many shares, whose gradients are added in pairs, see pairwise_sum; 0 for the number of ranks, each of which
  /// takes as many. The bits are those of any other number of ranks where both numbers of shares a rank are powers of 2, and of
  /// 1 share those of one sum. A share costs a rank a pass over the gradients.
  index_t shares = 0;
  std::uint64_t seed = 0;    // of the initial weights, the order of the images, the steps and the degradation
  int last_step = 0;         // t is drawn from 1 .. last_step; 0 means the schedule's T
  double label_dropout = 0;  // share of the images whose label is left out, for classifier-free guidance
  double clip_norm = 0;      // the largest norm of the gradients of an update; 0 for any
  std::vector<double> average_decays = {};  // of running averages of the weights, each above 0 and below 1

  index_t batch() const { return batch_size * accumulate; }  // images of an update
  index_t share() const { return batch() / shares; }         // of them in a share, where shares is not 0
};

namespace detail {

/// With the defaults filled in, for a schedule of so many steps. Throws `error` for options out of range.
inline trainer_options checked(trainer_options options, int steps, int ranks) {
  const auto at_least_1 = [](const char* name, index_t value) {
    require(value >= 1, "trainer", [&] {
      return std::string("the ") + name + " is " + std::to_string(value) + "; it must be at least 1";
    });
  };
  at_least_1("batch size", options.batch_size);
  at_least_1("number of accumulated parts", options.accumulate);
  if (options.shares == 0) options.shares = ranks;
  const index_t batch = options.batch(), shares = options.shares;
  require(shares > 0 && shares % ranks == 0 && batch % shares == 0, "trainer", [&] {
    return "a batch of " + std::to_string(batch) + " images is " + std::to_string(shares) + " shares for " +
           std::to_string(ranks) + " ranks; the ranks must divide the shares, and the shares the batch";
  });
  require(ranks == 1 || std::has_single_bit(static_cast<std::size_t>(shares / ranks)), "trainer", [&] {
    return std::to_string(ranks) + " ranks get " + std::to_string(shares / ranks) +
           " shares of a batch each; it must be a power of 2";
  });
  require(batch / shares % std::min(options.batch_size, batch / shares) == 0, "trainer", [&] {
    return "a share is " + std::to_string(batch / shares) + " images; it must be parts of the batch size, " +
           std::to_string(options.batch_size);
  });
  if (options.last_step == 0) options.last_step = steps;
  require(options.last_step >= 1 && options.last_step <= steps, "trainer", [&] {
    return "the last step is " + std::to_string(options.last_step) + "; it must be 1 to " +
           std::to_string(steps);
  });
  require(options.label_dropout >= 0 && options.label_dropout <= 1, "trainer", [&] {
    return "the label dropout is " + std::to_string(options.label_dropout) + "; it must be 0 to 1";
  });
  return options;
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
