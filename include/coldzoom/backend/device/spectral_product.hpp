/// Complex matrix products, one for each frequency of a spectrum, by blocks.
#pragma once

#include <algorithm>
#include <coldzoom/backend/device/tile_fft.hpp>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// Which operand is transposed and conjugated.
enum class adjoint { none, left, right };

/// c[f] = op(a[f]) op(b[f]) for every frequency f, all dense: c is m x n, op(a) m x k and op(b) k x n. Every
/// element is summed in the order of k, so a row of c does not depend on the others.
///
/// A block makes a tile of c, `side` x `side` elements a thread; `chunk` steps of k at a time go into shared
/// memory. Block: [f][tile row][tile column].
template <class Real, adjoint Adjoint> struct multiply_spectra {
  static constexpr int most_threads = 128, side = 4, chunk = 16;
  using value = complex<Real>;
  using value_pack = pack<value, side * side>;

  int m, n, k;
  int down, across;                      // threads of a block
  index_t a_stride, b_stride, c_stride;  // from one frequency to the next
  const value* a;
  const value* b;
  value* c;

  /// Chooses the tile for m, n and k; the strides and the operands are the caller's.
  static multiply_spectra plan(index_t m, index_t n, index_t k) {
    const auto threads_for_side = [](index_t size) { return static_cast<int>((size + side - 1) / side); };
    multiply_spectra p{};
    p.m = static_cast<int>(m);
    p.n = static_cast<int>(n);
    p.k = static_cast<int>(k);
    p.across = std::min(8, threads_for_side(n));
    p.down = std::min({32, most_threads / p.across, threads_for_side(m)});
    return p;
  }
  COLDZOOM_HD int tiles_down() const { return (m + side * down - 1) / (side * down); }
  COLDZOOM_HD int tiles_across() const { return (n + side * across - 1) / (side * across); }
  index_t blocks(index_t frequencies) const { return frequencies * tiles_down() * tiles_across(); }
  int threads() const { return down * across; }
  // One more than the tile, so that neighbours in k are in different banks.
  COLDZOOM_HD int left_pitch() const { return side * down + 1; }
  COLDZOOM_HD int right_pitch() const { return side * across + 1; }
  index_t shared_bytes() const {
    return index_t(chunk) * (left_pitch() + right_pitch()) * static_cast<index_t>(sizeof(value)) + 32;
  }

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const int tiles = tiles_down() * tiles_across(), tile = static_cast<int>(block.index() % tiles);
    const index_t f = block.index() / tiles;
    const int top = tile / tiles_across() * side * down, left = tile % tiles_across() * side * across;
    value* near_a = block.template shared<value>(index_t(chunk) * left_pitch());
    value* near_b = block.template shared<value>(index_t(chunk) * right_pitch());
    auto totals = block.template local<value_pack>();
    for (int first = 0; first < k; first += chunk) {
      const int steps = k - first < chunk ? k - first : chunk;
      block.for_each_thread([&](int thread) {
        load<Adjoint != adjoint::left, Adjoint == adjoint::left>(
            {a + f * a_stride, m, top, side * down, first, steps}, near_a, thread);
        load<Adjoint == adjoint::right, Adjoint == adjoint::right>(
            {b + f * b_stride, n, left, side * across, first, steps}, near_b, thread);
      });
      block.for_each_thread([&](int thread) {
        const int row = thread / across, col = thread % across;
        value_pack total = totals[thread];
        for (int l = 0; l < steps; ++l) {
          pack<value, side> at, bt;
          COLDZOOM_UNROLL
          for (int i = 0; i < side; ++i) {
            at.value[i] = near_a[l * left_pitch() + row + i * down];
            bt.value[i] = near_b[l * right_pitch() + col + i * across];
          }
          COLDZOOM_UNROLL
          for (int i = 0; i < side; ++i) {
            COLDZOOM_UNROLL
            for (int j = 0; j < side; ++j) add_product(total.value[i * side + j], at.value[i], bt.value[j]);
          }
        }
        totals[thread] = total;
      });
    }
    block.for_each_thread([&](int thread) {
      COLDZOOM_UNROLL
      for (int i = 0; i < side; ++i) {
        COLDZOOM_UNROLL
        for (int j = 0; j < side; ++j) {
          const int row = top + thread / across + i * down, col = left + thread % across + j * across;
          if (row < m && col < n)
            c[f * c_stride + static_cast<index_t>(row) * n + col] = totals[thread].value[i * side + j];
        }
      }
    });
  }

 private:
  /// What a tile takes of an operand: `count` of its `size` rows of op(a) or columns of op(b), and `steps` of
  /// k.
  struct part {
    const value* from;
    int size, first, count, first_step, steps;
  };
  /// to[step][i], zero beyond the operand. An operand that lies along k is read along k, whatever is wanted.
  template <bool AlongK, bool Conjugate> COLDZOOM_HD void load(const part& p, value* to, int thread) const {
    for (int at = thread; at < p.count * chunk; at += down * across) {
      const int i = AlongK ? at / chunk : at % p.count, step = AlongK ? at % chunk : at / p.count;
      if (step >= p.steps) continue;
      const index_t row = p.first + i, l = p.first_step + step;
      value found{};
      if (row < p.size) found = p.from[AlongK ? row * k + l : l * p.size + row];
      if (Conjugate) found.im = -found.im;
      to[step * (p.count + 1) + i] = found;
    }
  }
  COLDZOOM_HD static void add_product(value& to, const value& x, const value& y) {
    to.re += x.re * y.re - x.im * y.im;
    to.im += x.re * y.im + x.im * y.re;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
