/// Direct convolution of blocked activations: any kernel, stride and padding. Meant for few channels, 1x1 and
/// strided layers, where a transform does not pay.
#pragma once

#include <algorithm>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/cpu/convolution_scratch.hpp>
#include <coldzoom/backend/cpu/simd.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/backend/host_memory.hpp>
#include <memory>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Calls f.template operator()<v>() for the one v of `Values` that equals `value`.
template <index_t... Values, class F> COLDZOOM_INLINE void with_constant(index_t value, F&& f) {
  (void)((value == Values && (f.template operator()<Values>(), true)) || ...);
}

/// The same without a list: v = 1 .. Last.
template <index_t Last, class F> COLDZOOM_INLINE void with_constant_up_to(index_t value, F&& f) {
  [&]<index_t... I>(std::integer_sequence<index_t, I...>) { with_constant<(I + 1)...>(value, f); }
  (std::make_integer_sequence<index_t, Last>{});
}

/// One axis of a correlation, i = 0 .. count - 1: out[first + i * step] = sum over t < taps of kernel[tap + t
/// * tap_step] * in[from + i * stride + t].
struct correlation_axis {
  index_t first, step, count;
  index_t from, stride;
  index_t taps, tap, tap_step;
};

/// The forward convolution.
constexpr correlation_axis forward_axis(index_t out, index_t kernel, index_t stride, index_t pad) {
  return {0, 1, out, -pad, stride, kernel, 0, 1};
}

/// The data gradient at the positions i of x with (i + pad) % stride == phase. Only every stride-th tap meets
/// them, so each phase is a dense correlation of dy with a part of the flipped kernel and no multiply meets a
/// zero.
constexpr correlation_axis gradient_axis(index_t in, index_t kernel, index_t stride, index_t pad,
                                         index_t phase) {
  const index_t taps = phase < kernel ? (kernel - 1 - phase) / stride + 1 : 0;
  const index_t lead = pad > phase ? (pad - phase + stride - 1) / stride : 0;  // the first i is not negative
  const index_t first = lead * stride + phase - pad;
  const index_t count = first < in ? (in - 1 - first) / stride + 1 : 0;
  return {first, stride, count, lead - taps + 1, 1, taps, phase + (taps - 1) * stride, -stride};
}

