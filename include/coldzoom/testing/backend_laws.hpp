/// The laws that every backend must obey, for the tests of authors of backends.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/dense_product.hpp>
#include <coldzoom/testing/transfer.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA::testing {

namespace detail {

/// visits[i] += 1. Index: element.
template <class Real> struct count_visit {
  Real* visits;
  COLDZOOM_HD void operator()(index_t i) const { visits[i] += Real(1); }
};

template <class Real> std::vector<Real> normal_values(index_t count, std::uint64_t seed) {
  std::vector<Real> values;
  for (index_t i = 0; i < count; ++i)
    values.push_back(static_cast<Real>(random_normal({seed}, static_cast<std::uint64_t>(i))));
  return values;
}

template <Backend B> void memory_laws(B& b) {
  using real = real_t<B>;
  const index_t count = 1000;
  auto first = b.template allocate<real>(count), second = b.template allocate<real>(count);
  require(first.size() == count, "backend_laws",
          [&] { return "allocate(1000) gives a buffer of size " + std::to_string(first.size()); });
  require(to_host<real>(b, first.data(), count) == std::vector<real>(count), "backend_laws",
          "a new buffer is not zero");
  const std::vector<real> values = normal_values<real>(count, 1);
  b.upload(values.data(), first.data(), count);
  b.copy(first.data() + 10, second.data() + 20, 900);
  std::vector<real> wanted(count);
  std::copy_n(values.begin() + 10, 900, wanted.begin() + 20);
  require(to_host<real>(b, first.data(), count) == values, "backend_laws",
          "what was uploaded is not what is downloaded");
  require(to_host<real>(b, second.data(), count) == wanted, "backend_laws",
          "copy(from, to, 900) does not copy these 900 elements alone");
}

template <Backend B> void kernel_laws(B& b) {
  using real = real_t<B>;
  for (const index_t count : {0, 1, 1000, 32769}) {
    for (const index_t cost : {1, 1000}) {
      auto visits = b.template allocate<real>(count + 1);
      b.for_each_index(count, count_visit<real>{visits.data()}, cost);
      const std::vector<real> seen = to_host<real>(b, visits.data(), count + 1);
      for (index_t i = 0; i <= count; ++i) {
        const real wanted = i < count ? real(1) : real(0);
        require(seen[static_cast<std::size_t>(i)] == wanted, "backend_laws", [&] {
          return "for_each_index(" + std::to_string(count) + ") calls the kernel with index " +
                 std::to_string(i) + " " + std::to_string(seen[static_cast<std::size_t>(i)]) + " times";
        });
      }
    }
  }
}

template <Backend B> void sum_laws(B& b) {
  using real = real_t<B>;
  for (const index_t count : {0, 1, 4097, 20000}) {
    std::vector<real> values = normal_values<real>(count, 2);
    if (count > 0) values[0] = real(0x1p24);  // a sum in float would lose the rest
    double wanted = 0, sizes = 0;
    for (const real value : values) {
      wanted += static_cast<double>(value);
      sizes += std::abs(static_cast<double>(value));
    }
    const auto memory = to_backend(b, values);
    const double sum = b.sum(memory.data(), count);
    // In double, in any order: each of the additions rounds by at most 2^-53 of the sum of the sizes.
    require(std::abs(sum - wanted) <= static_cast<double>(count) * 0x1p-53 * sizes, "backend_laws", [&] {
      return "the sum of " + std::to_string(count) + " elements is " + std::to_string(sum) + ", wanted " +
             std::to_string(wanted);
    });
    require(b.sum(memory.data(), count) == sum, "backend_laws", "a second sum has other bits");
  }
}

template <Backend B> void gemm_laws(B& b) {
  using real = real_t<B>;
  const index_t n = 19, k = 33;
  for (const index_t m : {1, 5, 18}) {
    for (const bool transpose : {false, true}) {
      for (const bool accumulate : {false, true}) {
        const index_t lda = (transpose ? m : k) + 2, ldb = n + 1, ldc = n + 3;
        const std::vector<real> a = normal_values<real>((transpose ? k : m) * lda, 3),
                                right = normal_values<real>(k * ldb, 4),
                                before = normal_values<real>(m * ldc, 5);
        const auto a_memory = to_backend(b, a), b_memory = to_backend(b, right);
        auto c_memory = to_backend(b, before);
        b.gemm(transpose, m, n, k, a_memory.data(), lda, b_memory.data(), ldb, c_memory.data(), ldc,
               accumulate);
        const std::vector<real> c = to_host<real>(b, c_memory.data(), m * ldc);
        for (index_t i = 0; i < m * ldc; ++i) {
          const index_t row = i / ldc, col = i % ldc;
          const auto at = static_cast<std::size_t>(i);
          double wanted = accumulate || col >= n ? static_cast<double>(before[at]) : 0,
                 sizes = std::abs(wanted);
          for (index_t l = 0; col < n && l < k; ++l) {
            const double term =
                static_cast<double>(a[static_cast<std::size_t>(transpose ? l * lda + row : row * lda + l)]) *
                static_cast<double>(right[static_cast<std::size_t>(l * ldb + col)]);
            wanted += term;
            sizes += std::abs(term);
          }
          // A sum of k products: each rounding costs at most epsilon of the sum of the sizes.
          const double bound =
              col < n ? static_cast<double>(k + 1) * std::numeric_limits<real>::epsilon() * sizes : 0;
          require(std::abs(static_cast<double>(c[at]) - wanted) <= bound, "backend_laws", [&] {
            return std::string("gemm of ") + std::to_string(m) + " x " + std::to_string(n) + " x " +
                   std::to_string(k) + (transpose ? ", transposed" : "") +
                   (accumulate ? ", accumulating" : "") + ": element (" + std::to_string(row) + ", " +
                   std::to_string(col) + ") is " + std::to_string(c[at]) + ", wanted " +
                   std::to_string(wanted);
          });
        }
        // The first row alone.
        auto row_memory = to_backend(b, before);
        b.gemm(transpose, 1, n, k, a_memory.data(), lda, b_memory.data(), ldb, row_memory.data(), ldc,
               accumulate);
        const std::vector<real> row = to_host<real>(b, row_memory.data(), n);
        require(std::equal(row.begin(), row.end(), c.begin()), "backend_laws",
                "a row of gemm has other bits where there are fewer rows");
      }
    }
  }
}

/// Products that lie one behind the other, each C twice as wide as it needs to be, and the last without rows.
struct products_in_a_row {
  dense_product first;
  index_t count;

