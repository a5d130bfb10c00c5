/// Matrix products by cuBLASLt. For units that nvcc compiles.
#pragma once

#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <coldzoom/backend/cuda/cuda_device.cuh>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// What products of floats are made of: floats, or tensor cores that round the factors to 10 bits (TF32) and
/// add in float. Doubles are doubles.
enum class cuda_precision { float32, tf32 };

namespace detail {

inline void check_cublas(cublasStatus_t status, const char* call) {
  require(status == CUBLAS_STATUS_SUCCESS, "cuda_backend",
          [&] { return std::string(call) + " failed: " + cublasLtGetStatusString(status); });
}

/// Row-major products of one device. The algorithm is chosen once for each shape but the number of rows, by
/// cuBLASLt's rules (not by the clock), without sums split over blocks: so a product has the same bits in
/// every run, and a row the same bits however many there are.
template <class Real> class cuda_products {
 public:
  cuda_products(std::shared_ptr<cuda_device> device, cuda_precision precision)
      : device_(std::move(device)),
        precision_(precision) {}
  cuda_products(const cuda_products&) = delete;
  cuda_products& operator=(const cuda_products&) = delete;
  ~cuda_products() {
    if (handle_) cublasLtDestroy(handle_);
  }

  cuda_precision precision() const { return precision_; }

  /// C = op(A) B, plus C where `accumulate`, all sizes positive. False where cuBLASLt has no algorithm.
  bool operator()(bool transpose_a, index_t m, index_t n, index_t k, const Real* a, index_t lda,
                  const Real* b, index_t ldb, Real* c, index_t ldc, bool accumulate) {
    const cudaStream_t stream = device_->stream();
    if (!handle_) {  // made last: either may throw, and is tried again at the next product
      scratch_ = cuda_buffer<char>(device_, index_t{most_scratch});  // once: captured work keeps its address
      check_cublas(cublasLtCreate(&handle_), "cublasLtCreate");
    }
    const bool aligned = ((address(a) | address(b) | address(c)) & 15) == 0;
    const plan& chosen = plan_for({transpose_a, aligned, n, k, lda, ldb, ldc});
    if (!chosen.algorithm) return false;
    layouts of(transpose_a, m, n, k, lda, ldb, ldc);
    auto operation = describe(transpose_a);
    const Real one = 1, keep = accumulate ? 1 : 0;
    check_cublas(cublasLtMatmul(handle_, &operation, &one, b, &of.b, a, &of.a, &keep, c, &of.c, c, &of.c,
                                &*chosen.algorithm, scratch_.data(), most_scratch, stream),
                 "cublasLtMatmul");
    return true;
  }

 private:
  static constexpr bool single = std::is_same_v<Real, float>;
  static constexpr cudaDataType_t type = single ? CUDA_R_32F : CUDA_R_64F;
  static constexpr index_t planned_rows = 128, many_rows = 4096;  // a usual batch, and a large one
  static constexpr std::size_t most_scratch = std::size_t{4} << 20;

  /// Whether A is transposed, all pointers aligned to 16 bytes; n, k, lda, ldb, ldc.
  using key = std::tuple<bool, bool, index_t, index_t, index_t, index_t, index_t>;
  struct plan {
    std::optional<cublasLtMatmulAlgo_t> algorithm;
  };

  /// cuBLASLt counts columns first: what is stored is the transposed product, C^T = B^T op(A)^T.
  struct layouts {
    cublasLtMatrixLayoutOpaque_t a, b, c;
    layouts(bool transpose_a, index_t m, index_t n, index_t k, index_t lda, index_t ldb, index_t ldc) {
      init(a, transpose_a ? m : k, transpose_a ? k : m, lda);
      init(b, n, k, ldb);
      init(c, n, m, ldc);
    }
    static void init(cublasLtMatrixLayoutOpaque_t& layout, index_t rows, index_t cols, index_t leading) {
      check_cublas(cublasLtMatrixLayoutInit(&layout, type, static_cast<std::uint64_t>(rows),
                                            static_cast<std::uint64_t>(cols), leading),
                   "cublasLtMatrixLayoutInit");
    }
  };

  static std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

  cublasLtMatmulDescOpaque_t describe(bool transpose_a) const {
    const cublasComputeType_t compute = !single                              ? CUBLAS_COMPUTE_64F
                                        : precision_ == cuda_precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                             : CUBLAS_COMPUTE_32F;
    cublasLtMatmulDescOpaque_t operation;
    check_cublas(cublasLtMatmulDescInit(&operation, compute, type), "cublasLtMatmulDescInit");
    // The second factor is op(A)^T, whose columns A's rows already are.
    const cublasOperation_t second = transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    check_cublas(
        cublasLtMatmulDescSetAttribute(&operation, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof(second)),
        "cublasLtMatmulDescSetAttribute");
    return operation;
  }

  const plan& plan_for(const key& k) {
    const auto known = plans_.find(k);
    return known != plans_.end() ? known->second : plans_.emplace(k, make_plan(k)).first->second;
  }

  plan make_plan(const key& wanted) {
    const auto& [transpose_a, aligned, n, k, lda, ldb, ldc] = wanted;
    const auto layouts_for = [&](index_t rows) {
      // A transposed A has its rows in the leading dimension.
      return layouts(transpose_a, transpose_a ? std::min(rows, lda) : rows, n, k, lda, ldb, ldc);
    };
    auto operation = describe(transpose_a);
    cublasLtMatmulPreferenceOpaque_t preference;
    check_cublas(cublasLtMatmulPreferenceInit(&preference), "cublasLtMatmulPreferenceInit");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
      check_cublas(cublasLtMatmulPreferenceSetAttribute(&preference, what, &value, sizeof(value)),
                   "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(most_scratch));
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE));
    const auto alignment = static_cast<std::uint32_t>(aligned ? 16 : sizeof(Real));
    for (const auto what :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      prefer(what, alignment);
    }
    layouts of = layouts_for(planned_rows);
    std::array<cublasLtMatmulHeuristicResult_t, 8> found;
    int count = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle_, &operation, &of.b, &of.a, &of.c, &of.c, &preference,
                                       static_cast<int>(found.size()), found.data(), &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    check_cublas(status, "cublasLtMatmulAlgoGetHeuristic");
    // The one for a usual batch serves all others too.
    const auto serves = [&](const cublasLtMatmulAlgo_t& algorithm, index_t rows) {
      layouts sized = layouts_for(rows);
      cublasLtMatmulHeuristicResult_t needs;
      return cublasLtMatmulAlgoCheck(handle_, &operation, &sized.b, &sized.a, &sized.c, &sized.c, &algorithm,
                                     &needs) == CUBLAS_STATUS_SUCCESS &&
             needs.workspaceSize <= most_scratch;
    };
    const auto first = std::find_if(found.begin(), found.begin() + count, [&](const auto& f) {
      return f.state == CUBLAS_STATUS_SUCCESS && serves(f.algo, 1) && serves(f.algo, planned_rows) &&
             serves(f.algo, many_rows);
    });
    return first == found.begin() + count ? plan{} : plan{first->algo};
  }

  std::shared_ptr<cuda_device> device_;
  cuda_precision precision_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<key, plan> plans_;
  cuda_buffer<char> scratch_;
};

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
