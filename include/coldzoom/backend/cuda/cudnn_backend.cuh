/// The CUDA backend with the convolutions of cuDNN 9. For units that nvcc compiles.
#pragma once

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/cuda/cuda_backend.cuh>
#include <coldzoom/backend/device/block.hpp>
#include <coldzoom/backend/device/reduction.hpp>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

inline void check_cudnn(cudnnStatus_t status, const char* call) {
  require(status == CUDNN_STATUS_SUCCESS, "cudnn_backend",
          [&] { return std::string(call) + " failed: " + cudnnGetErrorString(status); });
}

/// A handle or descriptor of cuDNN, made and destroyed by `create` and `destroy`.
template <class T, auto create, auto destroy> class cudnn_object {
 public:
  cudnn_object() { check_cudnn(create(&object_), "creating a descriptor of cuDNN"); }
  cudnn_object(cudnn_object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  cudnn_object& operator=(cudnn_object&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~cudnn_object() {
    if (object_) destroy(object_);
  }
  T get() const { return object_; }

 private:
  T object_ = nullptr;
};

/// y[n][c][pixel] += bias[c], dense. Index: element of y, of which cuDNN takes 2^31 at most.
template <class Real> struct add_bias {
  const Real* bias;
  index_t channels, pixels;
  Real* y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t plane = device::quotient(i, pixels);
    y[i] += bias[plane - device::quotient(plane, channels) * channels];
  }
};

/// cuDNN on one stream, and the memory that its algorithms borrow.
template <class Real> class cudnn_library {
 public:
  explicit cudnn_library(const cuda_backend<Real>& b) : b_(b) {
    const cudaStream_t stream = b_.stream();  // and with it the device, which the handle takes
    handle_.emplace();
    check_cudnn(cudnnSetStream(handle_->get(), stream), "cudnnSetStream");
    scratch_.emplace_back();
  }

  /// With its device made the calling thread's, as every call wants it.
  cudnnHandle_t handle() const {
    b_.stream();
    return handle_->get();
  }
  void reserve(std::size_t bytes) {
    if (bytes > scratch_bytes()) scratch_.push_back(b_.template allocate<char>(static_cast<index_t>(bytes)));
  }
  void* scratch() { return scratch_.back().data(); }
  std::size_t scratch_bytes() const { return static_cast<std::size_t>(scratch_.back().size()); }

 private:
  cuda_backend<Real> b_;
  std::optional<cudnn_object<cudnnHandle_t, cudnnCreate, cudnnDestroy>> handle_;
  std::vector<cuda_buffer<char>> scratch_;  // the last is in use; captured work keeps the addresses of others
};

}  // namespace detail