  dense_product operator()(index_t i) const {
    dense_product p = first;
    if (i + 1 == count) p.m = 0;
    p.a += i * p.m * p.k;
    p.b += i * p.k * p.n;
    p.c += i * p.m * p.ldc;
    return p;
  }
};

template <Backend B> void product_laws(B& b) {
  const index_t count = 4, k = 13;
  for (const index_t m : {1, 7, 13, 20}) {
    for (const index_t n : {3, 16, 29, 45}) {
      const std::vector<float> left = normal_values<float>(count * m * k, 6),
                               right = normal_values<float>(count * k * n, 7),
                               before(static_cast<std::size_t>(count * m * 2 * n), 5);
      const auto left_memory = to_backend(b, left), right_memory = to_backend(b, right);
      auto memory = to_backend(b, before);
      b.for_each_product(
          count,
          products_in_a_row{{m, n, k, left_memory.data(), 1, m, right_memory.data(), n, memory.data(), 2 * n},
                            count},
          m * n * k);
      const std::vector<float> found = to_host<float>(b, memory.data(), memory.size());
      for (index_t i = 0; i < memory.size(); ++i) {
        const index_t product = i / (2 * n) / m, row = i / (2 * n) % m, col = i % (2 * n);
        const bool written = product + 1 < count && col < n;
        double wanted = written ? 0 : 5, sizes = 0;
        for (index_t l = 0; written && l < k; ++l) {
          const double term =
              static_cast<double>(left[static_cast<std::size_t>((product * k + l) * m + row)]) *
              static_cast<double>(right[static_cast<std::size_t>((product * k + l) * n + col)]);
          wanted += term;
          sizes += std::abs(term);
        }
        require(std::abs(static_cast<double>(found[static_cast<std::size_t>(i)]) - wanted) <=
                    static_cast<double>(k + 1) * std::numeric_limits<float>::epsilon() * sizes,
                "backend_laws", [&] {
                  return "element " + std::to_string(i) + " of products of " + std::to_string(m) + " x " +
                         std::to_string(n) + " x " + std::to_string(k) + " is " +
                         std::to_string(found[static_cast<std::size_t>(i)]) + ", wanted " +
                         std::to_string(wanted);
                });
      }
    }
  }
}

}  // namespace detail

/// Throws `error` with the first law that `b` breaks: new buffers are zero; upload, copy and download move
/// exactly what they are given; for_each_index calls every index once; sum is that of a loop in double, the
/// same bits each time; gemm is that of a naive loop within the rounding of its real_type, writes nothing
/// between rows, and gives a row the same bits however many there are; so are the products of for_each_product, where
/// there is one.
template <Backend B> void backend_laws(B& b) {
  detail::memory_laws(b);
  detail::kernel_laws(b);
  detail::sum_laws(b);
  detail::gemm_laws(b);
  if constexpr (MultipliesMatrices<B>) detail::product_laws(b);
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
