/// Convolution by definition, by blocks: pieces of the picture in shared memory, register tiles, no library.
#pragma once

#include <algorithm>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/device/reduction.hpp>
#include <coldzoom/backend/generic/convolution.hpp>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// One axis of a correlation, of the forward pass or of the data gradient: output o meets input
/// (o * stride + tap - pad) / dilate, where that is a whole number inside the picture.
struct correlation_axis {
  int in, out, kernel, stride, dilate, pad;

  /// -1 where tap + o * stride, counted from the first tap of output 0, meets no input.
  COLDZOOM_HD constexpr int input(int position) const {
    const int at = position - pad;
    return at < 0 || at >= in * dilate || at % dilate != 0 ? -1 : at / dilate;
  }
  /// Positions that `outputs` neighbouring outputs meet.
  COLDZOOM_HD constexpr int reach(int outputs) const { return (outputs - 1) * stride + kernel; }
};

/// y[n][o] = bias[o] + sum over the inputs c of x[n][c] correlated with the kernel (o, c), dense.
///
/// A block makes a tile of tile_h x tile_w pixels of `Outputs` output channels of one image, `Pixels` pixels
/// a thread. It takes `chunk` input channels at a time: their piece of the picture and their weights go into
/// shared memory. Every element is summed in the order c, row, column of the kernel. Block: [n][group of
/// Outputs channels][tile row][tile column].
template <class Real, int Outputs> struct correlate {
  static constexpr int most_threads = usual_threads, pixels_a_thread = 4;
  using weight_pack = pack<Real, Outputs>;

  correlation_axis rows, cols;
  int inputs, outputs, tile_h, tile_w, chunk;
  const Real* x;
  const Real* weights;  // [group][c][row][column][Outputs], see arrange_weights
  const Real* bias;     // or null
  Real* y;

  COLDZOOM_HD int groups() const { return (outputs + Outputs - 1) / Outputs; }
  COLDZOOM_HD int tiles_y() const { return (rows.out + tile_h - 1) / tile_h; }
  COLDZOOM_HD int tiles_x() const { return (cols.out + tile_w - 1) / tile_w; }
  COLDZOOM_HD int taps() const { return rows.kernel * cols.kernel; }
  COLDZOOM_HD int piece() const { return rows.reach(tile_h) * cols.reach(tile_w); }
  index_t blocks(index_t images) const { return images * groups() * tiles_y() * tiles_x(); }
  int threads() const { return threads_for((tile_h * tile_w + pixels_a_thread - 1) / pixels_a_thread); }
  index_t shared_bytes() const { return shared_bytes(chunk); }
  index_t shared_bytes(index_t channels) const {
    return channels * (taps() * static_cast<index_t>(sizeof(weight_pack)) +
                       piece() * static_cast<index_t>(sizeof(Real))) +
           32;
  }

  /// Chooses the tile and the chunk for the shapes; false where not even one pixel fits.
  bool plan() {
    tile_w = std::min(cols.out, 32);
    tile_h = std::min(rows.out, most_threads * pixels_a_thread / tile_w);
    chunk = 1;
    while (shared_bytes() > most_shared && tile_h > 1) --tile_h;
    while (shared_bytes() > most_shared && tile_w > 1) --tile_w;
    if (shared_bytes() > most_shared) return false;
    tile_h = (rows.out + tiles_y() - 1) / tiles_y();  // tiles of one height
    // Half of the memory, so that two blocks share a multiprocessor.
    while (chunk < std::min(inputs, 8) && shared_bytes(chunk + 1) <= most_shared / 2) ++chunk;
    return true;
  }

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const int block_rest = static_cast<int>(block.index() % (groups() * tiles_y() * tiles_x()));
    const index_t n = block.index() / (groups() * tiles_y() * tiles_x());
    const int left = block_rest % tiles_x() * tile_w, top = block_rest / tiles_x() % tiles_y() * tile_h;
    const int group = block_rest / (tiles_x() * tiles_y());
    const int piece_w = cols.reach(tile_w), threads = block.threads();
    auto* near_weights = block.template shared<weight_pack>(static_cast<index_t>(chunk) * taps());
    Real* near_x = block.template shared<Real>(static_cast<index_t>(chunk) * piece());
    auto totals = block.template local<pack<Real, Outputs * pixels_a_thread>>();
    for (int first = 0; first < inputs; first += chunk) {
      const int channels = inputs - first < chunk ? inputs - first : chunk;
      block.for_each_thread([&](int thread) {
        const Real* from = weights + (static_cast<index_t>(group) * inputs + first) * taps() * Outputs;
        for (int i = thread; i < channels * taps() * Outputs; i += threads)
          near_weights[i / Outputs].value[i % Outputs] = from[i];
        load_piece(near_x, channels, n * inputs + first, top, left, thread, threads);
      });
      block.for_each_thread([&](int thread) {
        int offset[pixels_a_thread];
        for (int p = 0; p < pixels_a_thread; ++p) {
          const int pixel = thread + p * threads;  // those beyond the tile repeat its first
          const int row = pixel < tile_h * tile_w ? pixel / tile_w : 0, col = pixel - row * tile_w;
          offset[p] = row * rows.stride * piece_w + (pixel < tile_h * tile_w ? col : 0) * cols.stride;
        }
        auto total = totals[thread];
        for (int c = 0; c < channels; ++c) {
          for (int a = 0; a < rows.kernel; ++a) {
            for (int b = 0; b < cols.kernel; ++b) {
              const weight_pack w = near_weights[(c * rows.kernel + a) * cols.kernel + b];
              const Real* at = near_x + c * piece() + a * piece_w + b;
              COLDZOOM_UNROLL
              for (int p = 0; p < pixels_a_thread; ++p) {
                const Real value = at[offset[p]];
                COLDZOOM_UNROLL
                for (int o = 0; o < Outputs; ++o) total.value[p * Outputs + o] += value * w.value[o];
              }
            }
          }
        }
        totals[thread] = total;
      });
    }
    block.for_each_thread([&](int thread) {
      COLDZOOM_UNROLL
      for (int p = 0; p < pixels_a_thread; ++p) {
        const int pixel = thread + p * threads, row = top + pixel / tile_w, col = left + pixel % tile_w;
        if (pixel >= tile_h * tile_w || row >= rows.out || col >= cols.out) continue;
        COLDZOOM_UNROLL
        for (int o = 0; o < Outputs; ++o) {
          const int channel = group * Outputs + o;
          if (channel < outputs) {
            y[((n * outputs + channel) * rows.out + row) * cols.out + col] =
                totals[thread].value[p * Outputs + o] + (bias ? bias[channel] : Real(0));
          }
        }
      }
    });
  }

 private:
  /// The inputs that the tile meets, zeros outside the picture: [channel][position][position].
  COLDZOOM_HD void load_piece(Real* to, int channels, index_t plane, int top, int left, int thread,
                              int threads) const {
    const int piece_w = cols.reach(tile_w), lines = channels * rows.reach(tile_h);
    for (int i = thread; i < lines * piece_w; i += threads) {
      const int line = i / piece_w, channel = line / rows.reach(tile_h);
      const int row = rows.input(top * rows.stride + line - channel * rows.reach(tile_h));
      const int col = cols.input(left * cols.stride + i - line * piece_w);
      to[i] = row < 0 || col < 0 ? Real(0) : x[((plane + channel) * rows.in + row) * cols.in + col];
    }
  }
};

