/// Convolution whose factors are rounded to bfloat16, with its gradients, by products of small blocks.
#pragma once

#include <algorithm>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/cpu/convolution_scratch.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/backend/cpu/tile_product.hpp>
#include <coldzoom/backend/host_memory.hpp>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#if COLDZOOM_VECTOR_BYTES == 64
#  include <immintrin.h>
#endif

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

#if COLDZOOM_VECTOR_BYTES == 64
/// Where the numbers of two rows come from when their blocks of `size` columns off the diagonal change places:
/// number c of the first row, 16 + c of the second.
struct row_exchange {
  std::int32_t upper[16] = {}, lower[16] = {};

  static constexpr row_exchange of(std::int32_t size) {
    row_exchange from;
    for (std::int32_t c = 0; c < 16; ++c) {
      from.upper[c] = (c & size) == 0 ? c : 16 + c - size;
      from.lower[c] = (c & size) == 0 ? c + size : 16 + c;
    }
    return from;
  }
};
#endif

/// Exchanges rows and columns of 16 x 16 numbers.
inline void transpose_block(bf16_pair* block) {
#if COLDZOOM_VECTOR_BYTES == 64
  __m512i r[16];
  unroll<16>([&](auto i) COLDZOOM_INLINE_LAMBDA { r[i] = _mm512_loadu_si512(block + i * 16); });
  unroll<4>([&](auto stage) COLDZOOM_INLINE_LAMBDA {
    constexpr index_t k = 8 >> stage;
    static constexpr row_exchange exchange = row_exchange::of(k);
    const __m512i from_upper = _mm512_loadu_si512(exchange.upper),
                  from_lower = _mm512_loadu_si512(exchange.lower);
    unroll<8>([&](auto pair) COLDZOOM_INLINE_LAMBDA {
      constexpr index_t i = pair / k * 2 * k + pair % k;
      const __m512i upper = r[i], lower = r[i + k];
      r[i] = _mm512_permutex2var_epi32(upper, from_upper, lower);
      r[i + k] = _mm512_permutex2var_epi32(upper, from_lower, lower);
    });
  });
  unroll<16>([&](auto i) COLDZOOM_INLINE_LAMBDA { _mm512_storeu_si512(block + i * 16, r[i]); });
#else
  for (index_t i = 0; i < 16; ++i) {
    for (index_t j = 0; j < i; ++j) std::swap(block[j * 16 + i], block[i * 16 + j]);
  }
#endif
}

}  // namespace detail

/// "Same" convolution of stride 1: factors are rounded to bfloat16 (8 bits), products and sums are floats. It
/// takes and gives floats, so that everything around it, weights among it, stays float.
///
/// Every tap is a product of matrices between channels and pixels. A picture is laid into a zero border, row
/// after row; with W + kernel_w - 1 pixels a row, a tap is then a shift of the whole picture. The gradient of
/// the weights sums over pixels in the same way.
///
/// Cost: the multiply-adds of the definition, channels padded to 32 and 16, at a rate a dozen times that of
/// floats where there is a matrix unit. Weight gradients go into a number of partial sums that the shapes alone
/// decide, so results do not depend on the number of threads, nor y and dx of an image on the rest of the
/// batch.
class bf16_convolution {
 public:
  static bool supports(const convolution_geometry& g) { return g.same() && g.in_h > 0 && g.in_w > 0; }
  /// Multiplies of floats that take about as long as one pass over an image; infinite where there is no matrix
  /// unit.
  static double cost(const convolution_geometry& g) {
    if (!supports(g) || !tile_product::available()) return std::numeric_limits<double>::infinity();
    const frame f(flattened(g));
    const double products = double(f.positions()) * double(g.taps() * round_up(g.in_channels, depth) *
                                                           round_up(g.out_channels, columns));
    const double conversions = double(f.plane()) * double(g.in_channels + g.out_channels);
    return products / 8 + 8 * conversions;
  }

