/// Planes of pictures from memory or a spectrum to memory or a spectrum, and what happens to them between.
#pragma once

#include <cmath>
#include <coldzoom/backend/device/handing.hpp>
#include <coldzoom/backend/device/tile_fft.hpp>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// One sweep: `to` = work(`from`). Points outside the planes are what `work` leaves there; a spectrum to go
/// to wants zeros. Block: see tile_block.
template <class Real, int N, class Work> struct sweep_planes : tile_block<Real, N> {
  planes_at<Real> from;  // read only
  planes_at<Real> to;
  const Real* bias;  // of each channel, for planes that come from a spectrum; or null
  bool add;          // to what is in the memory that they go to
  Work work;

  index_t shared_bytes() const {
    return this->tile_bytes() + Work::numbers(this->width, N) * static_cast<index_t>(sizeof(Real)) + 16;
  }
  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const auto t = this->make_tile(block);
    if (from.spectrum) {
      this->synthesise(block, t, from.spectrum, from.stride, bias);
    } else {
      this->load(block, t, from.memory);
    }
    work(block, *this, t);
    if (to.spectrum) {
      this->analyse(block, t, to.spectrum, to.stride);
    } else {
      this->store(block, t, to.memory, add);
    }
  }
};

/// Leaves the points as they are.
struct untouched {
  static constexpr index_t numbers(int, int) { return 0; }
  template <Block K, class Sweep>
  COLDZOOM_HD void operator()(K&, const Sweep&, const typename Sweep::tile&) const {}
};

/// Planes that are dense in memory, each on one tile.
inline tiled_planes whole_planes(index_t channels, index_t h, index_t w) {
  const auto axis = [](index_t size) {
    return tile_axis{static_cast<int>(size), 1, 0, 0, 0, static_cast<int>(size), 0};
  };
  return {axis(h), axis(w), static_cast<int>(channels), channels * h * w, h * w};
}

/// The most blocks that a sweep between whole planes may have.
template <class Real> index_t most_sweep_blocks(index_t images, index_t channels) {
  constexpr index_t width = tile_block<Real, 32>::width;  // smaller tiles go more to a block
  return images * ((channels + width - 1) / width);
}

/// Runs the sweep for `images` images and returns its number of blocks. At least one end is a spectrum; if
/// both are, of the same points.
template <class Work, BlockBackend B>
index_t sweep(B& b, const tiled_planes& planes, index_t images, const planes_at<real_t<B>>& from,
              const planes_at<real_t<B>>& to, const Work& work, const real_t<B>* bias = nullptr,
              bool add = false) {
  const auto run = [&](auto points) {
    using kernel = sweep_planes<real_t<B>, points.value, Work>;
    const kernel k{{planes}, from, to, bias, add, work};
    const index_t count = k.blocks(images);
    b.for_each_block(count, kernel::most_threads, k.shared_bytes(), k);
    return count;
  };
  const int points = from.spectrum ? from.points : to.points;
  if (points == 32) return run(std::integral_constant<int, 32>{});
  if (points == 16) return run(std::integral_constant<int, 16>{});
  return run(std::integral_constant<int, 8>{});
}

/// Normalises every plane by itself, with an affine of one element a pixel: work of a sweep between whole
/// planes. y = f(weight * x_hat + bias) + addend.
template <class Function, class Real> struct normalise_planes {
  Function f;
  Real eps;
  const Real* affine;  // [2][pixel]: weight, bias
  const Real* addend;  // [n][channel] or null
  Real* x;             // [n][channel][pixel], where the planes as they come are kept, or null
  Real* mean;          // [n][channel]
  Real* rstd;

  static constexpr index_t numbers(int width, int points) { return 2 * index_t(width) * points; }

  template <Block K, class Sweep>
  COLDZOOM_HD void operator()(K& block, const Sweep& sweep, const typename Sweep::tile& t) const {
    constexpr int points = Sweep::points, lines = Sweep::most_threads / points, turns = Sweep::width / lines;
    const int h = sweep.planes.rows.size, w = sweep.planes.cols.size, pixels = h * w;
    Real* sums = block.template shared<Real>(Sweep::width * points);
    Real* squares = block.template shared<Real>(Sweep::width * points);
    auto centres = block.template local<pack<Real, turns>>();
    // By itself: a branch in the loops below would let compilers round them otherwise for prediction.
    if (x) sweep.store(block, t, x, false);
    // A thread takes one column of every channel number thread / points + a multiple of `lines`.
    const auto for_each_channel = [&](const auto& step) {
      block.for_each_thread([&](int thread) {
        COLDZOOM_UNROLL
        for (int turn = 0; turn < turns; ++turn) {
          const int channel = thread / points + turn * lines;
          if (channel < t.channels) step(channel, thread % points, centres[thread].value[turn]);
        }
      });
    };
    for_each_channel([&](int channel, int col, Real&) {
      Real total = 0;
      for (int row = 0; row < h && col < w; ++row) total += t.at(channel, row, col);
      sums[channel * points + col] = total;
    });
    for_each_channel([&](int channel, int col, Real& centre) {
      centre = sum_in_order(sums + channel * points, w) / static_cast<Real>(pixels);
      Real total = 0;
      for (int row = 0; row < h && col < w; ++row) {
        const Real value = t.at(channel, row, col);
        total += (value - centre) * (value - centre);
      }
      squares[channel * points + col] = total;
    });
    for_each_channel([&](int channel, int col, Real& centre) {
      const Real scale =
          Real(1) / std::sqrt(sum_in_order(squares + channel * points, w) / static_cast<Real>(pixels) + eps);
      const index_t plane = t.image * sweep.planes.channels + t.first_channel + channel;
      const Real more = addend ? addend[plane] : Real(0);
      for (int row = 0; row < points; ++row) {
        Real& point = t.at(channel, row, col);
        const int k = row * w + col;
        point = row < h && col < w ? f.value((point - centre) * scale * affine[k] + affine[pixels + k]) + more
                                   : Real(0);
      }
      if (col == 0) {
        mean[plane] = centre;
        rstd[plane] = scale;
      }
    });
  }
};

