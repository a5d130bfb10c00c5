#define BOOST_TEST_MODULE xtensor
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/interop/xtensor.hpp>
#include <vector>

#if __has_include(<xtensor/xview.hpp>)
#  include <xtensor/xarray.hpp>
#  include <xtensor/xview.hpp>
#else
#  include <xtensor/containers/xarray.hpp>
#  include <xtensor/views/xview.hpp>
#endif

namespace cz = coldzoom;
using cz::index_t;

namespace {

/// 0, 1, 2, ... in row-major order.
xt::xtensor<float, 4> counted(std::array<std::size_t, 4> extents) {
  xt::xtensor<float, 4> a(extents);
  for (std::size_t i = 0; i < a.size(); ++i) a.data()[i] = static_cast<float>(i);
  return a;
}

/// Each element of the view is the very object that the array's own indexing names.
template <class View, class Array> void check_same_elements(const View& view, Array& a) {
  const auto [n, c, h, w] = view.dims;
  BOOST_TEST_REQUIRE(
      (static_cast<std::size_t>(n) == a.shape()[0] && static_cast<std::size_t>(c) == a.shape()[1] &&
       static_cast<std::size_t>(h) == a.shape()[2] && static_cast<std::size_t>(w) == a.shape()[3]));
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < c; ++j) {
      for (index_t y = 0; y < h; ++y) {
        for (index_t x = 0; x < w; ++x) BOOST_TEST(&view(i, j, y, x) == &a(i, j, y, x));
      }
    }
  }
}

