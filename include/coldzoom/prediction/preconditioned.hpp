/// The preconditioning of EDM (Karras, Aittala, Aila, Laine 2022, "Elucidating the design space of
/// diffusion-based generative models", table 1).
#pragma once

#include <cmath>
#include <coldzoom/prediction/prediction.hpp>
#include <ratio>

namespace coldzoom::inline COLDZOOM_ISA {

/// y of x0 = c_skip z + c_out y: with q^2 = signal^2 sigma_data^2 + noise^2,
///
///   c_skip = signal sigma_data^2 / q^2,  c_out = noise sigma_data / q.
///
/// Where signal = 1, as with exploding_noise, these are the numbers of the paper. `SigmaData` is the
/// deviation of the data, a std::ratio. Data of mean 0 and that deviation make targets of deviation 1 at
/// every level, and errors of y as small as can be in x0. The network's input is scaled_input, which has
/// deviation 1 too. With sigma_data = 1 and signal^2 + noise^2 = 1, y is -velocity. The conversions hold for
/// any amplitudes but 0 and 0.
template <class SigmaData = std::ratio<1, 2>> struct predict_preconditioned {
  static constexpr const char* name = "preconditioned";
  static constexpr bool needs_amplitudes = true;
  static constexpr double sigma_data = static_cast<double>(SigmaData::num) / SigmaData::den;

  COLDZOOM_HD static double target(double x0, double e, amplitudes a) {
    return (a.noise / sigma_data * x0 - a.signal * sigma_data * e) / deviation(a);
  }
  COLDZOOM_HD static double x0(double z, double y, amplitudes a) {
    const double q = deviation(a), share = sigma_data / q;
    return share * (share * a.signal * z + a.noise * y);
  }
  COLDZOOM_HD static double noise(double z, double y, amplitudes a) {
    const double q = deviation(a);
    return (a.noise / q * z - a.signal * sigma_data * y) / q;
  }

 private:
  COLDZOOM_HD static double deviation(amplitudes a) {
    return std::sqrt(a.signal * a.signal * sigma_data * sigma_data + a.noise * a.noise);
  }
};

static_assert(Prediction<predict_preconditioned<>>);

}  // namespace coldzoom::inline COLDZOOM_ISA