  /// Room for `capacity` images a call; gradients only with `train`.
  bf16_convolution(
      const convolution_geometry& geometry, index_t capacity, bool train,
      std::shared_ptr<convolution_scratch<float>> scratch = std::make_shared<convolution_scratch<float>>())
      : g_(flattened(geometry)),
        frame_(g_),
        capacity_(capacity),
        train_(train),
        scratch_(std::move(scratch)) {
    require(supports(g_), "bf16_convolution",
            "the geometry must be stride 1, odd kernels, padding kernel / 2");
    require(capacity > 0, "bf16_convolution",
            [&] { return "the capacity is " + std::to_string(capacity) + " images; it must be positive"; });
    forward_ = bank(g_.in_channels, g_.out_channels, g_.taps());
    bias_ = host_buffer<float>(blocks(g_.out_channels, columns) * columns);
    if (train) {
      backward_ = bank(g_.out_channels, g_.in_channels, g_.taps());
      no_bias_ = host_buffer<float>(blocks(g_.in_channels, columns) * columns);
      const index_t fitting = partial_budget / (partial_size() * static_cast<index_t>(sizeof(float)));
      slots_ = std::min(chunks(capacity), std::clamp<index_t>(fitting, 4, 32));
      partial_ = host_buffer<float>(slots_ * partial_size());
      filled_.resize(static_cast<std::size_t>(slots_));
    }
    scratch_->reserve_images(std::max(in_size(), out_size()));
    reserve_planes(scratch_->threads());
  }

  index_t capacity() const { return capacity_; }
  /// Memory held, in bytes, without the scratch.
  index_t bytes() const {
    return 4 * (forward_.weights.size() + backward_.weights.size() + bias_.size() + no_bias_.size() +
                partial_.size() + planes_.size());
  }

  /// weights [co][ci][kh][kw], bias [co] or null. Call it after every change of the weights.
  void pack_weights(thread_pool& pool, const float* weights, const float* bias) {
    const index_t taps = g_.taps();
    forward_.pack(pool, weights, g_.in_channels * taps, taps, false);
    if (train_) backward_.pack(pool, weights, taps, g_.in_channels * taps, true);
    for (index_t o = 0; o < g_.out_channels; ++o) bias_.data()[o] = bias ? bias[o] : 0;
  }

  /// y [n][co / L][pixels][L] from x [n][ci / L][pixels][L]; epilogue(image, y of it) runs in the image's task,
  /// after it. Where y is null, an image of it exists for its epilogue only.
  template <class Epilogue>
  void forward(thread_pool& pool, index_t n, const float* x, float* y, Epilogue&& epilogue) {
    for_each_task(pool, n, [&](index_t image, int thread, bf16_pair* plane) {
      float* const to = y ? y + image * out_size() : scratch_->image(thread);
      const tile_product unit;
      lay_out(x + image * in_size(), g_.in_channels, plane);
      correlate(unit, plane, forward_, bias_.data(), to);
      epilogue(image, to);
    });
  }

  /// Adds the gradients of the weights and the bias to the object's own sums; computes dx, shaped as x, if
  /// `wanted`. In the image's task, prologue(image, dy of it) runs before dy, shaped as y, is read, and
  /// epilogue(image, dx of it) after dx is complete. Where dx is null, an image of it exists for its epilogue
  /// only.
  template <class Prologue, class Epilogue>
  void backward(thread_pool& pool, index_t n, const float* x, float* dy, float* dx, bool wanted,
                Prologue&& prologue, Epilogue&& epilogue) {
    require(train_, "bf16_convolution::backward", "the object was made for forward passes only");
    for_each_task(pool, std::min(chunks(n), slots_), [&](index_t slot, int thread, bf16_pair* planes) {
      float* const total = partial_.data() + slot * partial_size();
      bf16_pair* const dy_plane = planes + plane_size(g_.in_channels);
      bf16_pair* const x_pairs = dy_plane + plane_size(g_.out_channels);
      bf16_pair* const dy_rows = x_pairs + 2 * x_pairs_size();
      const tile_product unit;
      char& filled = filled_[static_cast<std::size_t>(slot)];
      for (index_t chunk = slot; chunk < chunks(n); chunk += slots_) {
        const index_t first = chunk * stack(), count = std::min(stack(), n - first);
        float* const dy_images = dy + first * out_size();
        for (index_t i = 0; i < count; ++i) prologue(first + i, dy_images + i * out_size());
        pair_positions(x + first * in_size(), count, g_.in_channels, g_.pad_h, g_.pad_w, x_pairs,
                       x_pair_count(), x_pairs + x_pairs_size());
        pair_positions(dy_images, count, g_.out_channels, 0, 0, dy_rows, summed() / 2, nullptr);
        for (index_t i = 0; i < dy_rows_size(); i += pairs * rows) detail::transpose_block(dy_rows + i);
        add_bias_gradient(dy_images, count, total + weight_sums(), filled != 0);
        for (index_t i = 0; wanted && i < count; ++i) {
          float* const to = dx ? dx + (first + i) * in_size() : scratch_->image(thread);
          lay_out(dy_images + i * out_size(), g_.out_channels, dy_plane);
          correlate(unit, dy_plane, backward_, no_bias_.data(), to);
          epilogue(first + i, to);
        }
        add_weight_gradient(unit, blocks(count * frame_.plane(), depth), x_pairs, dy_rows, total,
                            filled != 0);
        filled = 1;
      }
    });
  }

