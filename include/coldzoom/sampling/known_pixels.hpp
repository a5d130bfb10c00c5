/// Restoring images of which some pixels are known.
#pragma once

#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/prediction/model_concept.hpp>
#include <coldzoom/schedule/schedule.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: element.
template <class P, class Amplitudes> struct answer_with_known {
  Amplitudes amplitude;
  index_t image;
  const float* known;
  const float* mask;
  const float* z;
  float* y;

  COLDZOOM_HD void operator()(index_t i) const {
    if (mask[i] == 0) return;
    const double x0 = static_cast<double>(known[i]);
    const amplitudes a = amplitude(i % image);
    if constexpr (P::needs_amplitudes) {
      // Without noise z shows the pixel itself, and the noise is nothing that could be known.
      if (a.noise > 0)
        y[i] = static_cast<float>(P::target(x0, (static_cast<double>(z[i]) - a.signal * x0) / a.noise, a));
    } else {
      y[i] = static_cast<float>(x0);
    }
  }
};

}  // namespace detail

/// A `Model` that asks `M` and, where a pixel is known, answers as a network that knows it would. Its x0_hat is so
/// mask x0 + (1 - mask) x0_hat in each step of any sampler: the projection of Wang, Yu and Zhang 2022,
/// "Zero-shot image restoration using denoising diffusion null-space model", section 3.2, for a mask. (Lugmayr et al.
/// 2022, "RePaint", put the known pixels into the noisy states instead.) The missing pixels follow, for they are
/// asked for beside the known ones in the states to come.
///
/// The start z = D(x, T) must not depend on the missing pixels: take noise, or a T at which D has lost them all.
///
/// known and mask: dense, of the shape of the samples and in the backend's memory; mask is 1 where a pixel is known, 0
/// where it is missing. They, the model, the degradation and the schedule must live as long.
template <Backend B, class M, class D, class S> class known_pixels {
  using space = typename B::space;

 public:
  using prediction = typename M::prediction;
  using images = tensor_view<const float, space>;

  known_pixels(B& b, M& model, const D& degradation, const S& schedule, images known, images mask)
      : b_(&b),
        model_(&model),
        degradation_(&degradation),
        schedule_(&schedule),
        known_(known),
        mask_(mask) {
    require(known.dims == mask.dims && known.contiguous() && mask.contiguous(), "known_pixels", [&] {
      return "found pixels of " + to_string(known.dims) + " and a mask of " + to_string(mask.dims) +
             ", wanted dense images of one shape";
    });
  }
  // Temporaries would be gone before the first answer.
  known_pixels(B&, M&, const D&&, const S&, images, images) = delete;
  known_pixels(B&, M&, const D&, const S&&, images, images) = delete;

  void operator()(images x_t, const sampling_step& step, tensor_view<float, space> y) {
    require(x_t.dims == known_.dims, "known_pixels", [&] {
      return "found images of " + to_string(x_t.dims) + ", wanted those of the known pixels, " +
             to_string(known_.dims);
    });
    (*model_)(x_t, step, y);
    const shape image = x_t.dims.with_n(1);
    const auto amplitude = detail::amplitudes_at(*degradation_, *schedule_, step.t, image);
    using kernel = detail::answer_with_known<prediction, std::remove_const_t<decltype(amplitude)>>;
    b_->for_each_index(x_t.dims.size(),
                       kernel{amplitude, image.image(), known_.data, mask_.data, x_t.data, y.data}, 10);
  }

 private:
  B* b_;
  M* model_;
  const D* degradation_;
  const S* schedule_;
  images known_, mask_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
