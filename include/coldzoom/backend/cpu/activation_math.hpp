/// Activation functions and their slopes on vectors: portable vector arithmetic, no libm.
#pragma once

#include <array>
#include <coldzoom/backend/cpu/simd.hpp>
#include <cstdint>
#include <limits>
#include <type_traits>

#if COLDZOOM_VECTOR_BYTES == 64
#  include <immintrin.h>
#endif

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Coefficients, lowest power first. All are minimax fits by Lawson's iteration (least squares with weights
/// that grow where the error is largest) in 50-digit arithmetic.
/// - exponential: exp(r) on |r| <= ln(2) / 2; relative error 7.5e-8 (float), 2.2e-16 (double).
/// - mills: Q(t) / phi(t), the upper tail of the normal distribution over its density, t >= 0, as numerator /
///   denominator; the error, weighted by max(1, t) * phi(t), is 1.5e-8 (float), 9.4e-15 (double). ln2_high
///   has trailing zeros, so that its products with an exponent are exact.
template <class T> struct math_constants;

template <> struct math_constants<float> {
  using bits = std::int32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float round = 0x1.8p23f;
  static constexpr float smallest_exponent = -87;
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float tail_end = 13;
  static constexpr std::array exponential{1.00000007169f,  0.999999691662f,  0.499988946345f,
                                          0.166675756648f, 0.0419153984237f, 0.00829760204875f};
  static constexpr std::array numerator{1.2533141759226932f, 0.47100468557012613f, 0.088720071891341169f,
                                        -0.00033017804023368060f};
  static constexpr std::array denominator{1.f, 1.1736943162444443f, 0.50723153092973237f,
                                          0.083699963001616665f};
};

template <> struct math_constants<double> {
  using bits = std::int64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr double round = 0x1.8p52;
  static constexpr double smallest_exponent = -708;
  static constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double tail_end = 37;
  static constexpr std::array exponential{
      1.0000000000000000661,    1.0000000000000064459,     0.49999999999997285091,
      0.16666666666557702746,   0.041666666668427251513,   0.0083333333846776157918,
      0.0013888888498874741362, 0.00019841171370840210167, 0.00002480191791115534523,
      2.7639773315241743209e-6, 2.7488378690592124653e-7};
  static constexpr std::array numerator{1.2533141373154768447,   1.108882244128894193,
                                        0.4928065903927918785,   0.12439731942512635484,
                                        0.017688826783983560447, 0.001129816895557984571};
  static constexpr std::array denominator{1.,
                                          1.6826445831383228249,
                                          1.2357589042431896677,
                                          0.50988687866147853623,
                                          0.12558377637985711383,
                                          0.017685402924348484212,
                                          0.0011299179866498472033};
};

/// The coefficients are a template's argument, so that vectors of them are constants; SSE takes two
/// instructions to make one of a number in memory.
template <auto coefficients, class T, index_t L> COLDZOOM_INLINE vec<T, L> polynomial(const vec<T, L>& x) {
  constexpr index_t degree = static_cast<index_t>(coefficients.size()) - 1;
  vec<T, L> sum = broadcast<L>(coefficients[degree]);
  unroll<degree>([&](auto i) COLDZOOM_INLINE_LAMBDA {
    constexpr T next = coefficients[degree - 1 - i];
    sum = sum * x + next;
  });
  return sum;
}

/// Clears the signs; NaN stays NaN.
template <class T, index_t L> COLDZOOM_INLINE vec<T, L> magnitude(const vec<T, L>& x) {
  using bits = typename math_constants<T>::bits;
  return reinterpret_cast<vec<T, L>>(reinterpret_cast<vec<bits, L>>(x) & std::numeric_limits<bits>::max());
}

#if COLDZOOM_VECTOR_BYTES == 64

/// A smooth function of t >= 0 that vanishes at infinity as 32 quartic polynomials, whose coefficients a
/// register permute fetches: number k for t * per_unit in k - 1/2 .. k + 1/2. The last is zero.
struct quartic_table {
  static constexpr float per_unit = 5.4f, end = 31 / per_unit;
  float coefficients[5][32];