/// The way back: the gradient of y becomes that of x.
template <class Function, class Real> struct normalise_planes_back {
  Function f;
  const Real* affine;  // as in normalise_planes
  const Real* x;
  const Real* mean;
  const Real* rstd;
  Real* addend;  // the gradient of it, or null
  Real* parts;   // [block][2][pixel]: the share of a block in the gradient of the affine

  static constexpr index_t numbers(int width, int points) { return 3 * index_t(width) * (points + 1); }

  template <Block K, class Sweep>
  COLDZOOM_HD void operator()(K& block, const Sweep& sweep, const typename Sweep::tile& t) const {
    constexpr int points = Sweep::points, width = Sweep::width, lines = Sweep::most_threads / points;
    const int h = sweep.planes.rows.size, w = sweep.planes.cols.size, pixels = h * w;
    const index_t first = t.image * sweep.planes.channels + t.first_channel;  // of mean, rstd and addend
    // Of the gradient of x_hat, of it times x_hat, and of that of y: by columns, and in all.
    Real* sums = block.template shared<Real>(3 * width * points);
    Real* totals = block.template shared<Real>(3 * width);
    block.for_each_thread([&](int thread) {
      const int col = thread % points;
      for (int channel = thread / points; channel < t.channels; channel += lines) {
        const Real centre = mean[first + channel], scale = rstd[first + channel];
        const Real* plane = x + sweep.plane_of(t, channel);
        Real total[3] = {0, 0, 0};
        for (int row = 0; row < h && col < w; ++row) {
          const int k = row * w + col;
          const Real x_hat = (plane[k] - centre) * scale, weight = affine[k];
          Real& point = t.at(channel, row, col);
          total[2] += point;
          point *= f.slope(weight * x_hat + affine[pixels + k]);
          total[0] += weight * point;
          total[1] += weight * point * x_hat;
        }
        for (int i = 0; i < 3; ++i) sums[(i * width + channel) * points + col] = total[i];
      }
    });
    block.for_each_thread([&](int thread) {
      const int channel = thread % width;
      if (thread >= 3 * width || channel >= t.channels) return;
      totals[thread] = sum_in_order(sums + thread * points, w);
      if (addend && thread >= 2 * width) addend[first + channel] = totals[thread];
    });
    block.for_each_thread([&](int thread) {
      const int col = thread % points;
      for (int row = thread / points; row < points; row += lines) {
        const bool inside = row < h && col < w;
        const int k = inside ? row * w + col : 0;
        const Real weight = affine[k];
        sum_pair<Real> part{0, 0};
        for (int channel = 0; channel < t.channels; ++channel) {
          const Real scale = rstd[first + channel];
          const Real x_hat = (x[sweep.plane_of(t, channel) + k] - mean[first + channel]) * scale;
          Real& point = t.at(channel, row, col);
          part += {point * x_hat, point};
          const Real mixed = (totals[channel] + x_hat * totals[width + channel]) / static_cast<Real>(pixels);
          point = inside ? scale * (weight * point - mixed) : Real(0);
        }
        if (inside) {
          parts[2 * block.index() * pixels + k] = part.first;
          parts[(2 * block.index() + 1) * pixels + k] = part.second;
        }
      }
    });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