/// A degradation written as an xtensor expression.
struct negative {
  template <class B>
  void apply(B&, cz::const_image_tensor<B> x0, cz::const_levels<B> level, cz::image_tensor<B> out) const {
    for (index_t n = 0; n < x0.dims.n; ++n) {
      const auto image = cz::as_xtensor(x0.images(n, 1));
      cz::as_xtensor(out.images(n, 1)) = image * (1 - 2 * level[n]);
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(dense_arrays) {
  xt::xtensor<float, 4> a = counted({2, 3, 4, 5});
  const cz::tensor_view<float> view = cz::as_tensor_view(a);
  BOOST_TEST(view.data == a.data());
  BOOST_TEST(view.contiguous());
  check_same_elements(view, a);
  view(1, 2, 0, 1) = -1;
  BOOST_TEST(a(1, 2, 0, 1) == -1);

  const xt::xtensor<float, 4>& constant = a;
  static_assert(std::is_same_v<decltype(cz::as_tensor_view(constant)), cz::tensor_view<const float>>);
  check_same_elements(cz::as_tensor_view(constant), constant);

  xt::xarray<double> any = xt::xarray<double>::from_shape({2, 1, 2, 2});
  static_assert(std::is_same_v<decltype(cz::as_tensor_view(any)), cz::tensor_view<double>>);
  check_same_elements(cz::as_tensor_view(any), any);
}

BOOST_AUTO_TEST_CASE(axes_of_extent_one_are_dense) {
  // xtensor's strides are 0 there; a dense array must still be seen to be one.
  for (const auto& extents :
       {std::array<std::size_t, 4>{7, 1, 3, 2}, {1, 2, 3, 4}, {3, 2, 1, 4}, {3, 2, 4, 1}}) {
    xt::xtensor<float, 4> a = counted(extents);
    BOOST_TEST(cz::as_tensor_view(a).contiguous());
    check_same_elements(cz::as_tensor_view(a), a);
  }
}

BOOST_AUTO_TEST_CASE(three_axes_have_one_channel) {
  xt::xtensor<float, 3> a = xt::xtensor<float, 3>::from_shape({6, 4, 5});
  const cz::tensor_view<float> view = cz::as_tensor_view(a);
  BOOST_TEST((view.dims == cz::shape{6, 1, 4, 5}));
  BOOST_TEST(view.contiguous());
  BOOST_TEST(&view(5, 0, 2, 3) == &a(5, 2, 3));
}

BOOST_AUTO_TEST_CASE(strided_arrays) {
  xt::xtensor<float, 4> a = counted({6, 2, 8, 9});
  auto part = xt::view(a, xt::range(1, 6, 2), xt::all(), xt::range(2, 7), xt::range(1, 9, 3));
  const cz::tensor_view<float> view = cz::as_tensor_view(part);
  BOOST_TEST((view.dims == cz::shape{3, 2, 5, 3}));
  BOOST_TEST(!view.contiguous());
  check_same_elements(view, part);
  BOOST_TEST(&view(0, 0, 0, 0) == &a(1, 0, 2, 1));

  auto one_channel = xt::view(a, xt::all(), 1, xt::all(), xt::all());
  BOOST_TEST(&cz::as_tensor_view(one_channel)(4, 0, 3, 2) == &a(4, 1, 3, 2));

  auto bottom_up = xt::view(a, xt::all(), xt::all(), xt::range(7, xt::placeholders::_, -1), xt::all());
  check_same_elements(cz::as_tensor_view(bottom_up), bottom_up);

  xt::xtensor<float, 4, xt::layout_type::column_major> columns(std::array<std::size_t, 4>{2, 3, 4, 5});
  check_same_elements(cz::as_tensor_view(columns), columns);
}

BOOST_AUTO_TEST_CASE(another_number_of_axes_is_refused) {
  xt::xtensor<float, 2> a = xt::xtensor<float, 2>::from_shape({3, 4});
  BOOST_CHECK_EXCEPTION(cz::as_tensor_view(a), cz::error, [](const cz::error& e) {
    return std::string(e.what()) ==
           "as_tensor_view: the array has 2 axes; it must have 4 (N x C x H x W) or 3 (N x H x W)";
  });
}

BOOST_AUTO_TEST_CASE(views_as_arrays) {
  std::vector<float> data(2 * 3 * 4 * 5);
  const cz::tensor_view<float> dense(data.data(), {2, 3, 4, 5});
  auto a = cz::as_xtensor(dense);
  check_same_elements(dense, a);
  a = xt::ones<float>({2, 3, 4, 5});
  a(1, 2, 3, 4) = 7;
  BOOST_TEST(data[0] == 1);
  BOOST_TEST(data[119] == 7);

  // Channels last, and a window of it: assignment touches the window alone.
  const cz::tensor_view<float> last(data.data(), {2, 3, 4, 5}, 60, 1, 15, 3);
  const cz::tensor_view<float> window(&last(0, 0, 1, 1), {2, 3, 2, 3}, 60, 1, 15, 3);
  auto b = cz::as_xtensor(window);
  check_same_elements(window, b);
  b = xt::zeros<float>({2, 3, 2, 3});
  BOOST_TEST(std::count(data.begin(), data.end(), 0.0f) == 2 * 3 * 2 * 3);
  b = b + 2;
  BOOST_TEST(std::count(data.begin(), data.end(), 2.0f) == 2 * 3 * 2 * 3);
  b += cz::as_xtensor(window);
  BOOST_TEST(std::count(data.begin(), data.end(), 4.0f) == 2 * 3 * 2 * 3);

  const cz::tensor_view<const float> constant = dense;
  const auto c = cz::as_xtensor(constant);
  check_same_elements(constant, c);
  static_assert(!std::is_assignable_v<decltype(c(0, 0, 0, 0)), float>);
}

BOOST_AUTO_TEST_CASE(there_and_back) {
  std::vector<float> data(64);
  for (const auto& view : {cz::tensor_view<float>(data.data(), {2, 1, 4, 4}),
                           cz::tensor_view<float>(data.data(), {2, 2, 4, 4}, 32, 1, 8, 2)}) {
    auto a = cz::as_xtensor(view);
    const cz::tensor_view<float> back = cz::as_tensor_view(a);
    BOOST_TEST(back.data == view.data);
    BOOST_TEST((back.dims == view.dims));
    BOOST_TEST(back.contiguous() == view.contiguous());
    BOOST_TEST(&back(1, 0, 2, 3) == &view(1, 0, 2, 3));
  }
}

BOOST_AUTO_TEST_CASE(negative_strides_are_refused) {
  std::vector<float> data(24);
  const cz::tensor_view<float> up(data.data() + 5 * 4, {1, 1, 6, 4}, 24, 24, -4, 1);
  BOOST_CHECK_THROW(cz::as_xtensor(up), cz::error);
}

BOOST_AUTO_TEST_CASE(an_expression_broadcasts_over_an_axis_of_one) {
  std::vector<float> data{1, 2, 3, 4};
  const auto a = cz::as_xtensor(cz::tensor_view<float>(data.data(), {1, 1, 2, 2}));
  const xt::xtensor<float, 4> sum = a + xt::zeros<float>({3, 2, 2, 2});
  BOOST_TEST(sum(2, 1, 1, 0) == 3);
}

BOOST_AUTO_TEST_CASE(a_data_set_takes_a_strided_array) {
  cz::reference_backend<float> b;
  xt::xtensor<float, 4> a = counted({6, 1, 4, 4});
  auto odd = xt::view(a, xt::range(1, 6, 2));
  const auto images = cz::dataset<decltype(b), cz::centred, float>::from_view(b, cz::as_tensor_view(odd));
  std::vector<std::int32_t> order{2};
  std::vector<float> out(16);
  images.gather(b, {order.data(), 1},
                cz::image_batch<cz::centred, float>(cz::tensor_view<float>(out.data(), {1, 1, 4, 4})));
  BOOST_TEST(out[6] == a(5, 0, 1, 2));
}

BOOST_AUTO_TEST_CASE(a_degradation_as_an_expression) {
  cz::reference_backend<float> b;
  xt::xtensor<float, 4> x0 = counted({2, 1, 3, 3}), out = xt::zeros_like(x0);
  const std::vector<float> level{0.0f, 1.0f};
  using batch = cz::image_batch<cz::centred, float>;
  cz::degrade(b, negative{}, cz::image_batch<cz::centred, const float>(batch(cz::as_tensor_view(x0))),
              {level.data(), 2}, {}, batch(cz::as_tensor_view(out)));
  BOOST_TEST(out(0, 0, 2, 1) == x0(0, 0, 2, 1));
  BOOST_TEST(out(1, 0, 2, 1) == -x0(1, 0, 2, 1));
}