  /// dw [co][ci][kh][kw] += and db [co] += (unless null) what backward has summed, which then starts from
  /// zero again.
  void reduce_gradients(thread_pool& pool, float* dw, float* db) {
    require(train_, "bf16_convolution::reduce_gradients", "the object was made for forward passes only");
    const index_t taps = g_.taps(), in_blocks = blocks(g_.in_channels, columns);
    const auto for_partial = [&](const auto& f) {
      for (std::size_t slot = 0; slot < filled_.size(); ++slot) {
        if (filled_[slot]) f(partial_.data() + static_cast<index_t>(slot) * partial_size());
      }
    };
    pool.run(g_.out_channels * in_blocks, [&](index_t task, int) {
      const index_t o = task / in_blocks, block = task % in_blocks, first = block * columns;
      float* const to = dw + (o * g_.in_channels + first) * taps;
      for (index_t tap = 0; tap < taps; ++tap) {
        float sums[columns] = {};
        for_partial([&](const float* partial) {
          const float* const row = partial + sum_at(tap, o / rows, block) + o % rows * columns;
          for (index_t i = 0; i < columns; ++i) sums[i] += row[i];
        });
        for (index_t i = 0; i < std::min(columns, g_.in_channels - first); ++i) to[i * taps + tap] += sums[i];
      }
    });
    for_partial([&](const float* partial) {
      for (index_t o = 0; db && o < g_.out_channels; ++o) db[o] += partial[weight_sums() + o];
    });
    std::fill(filled_.begin(), filled_.end(), char{0});
  }

 private:
  static constexpr index_t L = native_lanes<float>;
  static constexpr index_t rows = tile_product::rows, columns = tile_product::columns,
                           depth = tile_product::depth, pairs = tile_product::pairs;
  static constexpr index_t b_block = pairs * columns, c_block = rows * columns;
  static constexpr index_t tile = 2 * rows;                    // positions of a register tile
  static constexpr index_t steps_at_once = 8;                  // what they read stays in the nearest cache
  static constexpr index_t enough_positions = 512;             // to sum over at once
  static constexpr index_t partial_budget = index_t{4} << 20;  // bytes
  using V = vec<float, L>;

  static constexpr index_t round_up(index_t value, index_t unit) { return (value + unit - 1) / unit * unit; }
  static constexpr index_t blocks(index_t count, index_t unit) { return (count + unit - 1) / unit; }

  /// Without a neighbourhood the picture is one long row.
  static convolution_geometry flattened(convolution_geometry g) {
    if (g.taps() == 1) g.in_w *= std::exchange(g.in_h, 1);
    return g;
  }

  /// A picture in its zero border, position by position.
  struct frame {
    index_t h, w, border_h, border_w;

    explicit frame(const convolution_geometry& g)
        : h(g.in_h),
          w(g.in_w),
          border_h(g.kernel_h - 1),
          border_w(g.kernel_w - 1) {}
    index_t width() const { return w + border_w; }
    index_t plane() const { return (h + border_h) * width(); }
    /// From the first output to the last.
    index_t positions() const { return (h - 1) * width() + w; }
    /// Positions that tiles of outputs read.
    index_t read() const { return round_up(positions(), tile) + border_h * width() + border_w; }
  };

  /// Kernels [block of outputs][tap][block of inputs][pair of inputs][output]. Two lane groups of inputs share
  /// pairs: input `channel(k)` is number k of its block.
  struct bank {
    index_t inputs = 0, outputs = 0, taps = 0;
    host_buffer<float> weights;

    bank() = default;
    bank(index_t in, index_t out, index_t t)
        : inputs(in),
          outputs(out),
          taps(t),
          weights(blocks(out, columns) * t * blocks(in, depth) * b_block) {}

    bf16_pair* at(index_t out_block) {
      return reinterpret_cast<bf16_pair*>(weights.data()) +
             out_block * taps * blocks(inputs, depth) * b_block;
    }
    const bf16_pair* at(index_t out_block) const { return const_cast<bank*>(this)->at(out_block); }

