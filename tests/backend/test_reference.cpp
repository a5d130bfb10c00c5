#define BOOST_TEST_MODULE reference
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/core/random.hpp>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;

namespace {

using backends = std::tuple<cz::reference_backend<float>, cz::reference_backend<double>,
                            cz::cpu_backend<float>, cz::cpu_backend<double>>;
using cpu_backends = std::tuple<cz::cpu_backend<float>, cz::cpu_backend<double>>;

template <class Real> std::vector<Real> random_values(index_t count, std::uint64_t seed) {
  std::vector<Real> result;
  for (index_t i = 0; i < count; ++i)
    result.push_back(static_cast<Real>(cz::random_normal({seed}, static_cast<std::uint64_t>(i))));
  return result;
}

/// A product with rows longer than its matrices, so that strides count.
template <class Real> struct product {
  index_t m, n, k;
  bool transpose_a;
  std::vector<Real> a, b, c;

  product(index_t rows, index_t cols, index_t depth, bool transpose)
      : m(rows),
        n(cols),
        k(depth),
        transpose_a(transpose),
        a(random_values<Real>((transpose ? k * lda() : m * lda()), 1)),
        b(random_values<Real>(k * ldb(), 2)),
        c(random_values<Real>(m * ldc(), 3)) {}

  index_t lda() const { return (transpose_a ? m : k) + 3; }
  index_t ldb() const { return n + 1; }
  index_t ldc() const { return n + 2; }

  /// C after the product.
  template <class B> std::vector<Real> run(B& backend, bool accumulate) const {
    std::vector<Real> out = c;
    backend.gemm(transpose_a, m, n, k, a.data(), lda(), b.data(), ldb(), out.data(), ldc(), accumulate);
    return out;
  }
  double term(index_t i, index_t j, index_t l) const {
    const Real left = a[static_cast<std::size_t>(transpose_a ? l * lda() + i : i * lda() + l)];
    return static_cast<double>(left) * static_cast<double>(b[static_cast<std::size_t>(l * ldb() + j)]);
  }
};

struct count_visit {
  int* visits;
  void operator()(index_t i) const { ++visits[i]; }
};

/// Arithmetic worth contracting, vectorising and otherwise getting wrong.
template <class Real> struct polynomial {
  const Real* x;
  Real* y;
  void operator()(index_t i) const { y[i] = ((x[i] * Real(0.3) + Real(1.7)) * x[i] - Real(0.1)) * x[i]; }
};

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(memory, B, backends) {
  using real = cz::real_t<B>;
  B b;
  auto first = b.template allocate<real>(37), second = b.template allocate<real>(37);
  BOOST_TEST(first.size() == 37);
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(first.data()) % 64 == 0u);
  for (index_t i = 0; i < 37; ++i) BOOST_TEST(first.data()[i] == real(0));
  const auto values = random_values<real>(37, 1);
  std::vector<real> back(37);
  b.upload(values.data(), first.data(), 37);
  b.copy(first.data(), second.data(), 37);
  b.download(second.data(), back.data(), 37);
  b.synchronize();
  BOOST_TEST(back == values);
  BOOST_TEST(b.template allocate<real>(0).size() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(every_index_once, B, backends) {
  B b;
  for (const index_t count : {0, 1, 2, 1000, 32769}) {
    for (const index_t cost : {1, 100, 1000000}) {
      std::vector<int> visits(static_cast<std::size_t>(count));
      b.for_each_index(count, count_visit{visits.data()}, cost);
      BOOST_TEST(visits == std::vector<int>(visits.size(), 1));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(sums, B, backends) {
  using real = cz::real_t<B>;
  B b;
  BOOST_TEST(b.sum(nullptr, 0) == 0.0);
  for (const index_t count : {1, 4095, 4096, 4097, 20000}) {
    // Halves add up exactly in whatever order.
    std::vector<real> halves(static_cast<std::size_t>(count));
    for (index_t i = 0; i < count; ++i) halves[static_cast<std::size_t>(i)] = static_cast<real>(i) / 2;
    BOOST_TEST(b.sum(halves.data(), count) ==
               static_cast<double>(count) * static_cast<double>(count - 1) / 4);
  }
  // In double even of floats: each of these ones would vanish beside 2^24.
  std::vector<real> mixed(1001, real(1));
  mixed[0] = real(0x1p24);
  BOOST_TEST(b.sum(mixed.data(), 1001) == 0x1p24 + 1000);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(matrix_products, B, backends) {
  using real = cz::real_t<B>;
  B b;
  const double eps = static_cast<double>(std::numeric_limits<real>::epsilon());
  for (const auto& [m, n, k] : {std::tuple<index_t, index_t, index_t>{1, 1, 1},
                                {3, 5, 7},
                                {4, 16, 9},
                                {7, 33, 12},
                                {9, 70, 1},
                                {65, 47, 100}}) {
    for (const bool transpose : {false, true}) {
      for (const bool accumulate : {false, true}) {
        const product<real> p(m, n, k, transpose);
        const std::vector<real> c = p.run(b, accumulate);
        for (index_t i = 0; i < m; ++i) {
          for (index_t j = 0; j < p.ldc(); ++j) {
            const auto at = static_cast<std::size_t>(i * p.ldc() + j);
            if (j >= n) {
              BOOST_TEST(c[at] == p.c[at], "wrote between the rows");
              continue;
            }
            double total = accumulate ? static_cast<double>(p.c[at]) : 0, sizes = std::abs(total);
            for (index_t l = 0; l < k; ++l) {
              total += p.term(i, j, l);
              sizes += std::abs(p.term(i, j, l));
            }
            // A sum of k products in order: each rounding costs eps / 2 of at most the sum of the sizes.
            const double bound = static_cast<double>(k + 1) * eps * sizes;
            BOOST_TEST(std::abs(static_cast<double>(c[at]) - total) <= bound);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_of_a_product_do_not_depend_on_their_number, B, backends) {
  using real = cz::real_t<B>;
  B b;
  const product<real> whole(11, 37, 50, false);
  const std::vector<real> c = whole.run(b, true);
  for (index_t first = 0; first < 11; ++first) {
    for (index_t rows = 1; first + rows <= 11; ++rows) {
      product<real> part = whole;
      part.m = rows;
      part.a.erase(part.a.begin(), part.a.begin() + first * whole.lda());
      part.c.erase(part.c.begin(), part.c.begin() + first * whole.ldc());
      const std::vector<real> some = part.run(b, true);
      BOOST_TEST(
          std::equal(some.begin(), some.begin() + rows * whole.ldc(), c.begin() + first * whole.ldc()));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_number_of_threads, B, cpu_backends) {
  using real = cz::real_t<B>;
  const index_t count = 200001;
  const auto x = random_values<real>(count, 1);
  const product<real> p(201, 67, 300, true);
  struct results {
    std::vector<real> y, c;
    double sum;
    bool operator==(const results&) const = default;
  };
  const auto compute = [&](int threads) {
    B b(threads);
    BOOST_TEST(b.threads() == threads);
    results r{std::vector<real>(x.size()), p.run(b, true), b.sum(x.data(), count)};
    b.for_each_index(count, polynomial<real>{x.data(), r.y.data()}, 5);
    return r;
  };
  const results one = compute(1);
  BOOST_TEST((compute(2) == one));
  BOOST_TEST((compute(5) == one));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(copies_share_the_threads, B, cpu_backends) {
  B b(3);
  B copy = b;
  BOOST_TEST(&copy.pool() == &b.pool());
}
