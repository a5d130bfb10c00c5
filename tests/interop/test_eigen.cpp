#define BOOST_TEST_MODULE eigen
#include <boost/test/unit_test.hpp>
#include <coldzoom/interop/eigen.hpp>
#include <numeric>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;
using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using column_major = Eigen::MatrixXf;

namespace {

std::vector<float> counted(std::size_t count) {
  std::vector<float> v(count);
  std::iota(v.begin(), v.end(), 0.0f);
  return v;
}

template <class M> void check_image(M& matrix) {
  const auto image = cz::as_image_view(matrix);
  BOOST_TEST_REQUIRE((image.c == 1 && image.h == matrix.rows() && image.w == matrix.cols()));
  for (index_t y = 0; y < image.h; ++y) {
    for (index_t x = 0; x < image.w; ++x) BOOST_TEST(&image(0, y, x) == &matrix.coeffRef(y, x));
  }
}

template <class M> void check_batch(M& matrix, cz::shape image) {
  const auto batch = cz::as_tensor_view(matrix, image);
  BOOST_TEST_REQUIRE((batch.dims == image.with_n(matrix.rows())));
  for (index_t n = 0; n < batch.dims.n; ++n) {
    index_t column = 0;
    for (index_t c = 0; c < image.c; ++c) {
      for (index_t y = 0; y < image.h; ++y) {
        for (index_t x = 0; x < image.w; ++x) BOOST_TEST(&batch(n, c, y, x) == &matrix.coeffRef(n, column++));
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_channel_as_a_matrix) {
  std::vector<float> data = counted(2 * 4 * 5);
  const cz::tensor_view<float> batch(data.data(), {1, 2, 4, 5});
  auto matrix = cz::as_eigen(batch.image(0), 1);
  BOOST_TEST(matrix.data() == data.data() + 20);
  BOOST_TEST((matrix.rows() == 4 && matrix.cols() == 5));
  BOOST_TEST(&matrix(2, 3) == &batch(0, 1, 2, 3));
  matrix.setConstant(-1);
  BOOST_TEST(data[19] == 19);
  BOOST_TEST(data[20] == -1);

  // Channels last, and a window of it.
  const cz::image_view<const float> last{data.data(), 2, 4, 5, 1, 10, 2};
  const auto window = cz::as_eigen(last.window(1, 2, 2, 3), 1);
  BOOST_TEST(&window.coeffRef(1, 2) == &last(1, 2, 4));
  static_assert(!std::is_assignable_v<decltype(window(0, 0)), float>);

  BOOST_CHECK_EXCEPTION(cz::as_eigen(last, 2), cz::error, [](const cz::error& e) {
    return std::string(e.what()) == "as_eigen: the channel is 2; it must be 0 to 1";
  });
  BOOST_CHECK_THROW(cz::as_eigen(last, -1), cz::error);
  const cz::image_view<float> bottom_up{data.data() + 15, 1, 4, 5, 20, -5, 1};
  BOOST_CHECK_THROW(cz::as_eigen(bottom_up, 0), cz::error);
}

BOOST_AUTO_TEST_CASE(a_batch_as_a_matrix) {
  std::vector<float> data = counted(3 * 2 * 4 * 5);
  const cz::tensor_view<float> dense(data.data(), {3, 2, 4, 5});
  auto matrix = cz::as_eigen(dense);
  BOOST_TEST((matrix.rows() == 3 && matrix.cols() == 40));
  BOOST_TEST(&matrix(1, 27) == &dense(1, 1, 1, 2));
  const Eigen::RowVectorXf mean = matrix.colwise().mean();
  BOOST_TEST(mean(5) == 45);
  matrix.row(2).setZero();
  BOOST_TEST(dense(2, 1, 3, 4) == 0);
  BOOST_TEST(dense(1, 1, 3, 4) == 79);

  // Every other image, every other element of a wider store: still equal distances within an image.
  const cz::tensor_view<const float> sparse(data.data(), {2, 1, 4, 5}, 80, 40, 10, 2);
  const auto wide = cz::as_eigen(sparse);
  BOOST_TEST(&wide.coeffRef(1, 7) == &sparse(1, 0, 1, 2));
  // Of one image row, the other strides do not matter.
  BOOST_TEST(cz::as_eigen(cz::tensor_view<float>(data.data(), {2, 1, 1, 5}, 5, 99, 99, 1)).cols() == 5);

  const cz::tensor_view<float> window(data.data(), {3, 2, 3, 3}, 40, 20, 5, 1);
  BOOST_CHECK_EXCEPTION(cz::as_eigen(window), cz::error, [](const cz::error& e) {
    return std::string(e.what()).find("equal distances") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(matrices_as_images) {
  row_major rows = row_major::Zero(4, 5);
  column_major columns = column_major::Zero(4, 5);
  check_image(rows);
  check_image(columns);
  auto block = columns.block(1, 2, 3, 2);
  check_image(block);
  cz::as_image_view(block)(0, 0, 1) = 8;
  BOOST_TEST(columns(1, 3) == 8);

  const column_major& constant = columns;
  static_assert(std::is_same_v<decltype(cz::as_image_view(constant)), cz::image_view<const float>>);
  BOOST_TEST(&cz::as_image_view(constant)(0, 3, 4) == &constant(3, 4));
}

BOOST_AUTO_TEST_CASE(matrices_as_batches) {
  row_major rows = row_major::Zero(3, 24);
  column_major columns = column_major::Zero(3, 24);
  const cz::shape image{0, 2, 3, 4};
  check_batch(rows, image);
  check_batch(columns, image);
  BOOST_TEST(cz::as_tensor_view(rows, image).contiguous());
  auto block = rows.bottomRows(2);
  check_batch(block, image);
  Eigen::Map<row_major> map(rows.data(), 3, 24);
  check_batch(map, image);

  BOOST_CHECK_EXCEPTION(cz::as_tensor_view(rows, cz::shape{1, 1, 5, 5}), cz::error, [](const cz::error& e) {
    return std::string(e.what()) ==
           "as_tensor_view: the matrix has 24 columns; an image of 1 x 1 x 5 x 5 needs 25";
  });
}

BOOST_AUTO_TEST_CASE(there_and_back) {
  std::vector<float> data(2 * 3 * 4 * 5);
  const cz::tensor_view<float> dense(data.data(), {2, 3, 4, 5});
  auto matrix = cz::as_eigen(dense);
  const cz::tensor_view<float> back = cz::as_tensor_view(matrix, dense.dims);
  BOOST_TEST(back.data == dense.data);
  BOOST_TEST((back.dims == dense.dims));
  BOOST_TEST(back.contiguous());
}