    void pack(thread_pool& pool, const float* from, index_t output_step, index_t input_step, bool flipped) {
      const index_t in_blocks = blocks(inputs, depth);
      pool.run(blocks(outputs, columns), [&](index_t block, int) {
        bf16_pair* const to = at(block);
        for (index_t o = 0; o < std::min(columns, outputs - block * columns); ++o) {
          const float* const kernel = from + (block * columns + o) * output_step;
          for (index_t in = 0; in < in_blocks; ++in) {
            for (index_t m = 0; m < pairs; ++m) {
              const index_t first = in * depth + m / L * 2 * L + m % L, second = first + L;
              for (index_t tap = 0; tap < taps; ++tap) {
                const index_t t = flipped ? taps - 1 - tap : tap;
                const auto weight = [&](index_t i) { return i < inputs ? kernel[i * input_step + t] : 0.0F; };
                to[(tap * in_blocks + in) * b_block + m * columns + o] =
                    bf16_pair_of(weight(first), weight(second));
              }
            }
          }
        }
      });
    }
  };

  static index_t lane_groups(index_t channels) { return blocks(channels, L); }
  index_t pixels() const { return g_.in_h * g_.in_w; }
  index_t in_size() const { return lane_groups(g_.in_channels) * pixels() * L; }
  index_t out_size() const { return lane_groups(g_.out_channels) * pixels() * L; }

  /// Images whose positions are summed at once for the gradient of the weights.
  index_t stack() const { return std::clamp<index_t>(blocks(enough_positions, frame_.plane()), 1, 4); }
  index_t chunks(index_t n) const { return blocks(n, stack()); }
  index_t summed() const { return round_up(stack() * frame_.plane(), depth); }

  /// Scratch of a thread, in pairs. Its borders are zero from the beginning and stay so.
  index_t plane_size(index_t channels) const { return blocks(channels, depth) * frame_.read() * pairs; }
  index_t x_pair_count() const {
    return (summed() + frame_.border_h * frame_.width() + frame_.border_w) / 2 + 1;
  }
  index_t x_pairs_size() const { return blocks(g_.in_channels, columns) * x_pair_count() * columns; }
  index_t dy_rows_size() const { return blocks(g_.out_channels, rows) * summed() / 2 * rows; }
  index_t worker_size() const {
    const index_t trained = plane_size(g_.out_channels) + 2 * x_pairs_size() + dy_rows_size();
    return round_up(plane_size(g_.in_channels) + (train_ ? trained : 0), pairs);
  }
  void reserve_planes(index_t threads) {
    if (planes_.size() < threads * worker_size()) planes_ = host_buffer<float>(threads * worker_size());
  }

  /// Runs f(i, thread, planes) for i = 0 .. count - 1, in parallel, `planes` being scratch of the thread.
  template <class F> void for_each_task(thread_pool& pool, index_t count, const F& f) {
    reserve_planes(pool.threads());
    pool.run(count, [&](index_t i, int thread) {
      f(i, thread, reinterpret_cast<bf16_pair*>(planes_.data()) + thread * worker_size());
    });
  }

  /// Lane group `group` of a pixel, zero in the padding lanes, whatever they hold.
  struct channel_reader {
    const float* image;
    index_t channels, pixels;

    COLDZOOM_INLINE V operator()(index_t group, index_t pixel) const {
      const index_t real = channels - group * L;
      if (real <= 0) return V{};
      const V value = load<L>(image + (group * pixels + pixel) * L);
      if (real >= L) return value;
      return lane < static_cast<float>(real) ? value : V{};
    }
    V lane = lane_numbers();
  };
  static V lane_numbers() {
    V numbers{};
    for (index_t i = 0; i < L; ++i) numbers[i] = static_cast<float>(i);
    return numbers;
  }

  /// plane [block of 32 channels][position][pair of channels]: the picture in the middle of its border.
  void lay_out(const float* image, index_t channels, bf16_pair* plane) const {
    const channel_reader at{image, channels, pixels()};
    for (index_t block = 0; block < blocks(channels, depth); ++block) {
      for (index_t row = 0; row < g_.in_h; ++row) {
        bf16_pair* to =
            plane + (block * frame_.read() + (row + g_.pad_h) * frame_.width() + g_.pad_w) * pairs;
        for (index_t pixel = row * g_.in_w; pixel < (row + 1) * g_.in_w; ++pixel, to += pairs) {
          for (index_t m = 0; m < pairs; m += L) {
            const index_t group = block * (depth / L) + m / L * 2;
            store<L>(to + m, bf16_pairs<L>(at(group, pixel), at(group + 1, pixel)));
          }
        }
      }
    }
  }

