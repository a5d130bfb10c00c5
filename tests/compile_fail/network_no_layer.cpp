// expect: coldzoom: give your network `template <Backend B> struct workspace` and `workspace<B>
// make_workspace
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/layer.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>

using namespace coldzoom;

#ifdef POSITIVE
struct members : plain_layer {};
#else
struct members {
  void describe(parameter_list&, const std::string&) const {}
};
#endif

struct identity : members {
  shape output_shape(shape in) const { return in; }
  template <Backend B, class Workspace>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               Workspace&) const {
    b.copy(x.data, y.data, x.size());
  }
  template <Backend B, class Workspace>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, Workspace&) const {
    if (dx.data) b.copy(dy.data, dx.data, dy.size());
  }
};

void train(reference_backend<float>& b) {
  trainer t(b, make_method(unit{}, zoom<nearest>{}, linear_schedule(10)), identity{}, shape{1, 1, 8, 8});
}
