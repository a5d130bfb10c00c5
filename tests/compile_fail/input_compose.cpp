// expect: coldzoom: give your input policy `index_t channels(shape image) const` and `void compose(B&, const
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/model.hpp>

using namespace coldzoom;

struct twice {
  index_t channels(shape image) const { return 2 * image.c; }
#ifdef POSITIVE
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    inputs(plain_input{}, plain_input{}).compose(b, context, to);
  }
#endif
};

void sample(reference_backend<float>& b, tensor_view<const float> x, tensor_view<float> y) {
  model predict(b, predict_x0{}, conv2d::same(2, 1, 3), shape{1, 1, 8, 8}, std::vector<float>(19), twice{});
  predict(x, {}, y);
}