  /// out [channel / L][pixels][L] = bias + the sum over taps of `kernels` with the shifted plane.
  void correlate(const tile_product& unit, const bf16_pair* plane, const bank& kernels, const float* bias,
                 float* out) const {
    const index_t out_blocks = blocks(kernels.outputs, columns);
    for (index_t block = 0; block < out_blocks; block += 2) {
      for (index_t first = 0; first < frame_.positions(); first += tile) {
        block + 1 < out_blocks ? correlate_tile<2>(unit, plane, kernels, bias, block, first, out)
                               : correlate_tile<1>(unit, plane, kernels, bias, block, first, out);
      }
    }
  }
  template <index_t J>
  void correlate_tile(const tile_product& unit, const bf16_pair* plane, const bank& kernels,
                      const float* bias, index_t block, index_t first, float* out) const {
    const index_t in_blocks = blocks(kernels.inputs, depth), bank_size = kernels.taps * in_blocks * b_block;
    alignas(64) float sums[static_cast<std::size_t>(2 * J * c_block)];
    for (index_t j = 0; j < J; ++j) {
      for (index_t p = 0; p < tile; ++p)
        std::copy_n(bias + (block + j) * columns, columns,
                    sums + j * c_block + p / rows * J * c_block + p % rows * columns);
    }
    const bf16_pair* const from = plane + first * pairs;
    const bf16_pair* const weights = kernels.at(block);
    index_t tap_row = 0, tap_column = 0, in = 0;
    unit.sum<2, J>(
        kernels.taps * in_blocks, pairs,
        [&](index_t step) COLDZOOM_INLINE_LAMBDA {
          const bf16_pair* const a =
              from + (in * frame_.read() + tap_row * frame_.width() + tap_column) * pairs;
          const bf16_pair* const b = weights + step * b_block;
          if (++in == in_blocks) {
            in = 0;
            if (++tap_column == g_.kernel_w) {
              tap_column = 0;
              ++tap_row;
            }
          }
          return tile_product::operands{{a, a + rows * pairs}, {b, b + bank_size}};
        },
        sums, J * c_block, c_block, true);
    const index_t out_groups = lane_groups(kernels.outputs);
    for (index_t j = 0; j < J; ++j) {
      for (index_t l = 0; l < columns / L; ++l) {
        const index_t group = (block + j) * (columns / L) + l;
        if (group >= out_groups) break;
        index_t row = first / frame_.width(), column = first % frame_.width();
        for (index_t p = 0; p < tile; ++p) {
          if (row < g_.in_h && column < g_.in_w) {
            const float* const sum = sums + (p / rows * J + j) * c_block + p % rows * columns + l * L;
            store<L>(out + (group * pixels() + row * g_.in_w + column) * L, load<L>(sum));
          }
          if (++column == frame_.width()) {
            column = 0;
            ++row;
          }
        }
      }
    }
  }

  /// A stack of images in their borders as pairs of neighbouring positions, [block of channels][pair][channel]:
  /// those that begin at even positions and, unless `odd` is null, those that begin at odd ones. Zeros follow,
  /// up to `count` pairs.
  void pair_positions(const float* images, index_t n, index_t channels, index_t top, index_t left,
                      bf16_pair* even, index_t count, bf16_pair* odd) const {
    const index_t groups = blocks(channels, columns) * (columns / L);
    const index_t total = n * frame_.plane();
    for (index_t group = 0; group < groups; ++group) {
      const index_t start = group / (columns / L) * count * columns + group % (columns / L) * L;
      V before{};
      index_t position = 0;
      const auto next = [&](const V& value) COLDZOOM_INLINE_LAMBDA {
        const index_t at = start + (position - 1) / 2 * columns;
        if (position % 2 != 0) {
          store<L>(even + at, bf16_pairs<L>(before, value));
        } else if (odd && position > 0) {
          store<L>(odd + at, bf16_pairs<L>(before, value));
        }
        before = value;
        ++position;
      };
      for (index_t image = 0; image < n; ++image) {
        const channel_reader at{images + image * lane_groups(channels) * pixels() * L, channels, pixels()};
        for (index_t i = 0; i < top * frame_.width() + left; ++i) next(V{});
        for (index_t row = 0; row < g_.in_h; ++row) {
          for (index_t column = 0; column < g_.in_w; ++column) next(at(group, row * g_.in_w + column));
          for (index_t i = 0; row + 1 < g_.in_h && i < frame_.border_w; ++i) next(V{});
        }
        while (position < (image + 1) * frame_.plane()) next(V{});
      }
      next(V{});
      for (index_t pair = (total + 1) / 2; pair < count; ++pair)
        store<L>(even + start + pair * columns, vec<bf16_pair, L>{});
      for (index_t pair = total / 2; odd && pair < count; ++pair)
        store<L>(odd + start + pair * columns, vec<bf16_pair, L>{});
    }
  }

