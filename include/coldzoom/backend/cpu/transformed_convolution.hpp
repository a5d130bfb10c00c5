/// Convolution by transforms of tiles, Fourier's or Winograd's, with its gradients.
#pragma once

#include <algorithm>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/cpu/convolution_scratch.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/backend/cpu/tile_transform.hpp>
#include <coldzoom/backend/host_memory.hpp>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// "Same" convolution of stride 1 as a product of spectra. Images and kernels are transformed on tiles; every
/// frequency is then one small matrix product over the channels. Tiles are N x N points, N = 8, 16 or 32, for
/// Fourier transforms (Mathieu, Henaff, LeCun 2014, "Fast training of convolutional networks through FFTs"), and
/// 6 x 6 for Winograd's (Lavin and Gray 2016), which takes 3 x 3 kernels; the cost decides.
///
/// A picture with H + kernel_h / 2 <= N (and likewise in width) fits one Fourier tile: the circular wrap of the
/// convolution falls on the zero border, which both sides of the picture share. Other pictures are cut into
/// tiles by overlap-save; their data gradient is put together by overlap-add, the transpose of it, so that
/// each of x and dy is transformed once for all passes.
///
/// Activations are [image][ceil(C / L)][H * W][L], L = native_lanes<T>: the lanes are channels, and neither
/// transforms nor products move data between lanes. Spectra are [half of the images][frequency][image,
/// tile][ceil(C / L)][re x L, im x L], or [x L] where they are real.
///
/// Cost: 3 or 4 real products per complex frequency and channel pair, that is 2 to 2.6 multiplies per output for
/// a 28 x 28 picture on one tile, whatever the kernel's size; 2.25 for whole tiles of Winograd's. Results depend
/// neither on the number of threads nor, for y and dx, on the other images of a batch. Rounding errors are those of
/// direct summation or less with Fourier transforms; with Winograd's the tests bound them alike.
template <class T> class transformed_convolution {
 public:
  /// Stride 1, "same" padding, and a kernel of at most 17 x 17, about half of the largest tile.
  static bool supports(const convolution_geometry& g) {
    return g.same() && g.in_h > 0 && g.in_w > 0 && std::max(g.kernel_h, g.kernel_w) <= largest_kernel;
  }

  /// Estimated multiplies per image and pass, from the shapes alone; infinite where not supported.
  static double cost(const convolution_geometry& g) {
    return supports(g) ? cost(g, best_tile(g)) : std::numeric_limits<double>::infinity();
  }

  /// "fft" or "winograd".
  static const char* name(const convolution_geometry& g) {
    return best_tile(g) == winograd::size ? "winograd" : "fft";
  }

  /// For up to `capacity` images per call. Without `train` there is no backward pass and less memory is held.
  /// Throws `error` for a geometry that is not supported.
  transformed_convolution(
      const convolution_geometry& g, index_t capacity, bool train,
      std::shared_ptr<convolution_scratch<T>> scratch = std::make_shared<convolution_scratch<T>>())
      : geometry_(g),
        capacity_(capacity),
        train_(train),
        scratch_(std::move(scratch)) {
    require(supports(g), "transformed_convolution",
            "the geometry must be stride 1, padding kernel / 2, kernel <= 17");
    require(capacity > 0, "transformed_convolution",
            [&] { return "the capacity is " + std::to_string(capacity) + " images; it must be positive"; });
    tile_ = best_tile(g);
    down_ = cut(g.in_h, g.kernel_h, tile_);
    across_ = cut(g.in_w, g.kernel_w, tile_);
    in_groups_ = lane_groups(g.in_channels);
    out_groups_ = lane_groups(g.out_channels);
    half_ = round_up((capacity * tiles() + groups - 1) / groups, rows);
    for (index_t i = 0; i < groups; ++i) {
      x_[i] = layout(half_, in_groups_);
      y_[i] = layout(half_, out_groups_);
      if (!train) scratch_->inputs[i].reserve(x_[i].size);
      scratch_->outputs[i].reserve(y_[i].size);
    }
    scratch_->reserve_images(std::max(in_groups_, out_groups_) * g.in_h * pitch());
    weights_ = owned(layout(g.in_channels, out_groups_));
    bias_ = host_buffer<T>(out_groups_ * L);
    if (!train) return;
    for (spectra& kept : x_.of) kept = owned(kept);  // from forward to backward
    transposed_ = owned(layout(g.out_channels, in_groups_));
    for (spectra& sum : dw_.of) sum = owned(layout(round_up(g.in_channels, rows), out_groups_));
    db_ = host_buffer<T>(out_groups_ * L);
  }

  index_t capacity() const { return capacity_; }
  /// Memory held, in bytes, without the scratch.
  index_t bytes() const {
    index_t elements = bias_.size() + db_.size();
    for (const host_buffer<T>& held : memory_) elements += held.size();
    return elements * static_cast<index_t>(sizeof(T));
  }

  /// Takes over weights [co][ci][kh][kw] and bias [co] (null: no bias).
  void pack_weights(thread_pool& pool, const T* weights, const T* bias) {
    const convolution_geometry& g = geometry_;
    std::fill_n(bias_.data(), bias_.size(), T(0));
    if (bias) std::copy_n(bias, g.out_channels, bias_.data());
    transform_weights(pool, weights, weights_, g.in_channels, g.out_channels, g.taps(),
                      g.in_channels * g.taps());
    if (train_) {
      transform_weights(pool, weights, transposed_, g.out_channels, g.in_channels, g.in_channels * g.taps(),
                        g.taps());
    }
  }

  /// y = convolution of x + bias for n <= capacity() images. `epilogue(image, y of it)` runs in the task that
  /// has just completed the image, while it is in the cache. Where x is null, `take_input` has been given
  /// every image. Where y is null, an image of it exists for its epilogue only.
  template <class Epilogue>
  void forward(thread_pool& pool, index_t n, const T* x, T* y, Epilogue&& epilogue) {
    check(n, "transformed_convolution::forward");
    with_tile([&](auto transform) {
      if (x) {
        pool.run(n, [&](index_t image, int) { analyse_input(transform, image, x + image * in_size()); });
      }
      const halves from = inputs(), to = outputs();
      for_products(pool, transform.frequencies, [&](index_t f, group_range g) {
        product<transform.parts, true>(f, g, n, from, geometry_.in_channels, weights_, to);
      });
      pool.run(n, [&](index_t image, int thread) {
        T* const out = y ? y + image * out_size() : scratch_->image(thread);
        synthesise_output(transform, image, out);
        epilogue(image, out);
      });
    });
    in_flight_ = train_ ? n : 0;
  }
  /// One image of x, for the next forward call. May be called from several threads, for different images.
  void take_input(index_t image, const T* x) {
    with_tile([&](auto transform) { analyse_input(transform, image, x); });
  }

  /// Adds the gradients of weights and bias, given dy, to the accumulators and, if `wanted`, computes dx. n
  /// is that of the forward call just before: its spectra are used, and used up. `prologue(image, dy of it)`
  /// runs just before the image is read and may change it. `epilogue(image, dx of it)` runs when it is
  /// complete. Where dy is null, `take_gradient` has been given every image. Where dx is null, an image of it
  /// exists for its epilogue only.
  template <class Prologue, class Epilogue>
  void backward(thread_pool& pool, index_t n, [[maybe_unused]] const T* x, T* dy, T* dx, bool wanted,
                Prologue&& prologue, Epilogue&& epilogue) {
    check(n, "transformed_convolution::backward");
    require(n == in_flight_, "transformed_convolution::backward",
            "it must follow a forward call with the same images");
    with_tile([&](auto transform) {
      if (dy) {
        pool.run(n, [&](index_t image, int) {
          prologue(image, dy + image * out_size());
          analyse_gradient(transform, image, dy + image * out_size());
        });
      }
      const halves from = outputs();
      for_products(pool, transform.frequencies, [&](index_t f, group_range g) {
        for (index_t i = g.first; i < g.last; ++i)
          accumulate_weights<transform.parts>(f, slots(i, n), x_[i], from[i], dw_[i]);
        if (wanted) product<transform.parts, false>(f, g, n, from, geometry_.out_channels, transposed_, x_);
      });
      accumulate_bias(transform, n);
      if (!wanted) return;
      pool.run(n, [&](index_t image, int thread) {
        T* const to = dx ? dx + image * in_size() : scratch_->image(thread);
        synthesise_input(transform, image, to);
        epilogue(image, to);
      });
    });
    in_flight_ = 0;
    accumulated_ = true;
  }
  /// One image of dy, for the next backward call. May be called from several threads, for different images.
  void take_gradient(index_t image, const T* dy) {
    with_tile([&](auto transform) { analyse_gradient(transform, image, dy); });
  }

  /// dw [co][ci][kh][kw] += and db [co] += what the backward calls since the last reduce_gradients
  /// accumulated. db may be null.
  void reduce_gradients(thread_pool& pool, T* dw, T* db) {
    if (!accumulated_) return;
    accumulated_ = false;
    const convolution_geometry& g = geometry_;
    with_tile([&](auto transform) {
      pool.run(g.in_channels * out_groups_, [&](index_t task, int) {
        const index_t in = task / out_groups_, first = task % out_groups_ * L;
        const index_t count = std::min(L, g.out_channels - first);
        T taps[static_cast<std::size_t>(largest_kernel * largest_kernel * L)];
        for (index_t f = 0; f < transform.frequencies; ++f) {
          T* const sum = dw_[0].at(f, in, first / L);
          const T* const other = dw_[1].at(f, in, first / L);
          unroll<transform.parts>([&](auto v) COLDZOOM_INLINE_LAMBDA {
            store<L>(sum + v * L, load<L>(sum + v * L) + load<L>(other + v * L));
          });
        }
        transform.kernel_gradient(dw_[0].at(0, in, first / L), dw_[0].stride, kernel_window(), taps,
                                  g.kernel_w * L);
        for (index_t o = 0; o < count; ++o) {
          T* to = dw + ((first + o) * g.in_channels + in) * g.taps();
          for (index_t tap = 0; tap < g.taps(); ++tap) to[tap] += taps[tap * L + o] * transform.scale;
        }
      });
    });
    if (!db) return;
    for (index_t o = 0; o < g.out_channels; ++o) db[o] += db_.data()[o];
  }

 private:
  static constexpr index_t L = native_lanes<T>;
  static constexpr index_t smallest_tile = 8, largest_tile = 32, largest_kernel = largest_tile / 2 + 1;
  // Rows of the register tile of the matrix products, in 32 or 16 registers. A divisor of L: the weight
  // gradient's rows are channels of one block.
  static constexpr bool gauss = COLDZOOM_VECTOR_BYTES == 64;
  static constexpr index_t rows = gauss ? 8 : std::min<index_t>(4, L);
  static_assert(L % rows == 0);
  static constexpr index_t groups = 2;  // halves of the images
  using V = vec<T, L>;
  using winograd = winograd_transform<T>;

  /// Vectors [frequency][row][block], where complex re and im side by side.
  struct spectra {
    index_t size = 0, blocks = 0, stride = 0;  // stride: from one frequency to the next
    index_t width = 0;                         // of a block
    T* data = nullptr;

    T* at(index_t f, index_t row, index_t block) const {
      return data + f * stride + (row * blocks + block) * width;
    }
    index_t row() const { return blocks * width; }

    /// Prefetches part `part` of `parts` of the first `count` rows of frequency f + 1, during the work on f:
    /// the products read and write each number once, and would otherwise wait for memory half of their time.
    COLDZOOM_INLINE void prefetch_next(index_t f, index_t count, index_t part, index_t parts) const {
      if ((f + 2) * stride > size) return;
      const index_t total = count * row(), share = (total + parts - 1) / parts;
      prefetch(at(f + 1, 0, 0) + part * share, std::min(share, total - part * share));
    }
  };

  /// Spectra of the two halves of the slots.
  struct halves {
    spectra of[groups];
    spectra& operator[](index_t g) { return of[g]; }
    const spectra& operator[](index_t g) const { return of[g]; }
  };

  /// Positions first .. last - 1 of a tile, in one dimension, hold pixels first + origin .. last - 1 +
  /// origin; earlier tiles hold those before position `added`, too.
  struct part {
    index_t first, last, origin, added;
  };

  /// How one dimension of a picture of `extent` pixels is cut into tiles: each yields `step` outputs, from at
  /// most `reach` inputs of which the first lies `pad` before the first output.
  struct cutting {
    index_t count, step, reach, pad, extent;

    part input(index_t tile) const {
      const index_t origin = tile * step - pad;
      const index_t last = std::min(reach, extent - origin);
      return {std::max<index_t>(0, -origin), last, origin, tile > 0 ? std::min(reach - step, last) : 0};
    }
    part output(index_t tile) const {
      const index_t origin = tile * step;
      return {0, std::min(step, extent - origin), origin, 0};
    }
  };
  using side = part (cutting::*)(index_t) const;

  static constexpr index_t round_up(index_t value, index_t unit) { return (value + unit - 1) / unit * unit; }
  static constexpr index_t lane_groups(index_t channels) { return (channels + L - 1) / L; }

  static cutting cut(index_t extent, index_t kernel, index_t tile) {
    const index_t valid = tile - kernel + 1;
    const bool wraps = tile != winograd::size && extent + kernel / 2 <= tile;
    const index_t count = wraps ? 1 : (extent + valid - 1) / valid;
    const index_t step = (extent + count - 1) / count;
    return {count, step, std::min(tile, step + kernel - 1), kernel / 2, extent};
  }

  static double cost(const convolution_geometry& g, index_t tile) {
    const index_t count = cut(g.in_h, g.kernel_h, tile).count * cut(g.in_w, g.kernel_w, tile).count;
    const double points = double(tile * tile), log = tile == winograd::size ? 4
                                                     : tile == 8            ? 6
                                                     : tile == 16           ? 8
                                                                            : 10;
    const double multiplies = tile == winograd::size ? points : 3 * (points / 2 + 2);
    const double products = multiplies * double(g.in_channels * round_up(g.out_channels, L));
    const double transforms =
        2 * points * log * double((lane_groups(g.in_channels) + lane_groups(g.out_channels)) * L);
    return double(count) * (products + transforms);
  }

  /// The cheapest tile: Fourier tiles hold the kernel twice over, or almost.
  static index_t best_tile(const convolution_geometry& g) {
    index_t best = largest_tile;
    for (index_t tile = largest_tile / 2; tile >= smallest_tile; tile /= 2) {
      const bool holds = std::max(g.kernel_h, g.kernel_w) <= tile / 2 + 1;
      if (holds && cost(g, tile) < cost(g, best)) best = tile;
    }
    const bool three = g.kernel_h == 3 && g.kernel_w == 3;
    if (three && cost(g, winograd::size) < cost(g, best)) best = winograd::size;
    return best;
  }

  spectra layout(index_t count, index_t block_count) const {
    // 128 bytes more than needed: strides of a power of two would map a column to few cache sets.
    index_t frequencies = 0, width = 0;
    with_tile([&](auto transform) {
      frequencies = transform.frequencies;
      width = transform.parts * L;
    });
    const index_t stride = count * block_count * width + 128 / static_cast<index_t>(sizeof(T));
    return {frequencies * stride, block_count, stride, width};
  }
  spectra owned(spectra array) {
    array.data = memory_.emplace_back(array.size).data();
    return array;
  }
  // What no call leaves behind for the next one lies in memory shared with other convolutions.
  halves inputs() const {
    halves arrays = x_;
    for (index_t g = 0; g < groups; ++g) {
      if (!train_) arrays[g].data = scratch_->inputs[g].data();
    }
    return arrays;
  }
  halves outputs() const {
    halves arrays = y_;
    for (index_t g = 0; g < groups; ++g) arrays[g].data = scratch_->outputs[g].data();
    return arrays;
  }
  /// Where a slot's spectrum of a block of channels begins.
  T* place(const halves& all, index_t slot, index_t block) const {
    return all[slot / half_].at(0, slot % half_, block);
  }

  index_t tiles() const { return down_.count * across_.count; }

  void check(index_t n, const char* where) const {
    require(n >= 0 && n <= capacity_, where,
            [&] { return std::to_string(n) + " images; it must be 0 to " + std::to_string(capacity_); });
  }

  template <class F> void with_tile(F&& f) const {
    if (tile_ == winograd::size) return f(winograd{});
    if (tile_ == 8) return f(fourier_transform<T, 8>{});
    if (tile_ == 16) return f(fourier_transform<T, 16>{});
    f(fourier_transform<T, 32>{});
  }

  void transform_weights(thread_pool& pool, const T* weights, const spectra& to, index_t outer, index_t inner,
                         index_t outer_stride, index_t inner_stride) {
    with_tile([&](auto transform) {
      pool.run(outer * to.blocks, [&](index_t task, int) {
        const index_t row = task / to.blocks, first = task % to.blocks * L;
        const index_t count = std::min(L, inner - first);
        const T* from = weights + row * outer_stride + first * inner_stride;
        T taps[static_cast<std::size_t>(largest_kernel * largest_kernel * L)] = {};
        for (index_t tap = 0; tap < geometry_.taps(); ++tap) {
          for (index_t l = 0; l < count; ++l)
            taps[tap * L + l] = from[l * inner_stride + tap] * transform.scale;
        }
        transform.kernel(kernel_window(), taps, geometry_.kernel_w * L, to.at(0, row, first / L), to.stride);
      });
    });
  }

  tile_window kernel_window() const { return {0, geometry_.kernel_h, 0, geometry_.kernel_w}; }

  /// Calls f(window, offset of its first pixel in the picture, slot of the spectrum) for each tile of an
  /// image.
  template <class F> void for_tiles(index_t image, side which, F&& f) const {
    for (index_t i = 0; i < down_.count; ++i) {
      for (index_t j = 0; j < across_.count; ++j) {
        const part v = (down_.*which)(i), h = (across_.*which)(j);
        f(tile_window{v.first, v.last, h.first, h.last, v.added, h.added},
          ((v.first + v.origin) * geometry_.in_w + h.first + h.origin) * L,
          image * tiles() + i * across_.count + j);
      }
    }
  }

  index_t pitch() const { return geometry_.in_w * L; }
  index_t plane() const { return geometry_.in_h * pitch(); }
  index_t in_size() const { return in_groups_ * plane(); }
  index_t out_size() const { return out_groups_ * plane(); }

  template <class Transform> void analyse_input(Transform transform, index_t image, const T* x) {
    const halves to = inputs();
    for (index_t block = 0; block < in_groups_; ++block) {
      for_tiles(image, &cutting::input, [&](const tile_window& window, index_t first, index_t slot) {
        transform.input(window, x + block * plane() + first, pitch(), place(to, slot, block), to[0].stride);
      });
    }
  }
  template <class Transform> void analyse_gradient(Transform transform, index_t image, const T* dy) {
    const halves to = outputs();
    for (index_t block = 0; block < out_groups_; ++block) {
      for_tiles(image, &cutting::output, [&](const tile_window& window, index_t first, index_t slot) {
        transform.gradient(window, dy + block * plane() + first, pitch(), place(to, slot, block),
                           to[0].stride);
      });
    }
  }

  template <class Transform> void synthesise_output(Transform transform, index_t image, T* y) {
    const halves from = outputs();
    for (index_t block = 0; block < out_groups_; ++block) {
      const V bias = load<L>(bias_.data() + block * L);
      for_tiles(image, &cutting::output, [&](const tile_window& window, index_t first, index_t slot) {
        transform.output(place(from, slot, block), from[0].stride, window, bias, y + block * plane() + first,
                         pitch());
      });
    }
  }

  template <class Transform> void synthesise_input(Transform transform, index_t image, T* dx) {
    for (index_t block = 0; block < in_groups_; ++block) {
      for_tiles(image, &cutting::input, [&](const tile_window& window, index_t first, index_t slot) {
        transform.input_gradient(place(x_, slot, block), x_[0].stride, window, dx + block * plane() + first,
                                 pitch());
      });
    }
  }

  /// How many slots of n images lie in half g. Products and weight gradients go by these halves, whatever the
  /// number of threads; so with two threads each works on the images that it transformed.
  index_t slots(index_t g, index_t n) const { return std::clamp<index_t>(n * tiles() - g * half_, 0, half_); }
  /// Groups first .. last - 1.
  struct group_range {
    index_t first, last;
  };
  /// Calls f(frequency, groups) for all frequencies and, on one thread, all groups at once, else each.
  template <class F> void for_products(thread_pool& pool, index_t frequencies, F&& f) const {
    const bool together = pool.threads() == 1;
    // Neighbours in one task, because each prefetches the next, but enough tasks for all threads.
    const index_t chunk = frequencies / 64 + 1;
    pool.run(
        together ? frequencies : groups * frequencies,
        [&](index_t task, int) {
          const index_t g = task / frequencies;
          f(task % frequencies, together ? group_range{0, groups} : group_range{g, g + 1});
        },
        chunk);
  }

  /// c[slot] = sum over channels k of a[slot][k] b[k], b conjugated or not, at frequency f for n images.
  template <index_t Parts, bool Conjugate>
  void product(index_t f, group_range some, index_t n, const halves& a, index_t channels, const spectra& b,
               const halves& c) {
    constexpr index_t step = Parts == 1 ? 2 : 1;  // blocks of one register tile
    const index_t steps = (b.blocks + step - 1) / step;
    for (index_t block = 0; block < b.blocks; block += step) {
      // All slots for one block of b, which stays in the nearest cache.
      for (index_t g = some.first; g < some.last; ++g) {
        // Slots come in whole register tiles, so that every image goes through the same code.
        const index_t count = slots(g, n), last = round_up(count, rows), tiles = last / rows;
        const index_t calls = steps * tiles;
        if (block == 0) std::fill(a[g].at(f, count, 0), a[g].at(f, last, 0), T(0));
        for (index_t tile = 0; tile < tiles; ++tile) {
          const index_t call = block / step * tiles + tile, slot = tile * rows;
          a[g].prefetch_next(f, last, call, calls);
          if (g == some.first) b.prefetch_next(f, channels, call, calls);
          c[g].prefetch_next(f, last, call, calls);
          const T *const from = a[g].at(f, slot, 0), *const by = b.at(f, 0, block);
          T* const to = c[g].at(f, slot, block);
          if constexpr (Parts == 2) {
            multiply<Conjugate, false>(from, a[g].row(), 1, L, channels, by, b.row(), to, c[g].row());
          } else if (block + 1 < b.blocks) {
            multiply_real<2, false>(from, a[g].row(), 1, channels, by, b.row(), to, c[g].row());
          } else {
            multiply_real<1, false>(from, a[g].row(), 1, channels, by, b.row(), to, c[g].row());
          }
        }
      }
    }
  }

  /// dw[ci] += sum over slots k < count of x[k][ci] conj(dy[k]), at frequency f.
  template <index_t Parts>
  void accumulate_weights(index_t f, index_t count, const spectra& x, const spectra& dy, const spectra& dw) {
    constexpr index_t step = Parts == 1 ? 2 : 1;  // blocks of one register tile
    const index_t channels = round_up(geometry_.in_channels, rows), tiles = channels / rows;
    const index_t calls = (out_groups_ + step - 1) / step * tiles;
    for (index_t call = 0; call < calls; ++call) {
      const index_t block = call / tiles * step, in = call % tiles * rows;
      dw.prefetch_next(f, channels, call, calls);
      const T *const from = x.at(f, 0, in / L) + in % L, *const by = dy.at(f, 0, block);
      T* const to = dw.at(f, in, block);
      const auto run = [&]<bool Accumulate>(std::bool_constant<Accumulate>) {
        if constexpr (Parts == 2) {
          multiply<true, Accumulate>(from, 1, x.row(), count, count, by, dy.row(), to, dw.row());
        } else if (block + 1 < out_groups_) {
          multiply_real<2, Accumulate>(from, 1, x.row(), count, by, dy.row(), to, dw.row());
        } else {
          multiply_real<1, Accumulate>(from, 1, x.row(), count, by, dy.row(), to, dw.row());
        }
      };
      accumulated_ ? run(std::true_type{}) : run(std::false_type{});
    }
  }

  template <class Transform> void accumulate_bias(Transform transform, index_t n) {
    const halves dy = outputs();
    for (index_t block = 0; block < out_groups_; ++block) {
      V sum = accumulated_ ? load<L>(db_.data() + block * L) : zero<T, L>();
      transform.for_sum([&](index_t f, T weight) {
        for (index_t g = 0; g < groups; ++g) {
          for (index_t slot = 0; slot < slots(g, n); ++slot)
            sum += weight * load<L>(dy[g].at(f, slot, block));
        }
      });
      store<L>(db_.data() + block * L, sum);
    }
  }

  /// c[m] = (or +=) sum over k < count of a[m][k] b[k] for `rows` rows m: a holds scalars, b and c vectors; b
  /// is conjugated or not. a[m][k] lies at a + m * a_row + k * a_step, with a gap of L after every `group` of
  /// k where the imaginary parts lie.
  ///
  /// With AVX-512 a complex product takes three real ones (Gauss): x b = (p - r) + i (p + q) with
  /// p = (xr + xi) br, q = xr (bi - br), r = xi (br + bi). Elsewhere registers and fused broadcasts are
  /// missing, and the plain form with four is faster.
  template <bool Conjugate, bool Accumulate>
  static void multiply(const T* a, index_t a_row, index_t a_step, index_t group, index_t count, const T* b,
                       index_t b_step, T* c, index_t c_row) {
    V p[static_cast<std::size_t>(rows)] = {}, q[static_cast<std::size_t>(rows)] = {},
      r[static_cast<std::size_t>(rows)] = {};
    for (index_t left = count; left > 0; left -= group, a += L) {
      for (index_t k = std::min(group, left); k > 0; --k, a += a_step, b += b_step) {
        const V re = load<L>(b), im = Conjugate ? -load<L>(b + L) : load<L>(b + L);
        const V sum = re + im, difference = im - re;
        unroll<rows>([&](auto m) COLDZOOM_INLINE_LAMBDA {
          const V xr = broadcast<L>(a[m * a_row]), xi = broadcast<L>(a[m * a_row + L]);
          if constexpr (gauss) {
            q[m] += xr * difference;
            r[m] += xi * sum;
            p[m] += (xr + xi) * re;
          } else {
            p[m] += xr * re;
            q[m] += xr * im;
            p[m] -= xi * im;
            q[m] += xi * re;
          }
        });
      }
    }
    unroll<rows>([&](auto m) COLDZOOM_INLINE_LAMBDA {
      V re = gauss ? p[m] - r[m] : p[m], im = gauss ? p[m] + q[m] : q[m];
      T* to = c + m * c_row;
      if constexpr (Accumulate) {
        re += load<L>(to);
        im += load<L>(to + L);
      }
      store<L>(to, re);
      store<L>(to + L, im);
    });
  }

  /// The same for real spectra and Blocks blocks of b and c, without gaps in a.
  template <index_t Blocks, bool Accumulate>
  static void multiply_real(const T* a, index_t a_row, index_t a_step, index_t count, const T* b,
                            index_t b_step, T* c, index_t c_row) {
    V sum[static_cast<std::size_t>(rows)][static_cast<std::size_t>(Blocks)] = {};
    for (index_t k = 0; k < count; ++k, a += a_step, b += b_step) {
      V right[static_cast<std::size_t>(Blocks)];
      unroll<Blocks>([&](auto v) COLDZOOM_INLINE_LAMBDA { right[v] = load<L>(b + v * L); });
      unroll<rows>([&](auto m) COLDZOOM_INLINE_LAMBDA {
        const V left = broadcast<L>(a[m * a_row]);
        unroll<Blocks>([&](auto v) COLDZOOM_INLINE_LAMBDA { sum[m][v] += left * right[v]; });
      });
    }
    unroll<rows>([&](auto m) COLDZOOM_INLINE_LAMBDA {
      unroll<Blocks>([&](auto v) COLDZOOM_INLINE_LAMBDA {
        T* const to = c + m * c_row + v * L;
        store<L>(to, Accumulate ? load<L>(to) + sum[m][v] : sum[m][v]);
      });
    });
  }

  convolution_geometry geometry_;
  index_t capacity_ = 0;
  bool train_ = false;
  std::shared_ptr<convolution_scratch<T>> scratch_;
  bool accumulated_ = false;  // dw_ and db_ hold something
  index_t in_flight_ = 0;     // images whose spectra the last forward call left in x_
  index_t tile_ = 0, in_groups_ = 0, out_groups_ = 0, half_ = 0;
  cutting down_{}, across_{};
  halves x_, y_, dw_;  // y_ without memory, as x_ where nothing is trained: see inputs(), outputs()
  spectra weights_, transposed_;
  std::vector<host_buffer<T>> memory_;
  host_buffer<T> bias_, db_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