  /// Interpolates f at the five Chebyshev points of every interval (Newton's form, then powers).
  template <class F> static constexpr quartic_table of(const F& f) {
    constexpr double x[5] = {-0.47552825814757679, -0.29389262614623657, 0, 0.29389262614623657,
                             0.47552825814757679};
    quartic_table table{};
    for (int k = 0; k < 31; ++k) {
      double divided[5]{}, power[5]{};
      for (int i = 0; i < 5; ++i) divided[i] = f((k + x[i]) / static_cast<double>(per_unit));
      for (int order = 1; order < 5; ++order) {
        for (int i = 4; i >= order; --i) divided[i] = (divided[i] - divided[i - 1]) / (x[i] - x[i - order]);
      }
      for (int i = 4; i >= 0; --i) {
        for (int d = 4; d > 0; --d) power[d] = power[d - 1] - x[i] * power[d];
        power[0] = divided[i] - x[i] * power[0];
      }
      for (int d = 0; d < 5; ++d) table.coefficients[d][k] = static_cast<float>(power[d]);
    }
    return table;
  }
};

/// A table in ten registers.
struct loaded_quartic_table {
  explicit COLDZOOM_INLINE loaded_quartic_table(const quartic_table& table) {
    unroll<5>([&](auto d) COLDZOOM_INLINE_LAMBDA {
      low[d] = _mm512_loadu_ps(table.coefficients[d]);
      high[d] = _mm512_loadu_ps(table.coefficients[d] + 16);
      // Otherwise the compiler, which knows the values, loads them again at every use.
      asm("" : "+v"(low[d]), "+v"(high[d]));
    });
  }
  /// For size >= 0. The minimum is its second argument where one is NaN; the mask form keeps GCC from a wrong
  /// warning.
  COLDZOOM_INLINE __m512 at(__m512 size) const {
    const __m512 t = _mm512_maskz_min_ps(0xffff, _mm512_set1_ps(quartic_table::end), size);
    const __m512 per_unit = _mm512_set1_ps(quartic_table::per_unit);
    const __m512 round = _mm512_set1_ps(math_constants<float>::round);
    const __m512 shifted = _mm512_fmadd_ps(t, per_unit, round);
    const __m512 x = _mm512_fmsub_ps(t, per_unit, _mm512_sub_ps(shifted, round));
    const auto coefficient = [&](index_t d) COLDZOOM_INLINE_LAMBDA {
      return _mm512_permutex2var_ps(low[d], _mm512_castps_si512(shifted), high[d]);
    };
    __m512 sum = coefficient(4);
    unroll<4>([&](auto d) COLDZOOM_INLINE_LAMBDA { sum = _mm512_fmadd_ps(sum, x, coefficient(3 - d)); });
    return sum;
  }

  __m512 low[5], high[5];
};

constexpr double scalar_polynomial(double x, const auto& coefficients) {
  double sum = 0;
  for (std::size_t i = coefficients.size(); i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}
/// The normal density, and its upper tail over the density.
constexpr double normal_density(double t) {
  double power = scalar_polynomial(t * t / -128, math_constants<double>::exponential);
  for (int i = 0; i < 6; ++i) power *= power;
  return power * 0.39894228040143267794;
}
constexpr double normal_mills(double t) {
  return scalar_polynomial(t, math_constants<double>::numerator) /
         scalar_polynomial(t, math_constants<double>::denominator);
}

// The value and the slope of GELU at -t. Largest absolute error: 2.6e-7, of the slope where its table ends.
inline constexpr quartic_table gelu_value_table =
    quartic_table::of([](double t) { return -t * normal_density(t) * normal_mills(t); });
inline constexpr quartic_table gelu_slope_table =
    quartic_table::of([](double t) { return normal_density(t) * (normal_mills(t) - t); });

#endif

}  // namespace detail

