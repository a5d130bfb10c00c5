// expect: coldzoom: a backend with a type `convolution` needs `convolution make_convolution(const
#include <coldzoom/backend/operations.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/conv2d.hpp>

using namespace coldzoom;

struct own : reference_backend<float> {
  using convolution = generic::convolution<reference_backend<float>>;
#ifdef POSITIVE
  convolution make_convolution(const convolution_geometry& g, index_t, bool) const { return convolution(g); }
#else
  convolution make_convolution(const convolution_geometry& g) const { return convolution(g); }
#endif
};

void make(own& b) { conv2d::same(1, 2, 3).make_workspace(b, {1, 1, 8, 8}, pass::predict); }