  /// sums = the sums over the pixels of `n` images, plus sums where `accumulate`.
  void add_bias_gradient(const float* dy, index_t n, float* sums, bool accumulate) const {
    for (index_t group = 0; group < lane_groups(g_.out_channels); ++group) {
      V sum = accumulate ? load<L>(sums + group * L) : V{};
      for (index_t image = 0; image < n; ++image) {
        const channel_reader at{dy + image * out_size(), g_.out_channels, pixels()};
        for (index_t pixel = 0; pixel < pixels(); ++pixel) sum += at(group, pixel);
      }
      store<L>(sums + group * L, sum);
    }
  }

  /// total = the products over `steps` times 32 positions, plus total where `accumulate`.
  void add_weight_gradient(const tile_product& unit, index_t steps, const bf16_pair* x_pairs,
                           const bf16_pair* dy_rows, float* total, bool accumulate) const {
    const index_t out_blocks = blocks(g_.out_channels, rows), in_blocks = blocks(g_.in_channels, columns);
    const index_t dy_block = summed() / 2 * rows, x_block = x_pair_count() * columns;
    for (index_t begin = 0; begin < steps; begin += steps_at_once) {
      const index_t count = std::min(steps_at_once, steps - begin);
      for (index_t out = 0; out < out_blocks; out += 2) {
        for (index_t in = 0; in < in_blocks; in += 2) {
          for (index_t tap = 0; tap < g_.taps(); ++tap) {
            const index_t shift = tap / g_.kernel_w * frame_.width() + tap % g_.kernel_w;
            const bf16_pair* const a = dy_rows + out * dy_block + begin * rows * pairs;
            const bf16_pair* const b =
                x_pairs + shift % 2 * x_pairs_size() + in * x_block + (shift / 2 + begin * pairs) * columns;
            const auto at = [&](index_t s) COLDZOOM_INLINE_LAMBDA {
              const bf16_pair *const left = a + s * rows * pairs, *const right = b + s * b_block;
              return tile_product::operands{{left, left + dy_block}, {right, right + x_block}};
            };
            float* const c = total + sum_at(tap, out, in);
            const bool two_out = out + 1 < out_blocks, two_in = in + 1 < in_blocks;
            const index_t down = in_blocks * c_block;
            const bool add = accumulate || begin > 0;
            two_out  ? two_in ? unit.sum<2, 2>(count, pairs, at, c, down, c_block, add)
                              : unit.sum<2, 1>(count, pairs, at, c, down, c_block, add)
             : two_in ? unit.sum<1, 2>(count, pairs, at, c, down, c_block, add)
                     : unit.sum<1, 1>(count, pairs, at, c, down, c_block, add);
          }
        }
      }
    }
  }

  /// A partial sum of weight gradients: [tap][block of outputs][block of inputs][output][input]; behind it that
  /// of the bias.
  index_t sum_at(index_t tap, index_t out_block, index_t in_block) const {
    return ((tap * blocks(g_.out_channels, rows) + out_block) * blocks(g_.in_channels, columns) + in_block) *
           c_block;
  }
  index_t weight_sums() const { return sum_at(g_.taps(), 0, 0); }
  index_t partial_size() const { return weight_sums() + blocks(g_.out_channels, rows) * rows; }

  convolution_geometry g_;
  frame frame_;
  index_t capacity_ = 0;
  bool train_ = false;
  std::shared_ptr<convolution_scratch<float>> scratch_;
  bank forward_, backward_;
  host_buffer<float> bias_, no_bias_;
  index_t slots_ = 0;
  host_buffer<float> planes_;   // per thread
  host_buffer<float> partial_;  // per slot: a partial sum of the gradients
  std::vector<char> filled_;    // per slot: whether it holds something
};

}  // namespace coldzoom::inline COLDZOOM_ISA