/// to[group][c][tap][Outputs] = weight of output group * Outputs + o and input c; zero beyond the outputs.
/// With `flip` the taps run backwards, as the data gradient meets them. Index: element of `to`.
template <class Real> struct arrange_weights {
  const Real* from;
  Real* to;
  index_t pack_size, outputs, inputs, taps;
  index_t output_stride, input_stride;
  bool flip;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t tap = i / pack_size % taps, c = i / (pack_size * taps) % inputs;
    const index_t o = i / (pack_size * taps * inputs) * pack_size + i % pack_size;
    to[i] =
        o < outputs ? from[o * output_stride + c * input_stride + (flip ? taps - 1 - tap : tap)] : Real(0);
  }
};

/// parts[slab][o][c][tap] = the share of some images and pixels in the gradient of the weights.
///
/// A thread sums `Outputs` x `Inputs` channels at one tap. A block takes `items` pairs (pack of outputs, tap)
/// of one pack of input channels and, for each of them, `shares` threads with every shares-th column; it
/// walks over the tiles of `images_a_split` images, whose inputs and gradients go into shared memory. Every
/// slab is summed in the order image, tile, row, column. Block: [split][pack of inputs][outputs_a_block packs
/// of outputs][items]; slab = split * shares + share.
template <class Real> struct correlate_weights {
  static constexpr int most_threads = usual_threads, Inputs = 4, Outputs = 8;
  using in_pack = pack<Real, Inputs>;
  using out_pack = pack<Real, Outputs>;

  convolution_geometry g;
  int tile_h, tile_w, out_packs, items, shares;
  index_t images_a_split;
  index_t images;
  const Real* x;
  const Real* dy;
  Real* parts;

  COLDZOOM_HD int kernel_h() const { return static_cast<int>(g.kernel_h); }
  COLDZOOM_HD int kernel_w() const { return static_cast<int>(g.kernel_w); }
  COLDZOOM_HD int taps() const { return kernel_h() * kernel_w(); }
  COLDZOOM_HD int piece_h() const { return (tile_h - 1) * static_cast<int>(g.stride_h) + kernel_h(); }
  COLDZOOM_HD int piece_w() const { return (tile_w - 1) * static_cast<int>(g.stride_w) + kernel_w(); }
  COLDZOOM_HD int in_groups() const { return (static_cast<int>(g.in_channels) + Inputs - 1) / Inputs; }
  COLDZOOM_HD int out_groups() const {
    const int packs = (static_cast<int>(g.out_channels) + Outputs - 1) / Outputs;
    return (packs + out_packs - 1) / out_packs;
  }
  COLDZOOM_HD int item_groups() const { return (out_packs * taps() + items - 1) / items; }
  /// From one pixel of the gradients in shared memory to the next: 16 bytes more than its channels take, so
  /// that the pixels of neighbouring threads lie in different banks.
  COLDZOOM_HD int gradient_pitch() const { return out_packs * Outputs + 16 / static_cast<int>(sizeof(Real)); }
  int threads() const { return items * shares; }
  index_t splits(index_t count) const { return (count + images_a_split - 1) / images_a_split; }
  index_t slabs(index_t count) const { return splits(count) * shares; }
  index_t blocks(index_t count) const { return splits(count) * in_groups() * out_groups() * item_groups(); }
  index_t shared_bytes() const {
    const index_t pieces = static_cast<index_t>(piece_h()) * piece_w(),
                  tiles = static_cast<index_t>(tile_h) * tile_w * gradient_pitch();
    return pieces * static_cast<index_t>(sizeof(in_pack)) + tiles * static_cast<index_t>(sizeof(Real)) + 32;
  }

  /// Chooses tile, work of a block and split for up to `capacity` images; false where not even one pixel
  /// fits.
  bool plan(index_t capacity) {
    const int out_h = static_cast<int>(g.out_h()), out_w = static_cast<int>(g.out_w());
    out_packs = std::min(4, (static_cast<int>(g.out_channels) + Outputs - 1) / Outputs);
    tile_h = std::min(out_h, 16);
    tile_w = std::min(out_w, 32);
    while (shared_bytes() > most_shared && tile_h > 1) --tile_h;
    while (shared_bytes() > most_shared && tile_w > 1) --tile_w;
    if (shared_bytes() > most_shared) return false;
    const int tiles_y = (out_h + tile_h - 1) / tile_h;
    tile_h = (out_h + tiles_y - 1) / tiles_y;
    items = std::min(out_packs * taps(), most_threads);
    shares = std::min(most_threads / items, tile_w);
    constexpr index_t wanted_blocks = 512;  // several for each multiprocessor of a large device
    const index_t others = in_groups() * out_groups() * item_groups();
    const index_t wanted = std::max<index_t>(1, std::min(capacity, wanted_blocks / others));
    images_a_split = (capacity + wanted - 1) / wanted;
    return true;
  }

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const int others = in_groups() * out_groups() * item_groups();
    const index_t split = block.index() / others;
    const int rest = static_cast<int>(block.index() % others);
    const int first_item = rest % item_groups() * items, out_group = rest / item_groups() % out_groups();
    const int first_in = rest / (item_groups() * out_groups()) * Inputs;
    const int first_out = out_group * out_packs * Outputs;
    const int out_h = static_cast<int>(g.out_h()), out_w = static_cast<int>(g.out_w());
    const index_t begin = split * images_a_split,
                  end = begin + images_a_split < images ? begin + images_a_split : images;
    auto* near_x = block.template shared<in_pack>(static_cast<index_t>(piece_h()) * piece_w());
    Real* near_dy = block.template shared<Real>(static_cast<index_t>(tile_h) * tile_w * gradient_pitch());
    auto totals = block.template local<pack<Real, Inputs * Outputs>>();
    for (index_t n = begin; n < end; ++n) {
      for (int top = 0; top < out_h; top += tile_h) {
        for (int left = 0; left < out_w; left += tile_w) {
          block.for_each_thread([&](int thread) {
            load_inputs(near_x, n, first_in, top, left, thread, block.threads());
            load_gradients(near_dy, n, first_out, top, left, thread, block.threads());
          });
          block.for_each_thread([&](int thread) {
            const int item = first_item + thread % items, share = thread / items;
            if (item < out_packs * taps()) add_tile(near_x, near_dy, item, share, totals[thread]);
          });
        }
      }
    }
    block.for_each_thread([&](int thread) {
      const int item = first_item + thread % items, share = thread / items;
      if (item >= out_packs * taps()) return;
      const int tap = item % taps(), out = first_out + item / taps() * Outputs;
      Real* slab = parts + (split * shares + share) * g.weights();
      COLDZOOM_UNROLL
      for (int o = 0; o < Outputs; ++o) {
        COLDZOOM_UNROLL
        for (int c = 0; c < Inputs; ++c) {
          if (out + o < g.out_channels && first_in + c < g.in_channels)
            slab[((out + o) * g.in_channels + first_in + c) * taps() + tap] =
                totals[thread].value[o * Inputs + c];
        }
      }
    });
  }

 private:
  COLDZOOM_HD void load_inputs(in_pack* to, index_t n, int first, int top, int left, int thread,
                               int threads) const {
    for (int i = thread; i < piece_h() * piece_w(); i += threads) {
      const index_t row = top * g.stride_h + i / piece_w() - g.pad_h,
                    col = left * g.stride_w + i % piece_w() - g.pad_w;
      const bool inside = row >= 0 && row < g.in_h && col >= 0 && col < g.in_w;
      for (int c = 0; c < Inputs; ++c) {
        to[i].value[c] = inside && first + c < g.in_channels
                             ? x[((n * g.in_channels + first + c) * g.in_h + row) * g.in_w + col]
                             : Real(0);
      }
    }
  }
  COLDZOOM_HD void load_gradients(Real* to, index_t n, int first, int top, int left, int thread,
                                  int threads) const {
    const int pixels = tile_h * tile_w;
    for (int i = thread; i < pixels * out_packs * Outputs; i += threads) {
      const int channel = i / pixels, pixel = i - channel * pixels;
      const int row = top + pixel / tile_w, col = left + pixel % tile_w;
      const bool inside = row < g.out_h() && col < g.out_w() && first + channel < g.out_channels;
      to[pixel * gradient_pitch() + channel] =
          inside ? dy[((n * g.out_channels + first + channel) * g.out_h() + row) * g.out_w() + col] : Real(0);
    }
  }
  COLDZOOM_HD void add_tile(const in_pack* near_x, const Real* near_dy, int item, int share,
                            pack<Real, Inputs * Outputs>& totals) const {
    const int tap = item % taps(), out = item / taps();
    const int down = static_cast<int>(g.stride_h) * piece_w(), across = static_cast<int>(g.stride_w);
    const in_pack* corner = near_x + tap / kernel_w() * piece_w() + tap % kernel_w();
    auto total = totals;
    for (int row = 0; row < tile_h; ++row) {
      for (int col = share; col < tile_w; col += shares) {
        const in_pack in = corner[row * down + col * across];
        const out_pack d = *reinterpret_cast<const out_pack*>(
            near_dy + (row * tile_w + col) * gradient_pitch() + out * Outputs);
        COLDZOOM_UNROLL
        for (int o = 0; o < Outputs; ++o) {
          COLDZOOM_UNROLL
          for (int c = 0; c < Inputs; ++c) total.value[o * Inputs + c] += in.value[c] * d.value[o];
        }
      }
    }
    totals = total;
  }
};