/// Correlates one blocked image with a bank of kernels: the forward pass of a convolution, or its data
/// gradient.
///
/// Two loops, whichever wastes fewer lanes. The usual one has output channels in the lanes: broadcast input
/// value times weight vector. With `sums()`, for few output channels, the lanes are input channels and are
/// added up at the end. Both keep a register tile of `tile` pixels x 2 outputs. Rows outside the picture are
/// skipped; columns outside it are zeros of a padded copy of the image, the plane
/// [block][h][width][channels()].
template <class T> class correlation {
  static constexpr index_t L = native_lanes<T>;
  static constexpr bool many_registers = COLDZOOM_VECTOR_BYTES == 64;

 public:
  static constexpr index_t max_tile = many_registers ? 14 : 6;

  struct phase {
    correlation_axis rows, cols;
    index_t weights;  // offset
  };

  correlation() = default;
  correlation(index_t inputs, index_t outputs, index_t h, index_t w, index_t out_h, index_t out_w,
              const std::vector<correlation_axis>& rows, const std::vector<correlation_axis>& cols)
      : inputs_(inputs),
        outputs_(outputs),
        h_(h),
        w_(w),
        out_w_(out_w),
        out_pixels_(out_h * out_w) {
    index_t row_taps = 0, col_taps = 0;
    for (const auto& r : rows) row_taps += r.taps;
    for (const auto& c : cols) col_taps += c.taps;
    const double taps =
        static_cast<double>(row_taps * col_taps) / static_cast<double>(rows.size() * cols.size());
    sums_ = sum_cost(inputs, outputs, taps) < broadcast_cost(inputs, outputs, taps);
    channels_ = sums_ ? L : std::min(L, inputs);
    reduced_ = sums_ ? lane_groups(inputs) : inputs;
    index_t right = w, size = 0;
    for (const auto& c : cols) {
      left_ = std::max(left_, -c.from);
      right = std::max(right, c.from + (c.count - 1) * c.stride + c.taps);
      for (const auto& r : rows) {
        phases_.push_back({r, c, size});
        size += groups() * reduced_ * r.taps * c.taps * L;
      }
    }
    width_ = left_ + right;
    weights_ = host_buffer<T>(size);
  }

  static index_t lane_groups(index_t channels) { return (channels + L - 1) / L; }
  /// Multiplies of a kernel with `taps` taps at one pixel. Adding up lanes costs about four multiplies a
  /// lane.
  static double broadcast_cost(index_t inputs, index_t outputs, double taps) {
    return static_cast<double>(L * lane_groups(outputs) * inputs) * taps;
  }
  static double sum_cost(index_t inputs, index_t outputs, double taps) {
    return static_cast<double>(L * outputs) * (static_cast<double>(lane_groups(inputs)) * taps + 4);
  }

  bool sums() const { return sums_; }
  index_t channels() const { return channels_; }
  index_t left() const { return left_; }
  index_t width() const { return width_; }
  index_t in_groups() const { return lane_groups(inputs_); }
  index_t plane_block() const { return h_ * width_ * channels_; }
  /// Elements of the scratch plane, 0 if the image itself serves.
  index_t plane_size() const { return width_ == w_ && channels_ == L ? 0 : in_groups() * plane_block(); }
  index_t bytes() const { return weights_.size() * static_cast<index_t>(sizeof(T)); }

  /// kernel(output, input, a, b) is the weight at row a and column b.
  template <class Kernel> void pack_weights(thread_pool& pool, const Kernel& kernel) {
    for (const phase& f : phases_) {
      pool.run(groups(), [&](index_t group, int) {
        T* to = weights_.data() + f.weights + group * reduced_ * f.rows.taps * f.cols.taps * L;
        for (index_t r = 0; r < reduced_; ++r) {
          for (index_t a = 0; a < f.rows.taps; ++a) {
            for (index_t b = 0; b < f.cols.taps; ++b) {
              for (index_t lane = 0; lane < L; ++lane) {
                const index_t o = sums_ ? group : group * L + lane, i = sums_ ? r * L + lane : r;
                const bool real = o < outputs_ && i < inputs_;
                *to++ = real
                            ? kernel(o, i, f.rows.tap + a * f.rows.tap_step, f.cols.tap + b * f.cols.tap_step)
                            : T(0);
              }
            }
          }
        }
      });
    }
  }

  /// Copies the image [block][h][w][L] into `scratch`, whose borders stay zero, unless it can be used as it
  /// is.
  const T* make_plane(const T* image, T* scratch) const {
    if (plane_size() == 0) return image;
    for (index_t row = 0; row < in_groups() * h_; ++row) {
      const T* from = image + row * w_ * L;
      T* to = scratch + (row * width_ + left_) * channels_;
      if (channels_ == L) {
        std::copy_n(from, w_ * L, to);
      } else {
        for (index_t x = 0; x < w_; ++x) {
          for (index_t c = 0; c < channels_; ++c) to[x * channels_ + c] = from[x * L + c];
        }
      }
    }
    return scratch;
  }

  /// out [block][out_h][out_w][L] = bias [block][L] + correlation of the plane.
  void run(const T* plane, const T* bias, T* out) const {
    for (const phase& f : phases_) {
      if (f.rows.count == 0 || f.cols.count == 0) continue;
      index_t group = 0;
      for (; group + 2 <= groups(); group += 2) run_group<2>(f, plane, bias, out, group);
      if (group < groups()) run_group<1>(f, plane, bias, out, group);
    }
  }

 private:
  index_t groups() const { return sums_ ? outputs_ : lane_groups(outputs_); }

  /// The widest tile that computes the fewest pixels twice: the last tile of a row is moved left to fit.
  static index_t tile_for(index_t count) {
    index_t best = 1;
    for (const index_t p : {index_t{2}, index_t{4}, many_registers ? index_t{8} : index_t{6}, max_tile}) {
      if (p <= count && (count + p - 1) / p * p <= (count + best - 1) / best * best + p / 4) best = p;
    }
    return best;
  }

  template <index_t Groups>
  void run_group(const phase& f, const T* plane, const T* bias, T* out, index_t group) const {
    const index_t step = f.cols.stride * channels_;
    if (sums_ && step != L) {  // rare: strided, with few outputs
      run_rows<Groups, 1, 0, true>(f, plane, bias, out, group);
      return;
    }
    with_constant<1, 2, 4, many_registers ? 8 : 6, max_tile>(tile_for(f.cols.count), [&]<index_t Tile>() {
      sums_       ? run_rows<Groups, Tile, L, true>(f, plane, bias, out, group)
      : step == L ? run_rows<Groups, Tile, L, false>(f, plane, bias, out, group)
      : step == 1 ? run_rows<Groups, Tile, 1, false>(f, plane, bias, out, group)
                  : run_rows<Groups, Tile, 0, false>(f, plane, bias, out, group);
    });
  }

  // Step is the distance between the inputs of neighbouring output pixels where known (addresses then need no
  // registers), else 0.
  template <index_t Groups, index_t Tile, index_t Step, bool Sums>
  void run_rows(const phase& f, const T* plane, const T* bias, T* out, index_t group) const {
    const index_t block = Sums ? group / L : group;
    for (index_t i = 0; i < f.rows.count; ++i) {
      const index_t top = f.rows.from + i * f.rows.stride;
      const index_t a = std::max<index_t>(0, -top), rows = std::min(f.rows.taps, h_ - top) - a;
      const T* row = plane + ((rows > 0 ? top + a : 0) * width_ + left_ + f.cols.from) * channels_;
      const T* weights = weights_.data() + f.weights + (group * reduced_ * f.rows.taps + a) * f.cols.taps * L;
      T* to = out + (block * out_pixels_ + (f.rows.first + i * f.rows.step) * out_w_ + f.cols.first) * L;
      for (index_t j = 0; j < f.cols.count; j += Tile) {
        const index_t first = std::min(j, f.cols.count - Tile);
        run_tile<Groups, Tile, Step, Sums>(f, row + first * f.cols.stride * channels_, weights, rows,
                                           bias + (Sums ? group : group * L), to + first * f.cols.step * L,
                                           group % L);
      }
    }
  }

  template <index_t Groups, index_t Tile, index_t Step, bool Sums>
  void run_tile(const phase& f, const T* in, const T* weights, index_t rows, const T* bias, T* out,
                index_t lane) const {
    using vector = vec<T, L>;
    const index_t step = Step != 0 ? Step : f.cols.stride * channels_;
    const index_t group_weights = reduced_ * f.rows.taps * f.cols.taps * L;
    const index_t unit = Sums ? L : 1;  // input channels that one multiply-add takes
    vector sum[static_cast<std::size_t>(Groups)][static_cast<std::size_t>(Tile)];
    unroll<Groups>([&](auto g) COLDZOOM_INLINE_LAMBDA {
      const vector start = Sums ? vector{} : load<L>(bias + g * L);
      unroll<Tile>([&](auto p) COLDZOOM_INLINE_LAMBDA { sum[g][p] = start; });
    });
    for (index_t done = 0; done < inputs_; done += channels_, in += plane_block()) {
      for (index_t c = 0; c < std::min(channels_, inputs_ - done);
           c += unit, weights += f.rows.taps * f.cols.taps * L) {
        for (index_t a = 0; a < rows; ++a) {
          const T* x = in + a * width_ * channels_ + c;
          const T* w = weights + a * f.cols.taps * L;
          for (index_t b = 0; b < f.cols.taps; ++b, x += channels_, w += L) {
            vector weight[static_cast<std::size_t>(Groups)];
            unroll<Groups>([&](auto g)
                               COLDZOOM_INLINE_LAMBDA { weight[g] = load<L>(w + g * group_weights); });
            unroll<Tile>([&](auto p) COLDZOOM_INLINE_LAMBDA {
              vector value;
              if constexpr (Sums) {
                value = load<L>(x + p * step);
              } else {
                value = broadcast<L>(x[p * step]);
              }
              unroll<Groups>([&](auto g) COLDZOOM_INLINE_LAMBDA { sum[g][p] += value * weight[g]; });
            });
          }
        }
      }
    }
    unroll<Tile>([&](auto p) COLDZOOM_INLINE_LAMBDA {
      T* to = out + p * f.cols.step * L;
      if constexpr (Sums) {
        if (lane == 0) store<L>(to, vector{});  // the first group of a block also defines the padding lanes
        unroll<Groups>([&](auto g)
                           COLDZOOM_INLINE_LAMBDA { to[lane + g] = sum_lanes<T, L>(sum[g][p]) + bias[g]; });
      } else {
        unroll<Groups>([&](auto g) COLDZOOM_INLINE_LAMBDA { store<L>(to + g * out_pixels_ * L, sum[g][p]); });
      }
    });
  }

  index_t inputs_ = 0, outputs_ = 0, h_ = 0, w_ = 0, out_w_ = 0, out_pixels_ = 0;
  bool sums_ = false;
  index_t channels_ = 0;  // of one pixel that lie side by side in the plane
  index_t reduced_ = 0;   // weight vectors per group and tap
  index_t left_ = 0, width_ = 0;
  std::vector<phase> phases_;
  host_buffer<T> weights_;  // per phase [group][reduced][row tap][column tap][L]
};

