// What can be checked of the CUDA backend without a device: its kernels, run by a loop, and its errors.
#define BOOST_TEST_MODULE cuda_host
#include <coldzoom/backend/cuda/cuda_backend.cuh>
// The backend first, to see that it includes what it needs.
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/testing/transfer.hpp>
#if __has_include(<cudnn.h>)
#  include <coldzoom/backend/cuda/cudnn_backend.cuh>
#endif

#include "common/backend_table.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

static_assert(cz::BlockBackend<cz::cuda_backend<float>> && cz::BlockBackend<cz::cuda_backend<double>>);
static_assert(!std::is_copy_constructible_v<cz::cuda_buffer<float>>);
static_assert(std::is_nothrow_move_constructible_v<cz::cuda_buffer<float>>);
static_assert(!std::is_same_v<cz::tensor<cz::cuda_backend<float>>, cz::tensor<cz::cpu_backend<float>>>);

namespace {

int devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}
boost::test_tools::assertion_result without_device(boost::unit_test::test_unit_id) { return devices() == 0; }

}  // namespace

BOOST_AUTO_TEST_CASE(docs_say_what_the_device_s_backends_do) {
  backend_table::check<cz::cuda_backend<float>>("cuda_backend");
#if __has_include(<cudnn.h>)
  backend_table::check<cz::cudnn_backend<float>>("cudnn_backend");
#endif
}

BOOST_AUTO_TEST_CASE(matrix_product_is_that_of_the_reference) {
  cz::reference_backend<float> b;
  const index_t m = 5, n = 7, k = 9, lda = 11, ldb = 8, ldc = 10;
  const std::vector<float> left = cz::testing::random_values(k * lda, 1, -1, 1),
                           right = cz::testing::random_values(k * ldb, 2, -1, 1),
                           before = cz::testing::random_values(m * ldc, 3, -1, 1);
  for (const bool transpose : {false, true}) {
    for (const bool accumulate : {false, true}) {
      std::vector<float> wanted = before, found = before;
      b.gemm(transpose, m, n, k, left.data(), lda, right.data(), ldb, wanted.data(), ldc, accumulate);
      b.for_each_index(m * n,
                       cz::detail::matrix_product<float>{transpose, n, k, left.data(), lda, right.data(), ldb,
                                                         found.data(), ldc, accumulate});
      BOOST_TEST(found == wanted, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(buffers_without_memory) {
  cz::cuda_buffer<float> empty;
  cz::cuda_buffer<float> moved(std::move(empty));
  empty = std::move(moved);
  BOOST_TEST(empty.size() == 0);
  BOOST_TEST(!empty.data());
  BOOST_TEST(!cz::cuda_graph());
  cz::cuda_sum none, other(std::move(none));
  none = std::move(other);
}

BOOST_AUTO_TEST_CASE(errors_say_what_to_do) {
  const auto check = [](cudaError_t status, const std::string& advice) {
    const std::string message = message_of([&] { cz::detail::check_cuda(status, "cudaCall"); });
    BOOST_TEST(message.starts_with("cuda_backend: cudaCall failed: "), message);
    BOOST_TEST(message.find(cudaGetErrorName(status)) != std::string::npos, message);
    BOOST_TEST(message.find(advice) != std::string::npos, message);
  };
  check(cudaErrorNoDevice, "check with nvidia-smi");
  check(cudaErrorInsufficientDriver, "update it");
  check(cudaErrorNoKernelImageForDevice, "CMAKE_CUDA_ARCHITECTURES=native");
  check(cudaErrorMemoryAllocation, "take a smaller batch");
  check(cudaErrorNotSupported, "memory pools");
  check(cudaErrorLaunchFailure, "");
  BOOST_TEST(message_of([] { cz::detail::check_cuda(cudaSuccess, "cudaCall"); }) == "no error");
}

BOOST_AUTO_TEST_CASE(missing_device, *boost::unit_test::precondition(without_device)) {
  const std::string message = message_of([] { cz::cuda_backend<float> b; });
  BOOST_TEST(message.find("no CUDA device was found") != std::string::npos, message);
}