/// The axes of the forward pass, and of the data gradient: the outputs' picture with stride - 1 zeros between
/// its pixels, correlated with the flipped kernel.
inline correlation_axis forward_axis(index_t in, index_t out, index_t kernel, index_t stride, index_t pad) {
  return {static_cast<int>(in), static_cast<int>(out), static_cast<int>(kernel), static_cast<int>(stride), 1,
          static_cast<int>(pad)};
}
inline correlation_axis gradient_axis(index_t in, index_t out, index_t kernel, index_t stride, index_t pad) {
  return {static_cast<int>(out),    static_cast<int>(in),
          static_cast<int>(kernel), 1,
          static_cast<int>(stride), static_cast<int>(kernel - 1 - pad)};
}

/// One correlation of a layer: its plan and its weights in the form that the kernel wants.
template <BlockBackend B> class planned_correlation {
  using real = real_t<B>;

 public:
  planned_correlation() = default;
  /// Weights of output o and input c begin at o * output_stride + c * input_stride.
  planned_correlation(B& b, const correlation_axis& rows, const correlation_axis& cols, index_t inputs,
                      index_t outputs, index_t output_stride, index_t input_stride, bool flip)
      : wide_(outputs > 8),
        weights_of_{nullptr,       nullptr,      wide_ ? 16 : 4,
                    outputs,       inputs,       rows.kernel * cols.kernel,
                    output_stride, input_stride, flip} {
    with_kernel([&](auto& kernel) {
      kernel.rows = rows;
      kernel.cols = cols;
      kernel.inputs = static_cast<int>(inputs);
      kernel.outputs = static_cast<int>(outputs);
      fits_ = kernel.plan();
      if (fits_)
        weights_ =
            b.template allocate<real>(kernel.groups() * weights_of_.pack_size * inputs * kernel.taps());
    });
  }

  /// Whether a block has the memory for it.
  bool fits() const { return fits_; }
  void pack_weights(B& b, const real* weights) {
    weights_of_.from = weights;
    weights_of_.to = weights_.data();
    b.for_each_index(weights_.size(), weights_of_, 8);
  }
  /// `bias` may be null.
  void operator()(B& b, index_t images, const real* x, const real* bias, real* y) {
    with_kernel([&](auto& kernel) {
      kernel.x = x;
      kernel.weights = weights_.data();
      kernel.bias = bias;
      kernel.y = y;
      b.for_each_block(kernel.blocks(images), kernel.threads(), kernel.shared_bytes(), kernel);
    });
  }

 private:
  template <class F> void with_kernel(F&& f) {
    if (wide_) {
      f(wide_kernel_);
    } else {
      f(narrow_kernel_);
    }
  }

  bool wide_ = false, fits_ = false;
  correlate<real, 16> wide_kernel_{};
  correlate<real, 4> narrow_kernel_{};
  arrange_weights<real> weights_of_{};
  buffer_t<B> weights_;
};