/// totals[v][j] += sum over i < count of vector i times scalar i. With Slide the vectors move with j (vectors
/// + j * L, one scalar); without it the scalars do (scalars + j, one vector).
template <index_t L, index_t Vectors, index_t Tile, bool Slide, class T>
void accumulate_outer(index_t count, const T* vectors, index_t vector_step, index_t vector_stride,
                      const T* scalars, index_t scalar_step, T* totals, index_t total_stride) {
  using vector = vec<T, L>;
  vector total[static_cast<std::size_t>(Vectors)][static_cast<std::size_t>(Tile)];
  unroll<Vectors>([&](auto v) COLDZOOM_INLINE_LAMBDA {
    unroll<Tile>([&](auto j)
                     COLDZOOM_INLINE_LAMBDA { total[v][j] = load<L>(totals + v * total_stride + j * L); });
  });
  for (index_t i = 0; i < count; ++i, vectors += vector_step, scalars += scalar_step) {
    if constexpr (Slide) {
      const vector value = broadcast<L>(*scalars);
      unroll<Vectors>([&](auto v) COLDZOOM_INLINE_LAMBDA {
        unroll<Tile>([&](auto j) COLDZOOM_INLINE_LAMBDA {
          total[v][j] += value * load<L>(vectors + v * vector_stride + j * L);
        });
      });
    } else {
      vector value[static_cast<std::size_t>(Vectors)];
      unroll<Vectors>([&](auto v)
                          COLDZOOM_INLINE_LAMBDA { value[v] = load<L>(vectors + v * vector_stride); });
      unroll<Tile>([&](auto j) COLDZOOM_INLINE_LAMBDA {
        const vector scalar = broadcast<L>(scalars[j]);
        unroll<Vectors>([&](auto v) COLDZOOM_INLINE_LAMBDA { total[v][j] += scalar * value[v]; });
      });
    }
  }
  unroll<Vectors>([&](auto v) COLDZOOM_INLINE_LAMBDA {
    unroll<Tile>([&](auto j)
                     COLDZOOM_INLINE_LAMBDA { store<L>(totals + v * total_stride + j * L, total[v][j]); });
  });
}

}  // namespace detail

