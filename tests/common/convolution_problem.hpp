/// One training step of a convolution by blocks, and what it should compute.
#pragma once

#include <coldzoom/backend/device/convolution.hpp>
#include <coldzoom/testing/transfer.hpp>

/// Stride 1, as much padding as it takes.
inline coldzoom::convolution_geometry same_convolution(coldzoom::index_t in, coldzoom::index_t out,
                                                       coldzoom::index_t kernel_h, coldzoom::index_t kernel_w,
                                                       coldzoom::index_t h, coldzoom::index_t w) {
  return {in, out, kernel_h, kernel_w, 1, 1, kernel_h / 2, kernel_w / 2, h, w};
}

/// |a - b| / |b|, Euclidean.
template <class A, class B> double relative_error(const std::vector<A>& a, const std::vector<B>& b) {
  coldzoom::require(a.size() == b.size(), "relative_error", "the sizes differ");
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

template <class Real> struct convolution_results {
  std::vector<Real> y, dx, dw, db;
  friend bool operator==(const convolution_results&, const convolution_results&) = default;
};

/// Numbers that float holds, so that both precisions have the same problem.
template <class Real> struct convolution_problem {
  using index_t = coldzoom::index_t;

  coldzoom::convolution_geometry g;
  index_t images = 3;
  std::vector<Real> x = numbers(images * g.in_channels * g.in_h * g.in_w, 1),
                    dy = numbers(images * g.out_channels * g.out_h() * g.out_w(), 2),
                    weights = numbers(g.weights(), 3), bias = numbers(g.out_channels, 4);

  /// On backend `b`, for the first `count` images in a layer that has room for more than all.
  template <class B>
  convolution_results<Real> run(B& b, coldzoom::convolution_algorithm algorithm, index_t count) const {
    coldzoom::device::convolution<B> layer(b, g, images + 1, true, algorithm);
    const auto there = [&](const std::vector<Real>& values) { return coldzoom::to_backend(b, values); };
    const auto w = there(weights), bias_there = there(bias), x_there = there(x), dy_there = there(dy);
    auto y = b.template allocate<Real>(dy_there.size()), dx = b.template allocate<Real>(x_there.size());
    auto dw = b.template allocate<Real>(w.size()), db = b.template allocate<Real>(bias_there.size());
    layer.pack_weights(b, w.data(), bias_there.data());
    layer.forward(b, count, x_there.data(), y.data());
    layer.backward(b, count, x_there.data(), dy_there.data(), dx.data(), dw.data(), db.data());
    const auto found = [&](const auto& memory, index_t size) {
      return coldzoom::to_host<Real>(b, memory.data(), size);
    };
    return {found(y, y.size() / images * count), found(dx, dx.size() / images * count), found(dw, dw.size()),
            found(db, db.size())};
  }
  /// By the definition.
  convolution_results<Real> wanted() const {
    convolution_results<Real> r{std::vector<Real>(dy.size()), std::vector<Real>(x.size()),
                                std::vector<Real>(weights.size()), std::vector<Real>(bias.size())};
    const index_t h = g.out_h(), w = g.out_w();
    for (index_t n = 0; n < images; ++n) {
      for (index_t o = 0; o < g.out_channels; ++o) {
        for (index_t p = 0; p < h; ++p) {
          for (index_t q = 0; q < w; ++q) {
            const index_t at = ((n * g.out_channels + o) * h + p) * w + q;
            element(r.y, at) += bias[static_cast<std::size_t>(o)];
            element(r.db, o) += element(dy, at);
            for (index_t c = 0; c < g.in_channels; ++c) {
              for (index_t tap = 0; tap < g.taps(); ++tap) {
                const index_t row = p * g.stride_h + tap / g.kernel_w - g.pad_h,
                              col = q * g.stride_w + tap % g.kernel_w - g.pad_w;
                if (row < 0 || row >= g.in_h || col < 0 || col >= g.in_w) continue;
                const index_t pixel = ((n * g.in_channels + c) * g.in_h + row) * g.in_w + col;
                const index_t weight = (o * g.in_channels + c) * g.taps() + tap;
                element(r.y, at) += element(weights, weight) * element(x, pixel);
                element(r.dx, pixel) += element(weights, weight) * element(dy, at);
                element(r.dw, weight) += element(x, pixel) * element(dy, at);
              }
            }
          }
        }
      }
    }
    return r;
  }

 private:
  static std::vector<Real> numbers(index_t count, std::uint64_t seed) {
    const std::vector<float> drawn = coldzoom::testing::random_values(count, seed, -1, 1);
    return {drawn.begin(), drawn.end()};
  }
  template <class Values> static auto& element(Values& values, index_t i) {
    return values[static_cast<std::size_t>(i)];
  }
};
