// expect: coldzoom: a conv_block takes layer_norm_pixels, layer_norm_image or group_norm and a
#include <coldzoom/nn/conv_block.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using norm = group_norm;
#else
struct norm : plain_layer {
  norm(index_t, index_t) {}
  shape output_shape(shape in) const { return in; }
};
#endif

conv_block<norm, silu> block() { return {conv2d::same(1, 4, 3), norm(2, 4)}; }