/// exp(x) for x <= 0, to the accuracy of math_constants::exponential; below about -87 (float) or -708
/// (double) it stays at the value there, 1.6e-38 or 3.3e-308. NaN stays NaN.
template <class T, index_t L> COLDZOOM_INLINE vec<T, L> exp_of_negative(vec<T, L> x) {
  using constants = detail::math_constants<T>;
  using integers = vec<typename constants::bits, L>;
  x = x < constants::smallest_exponent ? broadcast<L>(constants::smallest_exponent) : x;
  // Adding 1.5 * 2^mantissa_bits rounds to an integer and leaves it in the lowest bits of the sum.
  const vec<T, L> shifted = x * T(1.4426950408889634074) + constants::round;
  const vec<T, L> n = shifted - constants::round;
  const vec<T, L> r = (x - n * constants::ln2_high) - n * constants::ln2_low;
  const vec<T, L> power = detail::polynomial<constants::exponential, T, L>(r);
  return reinterpret_cast<vec<T, L>>(reinterpret_cast<integers>(power) +
                                     (reinterpret_cast<integers>(shifted) << constants::mantissa_bits));
}

/// An activation A is evaluated by an object of A::on<T, L>, made before the loop: it may hold tables in
/// registers.
template <class T, index_t L> struct value_slope { vec<T, L> value, slope; };

/// z * Phi(z), the exact form (Hendrycks and Gimpel 2016), and its slope Phi(z) + z * phi(z), for every
/// finite z. The upper tail is Q(|z|) = phi(|z|) * mills(|z|). What the caller does not use of the result
/// costs nothing. Largest absolute error of both: 2.6e-7 (float), 9.7e-15 (double).
struct vector_gelu {
  template <class T, index_t L> struct on {
    COLDZOOM_INLINE value_slope<T, L> operator()(const vec<T, L>& z) const {
      using constants = detail::math_constants<T>;
      const vec<T, L> size = detail::magnitude<T, L>(z);
      const vec<T, L> t = size > constants::tail_end ? broadcast<L>(constants::tail_end) : size;
      const vec<T, L> density = T(0.39894228040143267794) * exp_of_negative<T, L>(t * t * T(-0.5));
      const vec<T, L> mills = detail::polynomial<constants::numerator, T, L>(t) /
                              detail::polynomial<constants::denominator, T, L>(t);
      const vec<T, L> below = density * (mills - t);  // the slope at -|z|; that at |z| is 1 - below
      return {(z < 0 ? vec<T, L>{} : z) - t * (density * mills), z < 0 ? below : 1 - below};
    }
  };
};

#if COLDZOOM_VECTOR_BYTES == 64
/// The same from tables: 1.5 times as fast within a normalisation.
template <> struct vector_gelu::on<float, 16> {
  detail::loaded_quartic_table value{detail::gelu_value_table}, slope{detail::gelu_slope_table};

  COLDZOOM_INLINE value_slope<float, 16> operator()(const vec<float, 16>& z) const {
    const __m512 size = _mm512_abs_ps(z);
    const vec<float, 16> below = slope.at(size);
    return {_mm512_add_ps(_mm512_maskz_max_ps(0xffff, _mm512_setzero_ps(), z), value.at(size)),
            z < 0 ? below : 1 - below};
  }
};
#endif

/// z * s(z) with s(z) = 1 / (1 + exp(-z)), and its slope s + z * s * (1 - s), for every finite z. Largest
/// absolute error: 9.6e-7 of the value (float; at |z| = 17, half a unit in the last place), 1.1e-7 of the
/// slope; 3.6e-15 (double).
struct vector_silu {
  template <class T, index_t L> struct on {
    COLDZOOM_INLINE value_slope<T, L> operator()(const vec<T, L>& z) const {
      constexpr T tail_end = -detail::math_constants<T>::smallest_exponent;
      const vec<T, L> size = detail::magnitude<T, L>(z);
      const vec<T, L> t = size > tail_end ? broadcast<L>(tail_end) : size;
      const vec<T, L> e = exp_of_negative<T, L>(-t);
      const vec<T, L> tail = e / (1 + e);                      // s(-|z|)
      const vec<T, L> below = tail - t * (tail * (1 - tail));  // the slope at -|z|; that at |z| is 1 - below
      return {(z < 0 ? vec<T, L>{} : z) - t * tail, z < 0 ? below : 1 - below};
    }
  };
};

/// No activation.
struct vector_identity {
  template <class T, index_t L> struct on {
    COLDZOOM_INLINE value_slope<T, L> operator()(const vec<T, L>& z) const { return {z, broadcast<L>(T(1))}; }
  };
};

}  // namespace coldzoom::inline COLDZOOM_ISA