/// One convolution layer by cuDNN, a ConvolutionOperation of backend/operations.hpp. Of the algorithms that
/// give the same bits in every run it takes the one that cuDNN's rules (not the clock) put first for
/// `capacity` images, for any number of images. The bits of an image may depend on the number of images all
/// the same.
template <class Real> class cudnn_convolution {
 public:
  /// Throws `error` where cuDNN has no such algorithm.
  cudnn_convolution(cuda_backend<Real>& b, std::shared_ptr<detail::cudnn_library<Real>> library,
                    const convolution_geometry& g, index_t capacity, bool train)
      : g_(g),
        train_(train),
        library_(std::move(library)),
        bias_parts_(b.template allocate<Real>(train ? capacity * g.out_channels : 0)) {
    const auto narrow = [](index_t value) { return static_cast<int>(value); };
    detail::check_cudnn(
        cudnnSetFilter4dDescriptor(weights_form_.get(), type, CUDNN_TENSOR_NCHW, narrow(g.out_channels),
                                   narrow(g.in_channels), narrow(g.kernel_h), narrow(g.kernel_w)),
        "cudnnSetFilter4dDescriptor");
    describe(capacity);
    for_each_pass([&](auto& pass, auto... operands) {
      detail::check_cudnn(cudnnSetConvolution2dDescriptor(pass.form.get(), narrow(g.pad_h), narrow(g.pad_w),
                                                          narrow(g.stride_h), narrow(g.stride_w), 1, 1,
                                                          CUDNN_CROSS_CORRELATION, type),
                          "cudnnSetConvolution2dDescriptor");
      choose(pass, b.precision() == cuda_precision::tf32, operands...);
    });
    set_images(capacity);
  }

  /// Both stay where they are until the next call.
  template <class B> void pack_weights(B&, const Real* weights, const Real* bias) {
    weights_ = weights;
    bias_ = bias;
  }

  /// y = convolution(x) + bias, both dense.
  template <class B> void forward(B& b, index_t images, const Real* x, Real* y) {
    set_images(images);
    const Real one = 1, zero = 0;
    detail::check_cudnn(
        cudnnConvolutionForward(library_->handle(), &one, x_form_.get(), x, weights_form_.get(), weights_,
                                forward_.form.get(), forward_.algorithm, library_->scratch(),
                                library_->scratch_bytes(), &zero, y_form_.get(), y),
        "cudnnConvolutionForward");
    const index_t pixels = g_.out_h() * g_.out_w();
    b.for_each_index(images * g_.out_channels * pixels,
                     detail::add_bias<Real>{bias_, g_.out_channels, pixels, y});
  }

  /// dx unless null; adds to dw and db.
  template <class B>
  void backward(B& b, index_t images, const Real* x, const Real* dy, Real* dx, Real* dw, Real* db) {
    set_images(images);
    const Real one = 1, zero = 0;
    if (dx) {
      detail::check_cudnn(
          cudnnConvolutionBackwardData(library_->handle(), &one, weights_form_.get(), weights_, y_form_.get(),
                                       dy, data_.form.get(), data_.algorithm, library_->scratch(),
                                       library_->scratch_bytes(), &zero, x_form_.get(), dx),
          "cudnnConvolutionBackwardData");
    }
    detail::check_cudnn(
        cudnnConvolutionBackwardFilter(library_->handle(), &one, x_form_.get(), x, y_form_.get(), dy,
                                       filter_.form.get(), filter_.algorithm, library_->scratch(),
                                       library_->scratch_bytes(), &one, weights_form_.get(), dw),
        "cudnnConvolutionBackwardFilter");
    device::sum_rows(b, images * g_.out_channels, g_.out_h() * g_.out_w(), dy, bias_parts_.data());
    device::add_in_order(b, images, g_.out_channels, bias_parts_.data(), db);
  }
  template <class B> void reduce_gradients(B&, Real*, Real*) const {}

 private:
  using tensor_form = detail::cudnn_object<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor,
                                           cudnnDestroyTensorDescriptor>;
  using filter_form = detail::cudnn_object<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor,
                                           cudnnDestroyFilterDescriptor>;
  using convolution_form =
      detail::cudnn_object<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
                           cudnnDestroyConvolutionDescriptor>;

  static constexpr cudnnDataType_t type = std::is_same_v<Real, float> ? CUDNN_DATA_FLOAT : CUDNN_DATA_DOUBLE;

  /// How a pass runs. An algorithm comes with a math type, which stands in the descriptor of the convolution:
  /// so each pass has its own.
  template <class Perf, auto find, auto ask_scratch> struct planned_pass {
    convolution_form form;
    decltype(Perf::algo) algorithm{};
  };

  /// call(pass, operands in cuDNN's order) for each pass that the layer has.
  template <class Call> void for_each_pass(const Call& call) {
    call(forward_, x_form_.get(), weights_form_.get(), y_form_.get());
    if (!train_) return;
    call(data_, weights_form_.get(), y_form_.get(), x_form_.get());
    call(filter_, x_form_.get(), y_form_.get(), weights_form_.get());
  }

  /// Describes them to cuDNN and reserves what the passes want for so many, which is not always less for
  /// fewer.
  void set_images(index_t images) {
    if (images == images_) return;
    images_ = 0;  // where this throws, the next call says it all again
    describe(images);
    for_each_pass([&](const auto& pass, auto... operands) { reserve(pass, operands...); });
    images_ = images;
  }

  void describe(index_t images) {
    const auto set = [&](const tensor_form& form, index_t c, index_t h, index_t w) {
      detail::check_cudnn(
          cudnnSetTensor4dDescriptor(form.get(), CUDNN_TENSOR_NCHW, type, static_cast<int>(images),
                                     static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)),
          "cudnnSetTensor4dDescriptor");
    };
    set(x_form_, g_.in_channels, g_.in_h, g_.in_w);
    set(y_form_, g_.out_channels, g_.out_h(), g_.out_w());
  }

  static void set_math(const convolution_form& form, cudnnMathType_t math) {
    detail::check_cudnn(cudnnSetConvolutionMathType(form.get(), math), "cudnnSetConvolutionMathType");
  }

  /// The first algorithm of cuDNN's list that repeats its bits.
  template <class Perf, auto find, auto ask_scratch>
  void choose(planned_pass<Perf, find, ask_scratch>& pass, bool tf32, auto first, auto second, auto third) {
    constexpr std::size_t most_scratch = std::size_t{1} << 30;
    set_math(pass.form, tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);  // the default rounds floats to TF32
    std::array<Perf, 16> found;
    int count = 0;
    detail::check_cudnn(find(library_->handle(), first, second, pass.form.get(), third,
                             static_cast<int>(found.size()), &count, found.data()),
                        "asking cuDNN for algorithms");
    const auto chosen = std::find_if(found.begin(), found.begin() + count, [](const Perf& f) {
      return f.status == CUDNN_STATUS_SUCCESS && f.determinism == CUDNN_DETERMINISTIC &&
             f.memory <= most_scratch;
    });
    require(chosen != found.begin() + count, "cudnn_backend", [&] {
      return "cuDNN has no algorithm that repeats its bits for a convolution of " +
             std::to_string(g_.in_channels) + " to " + std::to_string(g_.out_channels) +
             " channels, kernel " + std::to_string(g_.kernel_h) + " x " + std::to_string(g_.kernel_w) +
             "; use cuda_backend";
    });
    pass.algorithm = chosen->algo;
    if (tf32) set_math(pass.form, chosen->mathType);
  }

  template <class Perf, auto find, auto ask_scratch>
  void reserve(const planned_pass<Perf, find, ask_scratch>& pass, auto first, auto second, auto third) {
    std::size_t bytes = 0;
    detail::check_cudnn(
        ask_scratch(library_->handle(), first, second, pass.form.get(), third, pass.algorithm, &bytes),
        "asking cuDNN for the size of its scratch memory");
    library_->reserve(bytes);
  }

  convolution_geometry g_;
  bool train_;
  std::shared_ptr<detail::cudnn_library<Real>> library_;
  index_t images_ = 0;  // that x_form_ and y_form_ describe
  tensor_form x_form_, y_form_;
  filter_form weights_form_;
  planned_pass<cudnnConvolutionFwdAlgoPerf_t, cudnnGetConvolutionForwardAlgorithm_v7,
               cudnnGetConvolutionForwardWorkspaceSize>
      forward_;
  planned_pass<cudnnConvolutionBwdDataAlgoPerf_t, cudnnGetConvolutionBackwardDataAlgorithm_v7,
               cudnnGetConvolutionBackwardDataWorkspaceSize>
      data_;
  planned_pass<cudnnConvolutionBwdFilterAlgoPerf_t, cudnnGetConvolutionBackwardFilterAlgorithm_v7,
               cudnnGetConvolutionBackwardFilterWorkspaceSize>
      filter_;
  const Real* weights_ = nullptr;
  const Real* bias_ = nullptr;
  cuda_buffer<Real> bias_parts_;
};

/// cuda_backend with cuDNN's convolutions in place of its own. Link coldzoom::cudnn.
template <std::floating_point Real = float> class cudnn_backend : public cuda_backend<Real> {
 public:
  using convolution = cudnn_convolution<Real>;

  explicit cudnn_backend(int device = 0, cuda_precision precision = cuda_precision::float32)
      : cuda_backend<Real>(device, precision),
        library_(std::make_shared<detail::cudnn_library<Real>>(*this)) {}

  convolution make_convolution(const convolution_geometry& g, index_t capacity, bool train) {
    return {*this, library_, g, capacity, train};
  }

 private:
  std::shared_ptr<detail::cudnn_library<Real>> library_;
};

static_assert(BlockBackend<cudnn_backend<float>> && BlockBackend<cudnn_backend<double>>);

}  // namespace coldzoom::inline COLDZOOM_ISA