/// Direct convolution, forward and backward, on activations [n][C / L][H * W][L], L = native_lanes<T>.
///
/// Cost per image: cost() multiplies forward, about as many for each gradient. All memory is allocated by the
/// constructor, for as many threads as the scratch is for; more find theirs in their first call. One image
/// per task; weight gradients go into a number of partial sums that the shapes alone decide and are added in
/// a fixed order, so results do not depend on the number of threads, nor the output of an image on the rest
/// of the batch.
template <class T> class direct_convolution {
  static constexpr index_t L = native_lanes<T>;

 public:
  static bool supports(const convolution_geometry&) { return true; }
  /// Multiplies of one forward pass per image, those of unused lanes included.
  static double cost(const convolution_geometry& g) {
    const double taps = static_cast<double>(g.taps());
    return static_cast<double>(g.out_h() * g.out_w()) *
           std::min(detail::correlation<T>::broadcast_cost(g.in_channels, g.out_channels, taps),
                    detail::correlation<T>::sum_cost(g.in_channels, g.out_channels, taps));
  }

  /// Room for `capacity` images a call; gradients only with `train`.
  direct_convolution(
      const convolution_geometry& geometry, index_t capacity, bool train,
      std::shared_ptr<convolution_scratch<T>> scratch = std::make_shared<convolution_scratch<T>>())
      : g_(flattened(geometry)),
        capacity_(capacity),
        train_(train),
        scratch_(std::move(scratch)) {
    require(capacity > 0 && g_.out_h() > 0 && g_.out_w() > 0, "direct_convolution",
            "the capacity and the output's height and width must be positive");
    forward_ = {g_.in_channels,
                g_.out_channels,
                g_.in_h,
                g_.in_w,
                g_.out_h(),
                g_.out_w(),
                {detail::forward_axis(g_.out_h(), g_.kernel_h, g_.stride_h, g_.pad_h)},
                {detail::forward_axis(g_.out_w(), g_.kernel_w, g_.stride_w, g_.pad_w)}};
    bias_ = host_buffer<T>(out_groups() * L);
    if (train) {
      std::vector<detail::correlation_axis> rows, cols;
      for (index_t phase = 0; phase < g_.stride_h; ++phase) {
        rows.push_back(detail::gradient_axis(g_.in_h, g_.kernel_h, g_.stride_h, g_.pad_h, phase));
      }
      for (index_t phase = 0; phase < g_.stride_w; ++phase) {
        cols.push_back(detail::gradient_axis(g_.in_w, g_.kernel_w, g_.stride_w, g_.pad_w, phase));
      }
      backward_ = {g_.out_channels, g_.in_channels, g_.out_h(), g_.out_w(), g_.in_h, g_.in_w, rows, cols};
      no_bias_ = host_buffer<T>(forward_.in_groups() * L);
      const index_t fitting = partial_budget / (partial_size() * static_cast<index_t>(sizeof(T)));
      slots_ = std::min(capacity, std::clamp<index_t>(fitting, 4, 32));
      partial_ = host_buffer<T>(slots_ * partial_size());
    }
    scratch_->reserve_images(std::max(in_size(), out_size()));
    planes_ = host_buffer<T>(scratch_->threads() * worker_size());
  }

  index_t capacity() const { return capacity_; }
  /// Memory held, in bytes, without the scratch.
  index_t bytes() const {
    return forward_.bytes() + backward_.bytes() +
           static_cast<index_t>(sizeof(T)) *
               (bias_.size() + no_bias_.size() + partial_.size() + planes_.size());
  }

  /// weights [co][ci][kh][kw], bias [co] or null. Call it after every change of the weights.
  void pack_weights(thread_pool& pool, const T* weights, const T* bias) {
    const auto at = [&](index_t o, index_t i, index_t a, index_t b) {
      return weights[((o * g_.in_channels + i) * g_.kernel_h + a) * g_.kernel_w + b];
    };
    forward_.pack_weights(pool, at);
    if (train_) {
      backward_.pack_weights(pool,
                             [&](index_t i, index_t o, index_t a, index_t b) { return at(o, i, a, b); });
    }
    for (index_t o = 0; o < g_.out_channels; ++o) bias_.data()[o] = bias ? bias[o] : T(0);
  }

  /// y [n][co / L][out pixels][L] from x [n][ci / L][pixels][L]; epilogue(image, y of it) runs in the image's
  /// task, after it. Where y is null, an image of it exists for its epilogue only.
  template <class Epilogue>
  void forward(thread_pool& pool, index_t n, const T* x, T* y, Epilogue&& epilogue) {
    for_each_task(pool, n, [&](index_t image, int thread, T* plane) {
      T* const to = y ? y + image * out_size() : scratch_->image(thread);
      forward_.run(forward_.make_plane(x + image * in_size(), plane), bias_.data(), to);
      epilogue(image, to);
    });
  }

  /// Adds the gradients of the weights and the bias to the object's own sums; computes dx, shaped as x, if
  /// `wanted`. In the image's task, prologue(image, dy of it) runs before dy, shaped as y, is read, and
  /// epilogue(image, dx of it) after dx is complete. Where dx is null, an image of it exists for its epilogue
  /// only.
  template <class Prologue, class Epilogue>
  void backward(thread_pool& pool, index_t n, const T* x, T* dy, T* dx, bool wanted, Prologue&& prologue,
                Epilogue&& epilogue) {
    require(train_, "direct_convolution::backward", "the object was made for forward passes only");
    for_each_task(pool, std::min(n, slots_), [&](index_t slot, int thread, T* planes) {
      for (index_t image = slot; image < n; image += slots_) {
        T* const dy_image = dy + image * out_size();
        prologue(image, dy_image);
        accumulate(forward_.make_plane(x + image * in_size(), planes), dy_image,
                   partial_.data() + slot * partial_size());
        if (!wanted) continue;
        T* const to = dx ? dx + image * in_size() : scratch_->image(thread);
        backward_.run(backward_.make_plane(dy_image, planes + forward_.plane_size()), no_bias_.data(), to);
        epilogue(image, to);
      }
    });
  }

  /// dw [co][ci][kh][kw] += and db [co] += (unless null) what backward has summed, which then starts from
  /// zero again.
  void reduce_gradients(thread_pool& pool, T* dw, T* db) {
    require(train_, "direct_convolution::reduce_gradients", "the object was made for forward passes only");
    T* total = partial_.data();
    pool.run(
        partial_size() / L,
        [&](index_t i, int) {
          for (index_t slot = 1; slot < slots_; ++slot) {
            T* part = total + slot * partial_size() + i * L;
            store<L>(total + i * L, load<L>(total + i * L) + load<L>(part));
            store<L>(part, vec<T, L>{});
          }
        },
        64);
    const index_t taps = g_.taps(), blocks = forward_.in_groups(), channels = forward_.channels();
    pool.run(g_.out_channels, [&](index_t o, int) {
      for (index_t i = 0; i < g_.in_channels; ++i) {
        for (index_t tap = 0; tap < taps; ++tap) {
          const index_t at =
              forward_.sums()
                  ? ((o * blocks + i / L) * taps + tap) * L + i % L
                  : (((o / L * blocks + i / channels) * taps + tap) * channels + i % channels) * L + o % L;
          dw[(o * g_.in_channels + i) * taps + tap] += total[at];
        }
      }
      if (db) db[o] += total[weight_sums() + o];
    });
    std::fill_n(total, partial_size(), T(0));
  }

 private:
  static constexpr index_t partial_budget = index_t{8} << 20;  // bytes

  /// Without a neighbourhood the picture is one long row, which fills the register tiles.
  static convolution_geometry flattened(convolution_geometry g) {
    if (g.taps() == 1 && g.same()) g.in_w *= std::exchange(g.in_h, 1);
    return g;
  }

  index_t out_groups() const { return detail::correlation<T>::lane_groups(g_.out_channels); }
  index_t in_size() const { return forward_.in_groups() * g_.in_h * g_.in_w * L; }
  index_t out_size() const { return out_groups() * g_.out_h() * g_.out_w() * L; }
  /// A partial sum of weight gradients: [co / L][ci / channels][kh][kw][channels][L], where the forward pass
  /// adds up lanes [co][ci / L][kh][kw][L]; behind it that of the bias, [co / L][L].
  index_t weight_sums() const {
    const index_t outputs = forward_.sums() ? g_.out_channels : out_groups() * forward_.channels();
    return outputs * forward_.in_groups() * g_.taps() * L;
  }
  index_t partial_size() const { return weight_sums() + out_groups() * L; }
  index_t worker_size() const {
    const index_t size = forward_.plane_size() + backward_.plane_size();
    return (size + L - 1) / L * L;
  }

  /// Runs f(i, thread, planes) for i = 0 .. count - 1, in parallel, `planes` being scratch of the thread.
  template <class F> void for_each_task(thread_pool& pool, index_t count, const F& f) {
    const index_t wanted = pool.threads() * worker_size();
    if (planes_.size() < wanted) planes_ = host_buffer<T>(wanted);
    pool.run(count, [&](index_t i, int thread) { f(i, thread, planes_.data() + thread * worker_size()); });
  }

  /// Adds the gradients of one image to `total` (weight_sums() and the bias behind it).
  void accumulate(const T* plane, const T* dy, T* total) const {
    if (forward_.sums()) {
      for (index_t o = 0; o < g_.out_channels; ++o)
        accumulate_blocks<true>(forward_.in_groups(), o, plane, dy, total);
    } else {
      for (index_t i = 0; i < forward_.in_groups(); ++i)
        accumulate_blocks<false>(out_groups(), i, plane, dy, total);
    }
    for (index_t o = 0; o < out_groups(); ++o) {
      const T* from = dy + o * g_.out_h() * g_.out_w() * L;
      T* bias = total + weight_sums() + o * L;
      for (index_t y = 0; y < g_.out_h(); ++y) {
        vec<T, L> sum{};
        for (index_t x = 0; x < g_.out_w(); ++x, from += L) sum += load<L>(from);
        store<L>(bias, load<L>(bias) + sum);
      }
    }
  }

  template <bool Sums>
  void accumulate_blocks(index_t blocks, index_t other, const T* plane, const T* dy, T* total) const {
    index_t block = 0;
    for (; block + 2 <= blocks; block += 2) accumulate_rows<2, Sums>(block, other, plane, dy, total);
    if (block < blocks) accumulate_rows<1, Sums>(block, other, plane, dy, total);
  }

  // Output channels in the lanes: dy vectors (blocks `block` ..) times the values of input block `other`,
  // which lie in one run along a kernel row. Sums: input vectors (blocks `block` ..) times output channel
  // `other` of dy.
  template <index_t Blocks, bool Sums>
  void accumulate_rows(index_t block, index_t other, const T* plane, const T* dy, T* total) const {
    constexpr index_t max_tile = COLDZOOM_VECTOR_BYTES == 64 ? 8 : 6;
    const index_t channels = forward_.channels(), out_h = g_.out_h(), out_w = g_.out_w();
    const index_t run = Sums ? g_.kernel_w : g_.kernel_w * channels;
    const index_t tiles = (run + max_tile - 1) / max_tile, tile = (run + tiles - 1) / tiles;
    const index_t stride = (Sums ? 1 : forward_.in_groups()) * g_.kernel_h * run * L;
    total += Sums ? (other * forward_.in_groups() + block) * stride
                  : block * stride + other * g_.kernel_h * run * L;
    plane += (Sums ? block : other) * forward_.plane_block();
    dy += Sums ? other / L * out_h * out_w * L + other % L : block * out_h * out_w * L;
    for (index_t y = 0; y < out_h; ++y, dy += out_w * L) {
      const index_t top = y * g_.stride_h - g_.pad_h;
      for (index_t a = std::max<index_t>(0, -top); a < std::min(g_.kernel_h, g_.in_h - top); ++a) {
        const T* x = plane + ((top + a) * forward_.width() + forward_.left() - g_.pad_w) * channels;
        for (index_t j = 0; j < run; j += tile) {
          T* to = total + (a * run + j) * L;
          detail::with_constant_up_to<max_tile>(std::min(tile, run - j), [&]<index_t Tile>() {
            if constexpr (Sums) {
              detail::accumulate_outer<L, Blocks, Tile, true>(out_w, x + j * L, g_.stride_w * L,
                                                              forward_.plane_block(), dy, L, to, stride);
            } else {
              detail::accumulate_outer<L, Blocks, Tile, false>(out_w, dy, L, out_h * out_w * L, x + j,
                                                               g_.stride_w * channels, to, stride);
            }
          });
        }
      }
    }
  }

  convolution_geometry g_;
  index_t capacity_ = 0;
  bool train_ = false;
  std::shared_ptr<convolution_scratch<T>> scratch_;
  detail::correlation<T> forward_, backward_;
  host_buffer<T> bias_, no_bias_;  // [blocks][L]
  index_t slots_ = 0;
  host_buffer<T> planes_;   // per thread: the padded x and the padded dy
  host_buffer<T> partial_;  // per slot: a partial sum of the gradients
};

}  // namespace coldzoom::inline COLDZOOM_ISA
