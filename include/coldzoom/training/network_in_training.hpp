/// A network in training: parameters, gradients, and the passes that find them.
#pragma once

#include <algorithm>
#include <array>
#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <concepts>
#include <tuple>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Where a part of a batch stands among the parts whose gradients add up.
struct batch_part {
  bool first = true, last = true;  // of a sum: it starts from 0, it ends in gradients()
  bool new_parameters = true;      // they have changed since the part before
};

namespace detail {
/// Index: [n].
struct set_keys {
  key_sequence keys;
  sample_key* to;

  COLDZOOM_HD void operator()(index_t n) const { to[n] = keys[n]; }
};
}  // namespace detail

/// Runs batches through a network in micro-batches, forward and back, and adds up the gradients of its
/// parameters. Layers may sum over parts of a micro-batch, so parts of a batch give the sums of the whole
/// where they are cut at the same images.
template <Backend B, class Network> class network_in_training {
  static_assert(std::same_as<real_t<B>, float>,
                "coldzoom: training runs in float; use double backends for checks");
  static_assert(check_layer<Network, B>() || true);  // the check itself says what is missing
  using space = typename B::space;

 public:
  /// `in` is the shape of one input; at most `rows` go through at a time, a multiple of `group` (or one
  /// group, where that is more). The initial parameters are drawn from `seed`.
  network_in_training(B& b, Network network, shape in, index_t rows, index_t group, std::uint64_t seed)
      : b_(&b),
        in_(in.with_n(1)),
        out_(network.output_shape(in_)),
        most_(std::max(group, std::min(micro_batch_of<B>, rows) / group * group)),
        network_(b, std::move(network), in_.with_n(most_), pass::train),
        parameters_(b.template allocate<float>(parameter_count(this->network()))),
        gradients_(b.template allocate<float>(parameters_.size())),
        keys_(b.template allocate<sample_key>(rows)),
        x_(b, in_.with_n(most_)),
        y_(b, out_.with_n(most_)),
        dy_(b, out_.with_n(most_)) {
    const std::vector<float> values = initial_parameters(this->network(), seed);
    b.upload(values.data(), parameters_.data(), static_cast<index_t>(values.size()));
  }

  const Network& network() const { return network_.network(); }
  shape output() const { return out_; }
  buffer_t<B>& parameters() { return parameters_; }
  buffer_t<B>& gradients() { return gradients_; }

  /// Later passes run with these parameters.
  void pack(buffer_t<B>& parameters) {
    active_ = parameters.data();
    network_.pack_weights(*b_, active_);
  }

  /// Forward passes: use(first, y) for each micro-batch of answers.
  template <class Use>
  void predict(tensor_view<const float, space> x, const side_inputs<B>& side, const Use& use) {
    for (index_t first = 0; first < x.dims.n; first += most_) {
      const index_t n = std::min(most_, x.dims.n - first);
      pack_images(*b_, x.images(first, n), x_.view(n));
      network_.forward(*b_, active_, x_.view(n), side.images(first, n), y_.view(n));
      use(first, const_activation<B>(y_.view(n)));
    }
  }

  /// Finds the gradients of one part of a batch, by the parameters as they are. loss(first, y, dy) writes the losses of a
  /// micro-batch and their gradients by y. `keys` of the rows are those of what layers draw. Calls differ by nothing but the
  /// values in the backend's memory, so a backend that captures graphs replays them.
  template <class Loss>
  void find_gradients(batch_part part, tensor_view<const float, space> x, side_inputs<B> side,
                      key_sequence keys, const Loss& loss) {
    b_->for_each_index(x.dims.n, detail::set_keys{keys, keys_.data()});
    side.keys = {keys_.data(), x.dims.n};
    // Sums that an exception left behind in the workspace are none of this batch.
    if (part.first && open_) network_.reduce_gradients(*b_, gradients_.data());
    open_ = true;
    const memory_key key{x.data, x.dims.n, side.time.data, side.label.data};
    step_[(part.first ? 1u : 0u) + (part.last ? 2u : 0u) + (part.new_parameters ? 4u : 0u)](*b_, key, [&] {
      if (part.new_parameters) pack(parameters_);
      if (part.first) {
        b_->for_each_index(gradients_.size(), generic::fill<float>{0.0f, gradients_.data()});
      }
      for (index_t first = 0; first < x.dims.n; first += most_) {
        const index_t n = std::min(most_, x.dims.n - first);
        const side_inputs<B> own = side.images(first, n);
        pack_images(*b_, x.images(first, n), x_.view(n));
        network_.forward(*b_, active_, x_.view(n), own, y_.view(n));
        loss(first, const_activation<B>(y_.view(n)), dy_.view(n));
        network_.backward(*b_, active_, x_.view(n), own, dy_.view(n), {}, gradients_.data());
      }
      if (part.last) network_.reduce_gradients(*b_, gradients_.data());
    });
    active_ = parameters_.data();  // where it is replayed too
    open_ = !part.last;
  }

 private:
  /// Equal for two calls that use the same memory.
  using memory_key = std::tuple<const float*, index_t, const float*, const std::int32_t*>;

  B* b_;
  shape in_, out_;
  index_t most_;  // rows at a time
  placed_network<B, Network> network_;
  buffer_t<B> parameters_, gradients_;
  typename B::template buffer<sample_key> keys_;
  activation_buffer<B> x_, y_, dy_;
  const float* active_ = nullptr;  // the parameters that the workspace is packed for
  bool open_ = false;              // whether a batch has begun and its sums are not yet in gradients_
  std::array<graph_capture<B, memory_key>, 8> step_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