/// A convolution layer by definition: its plans, weights and scratch memory. What does not fit
/// into the memory of a block, kernels of hundreds of taps, runs by the generic kernels.
template <BlockBackend B> class direct_convolution {
  using real = real_t<B>;

 public:
  /// Estimated time of an image and pass in multiply-adds, from the shapes alone.
  static double cost(const convolution_geometry& g) {
    const double in = static_cast<double>(g.in_channels), out = static_cast<double>(g.out_channels);
    const double out_pixels = static_cast<double>(g.out_h() * g.out_w());
    const double bytes = (in * static_cast<double>(g.in_h * g.in_w) + out * out_pixels) * sizeof(real);
    return bytes * multiply_adds_a_byte + in * out * out_pixels * static_cast<double>(g.taps());
  }

  /// For up to `capacity` images a call.
  direct_convolution(B& b, const convolution_geometry& g, index_t capacity, bool train)
      : g_(g),
        forward_(b, forward_axis(g.in_h, g.out_h(), g.kernel_h, g.stride_h, g.pad_h),
                 forward_axis(g.in_w, g.out_w(), g.kernel_w, g.stride_w, g.pad_w), g.in_channels,
                 g.out_channels, g.in_channels * g.taps(), g.taps(), false) {
    if (!train) return;
    backward_ = {b,
                 gradient_axis(g.in_h, g.out_h(), g.kernel_h, g.stride_h, g.pad_h),
                 gradient_axis(g.in_w, g.out_w(), g.kernel_w, g.stride_w, g.pad_w),
                 g.out_channels,
                 g.in_channels,
                 g.taps(),
                 g.in_channels * g.taps(),
                 true};
    weights_kernel_.g = g;
    weights_fit_ = weights_kernel_.plan(capacity);
    parts_ = b.template allocate<real>(weights_fit_ ? weights_kernel_.slabs(capacity) * g.weights() : 0);
  }

  /// Both stay where they are until the next call.
  void pack_weights(B& b, const real* weights, const real* bias) {
    weights_ = weights;
    bias_ = bias;
    if (forward_.fits()) forward_.pack_weights(b, weights);
    if (backward_.fits()) backward_.pack_weights(b, weights);
  }

  /// y = convolution(x) + bias, both dense.
  void forward(B& b, index_t images, const real* x, real* y) {
    if (forward_.fits()) return forward_(b, images, x, bias_, y);
    const activation<B> out{y, out_shape(images)};
    using kernel = generic::convolution_forward<const_activation<B>, activation<B>, real>;
    b.for_each_index(out.size(), kernel{g_, {x, in_shape(images)}, weights_, bias_, out},
                     g_.in_channels * g_.taps());
  }

  /// dx unless null; adds to dw.
  void backward(B& b, index_t images, const real* x, const real* dy, real* dx, real* dw) {
    if (dx) data_gradient(b, images, dy, dx);
    if (weights_fit_) {
      weights_kernel_.images = images;
      weights_kernel_.x = x;
      weights_kernel_.dy = dy;
      weights_kernel_.parts = parts_.data();
      b.for_each_block(weights_kernel_.blocks(images), weights_kernel_.threads(),
                       weights_kernel_.shared_bytes(), weights_kernel_);
      add_in_order(b, weights_kernel_.slabs(images), g_.weights(), parts_.data(), dw);
    } else {
      using kernel = generic::convolution_backward_weights<const_activation<B>, real>;
      b.for_each_index(g_.weights(), kernel{g_, {x, in_shape(images)}, {dy, out_shape(images)}, dw},
                       images * g_.out_h() * g_.out_w());
    }
  }

 private:
  shape in_shape(index_t images) const { return {images, g_.in_channels, g_.in_h, g_.in_w}; }
  shape out_shape(index_t images) const { return {images, g_.out_channels, g_.out_h(), g_.out_w()}; }

  void data_gradient(B& b, index_t images, const real* dy, real* dx) {
    if (backward_.fits()) return backward_(b, images, dy, nullptr, dx);
    const activation<B> in{dx, in_shape(images)};
    using kernel = generic::convolution_backward_data<const_activation<B>, activation<B>, real>;
    b.for_each_index(in.size(), kernel{g_, {dy, out_shape(images)}, weights_, in},
                     g_.out_channels * g_.taps());
  }

  convolution_geometry g_;
  planned_correlation<B> forward_, backward_;
  correlate_weights<real> weights_kernel_{};
  bool weights_fit_ = false;
  const real* weights_ = nullptr;
  const real* bias_ = nullptr;
  buffer_t<B> parts_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
