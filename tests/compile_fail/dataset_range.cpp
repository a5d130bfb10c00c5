// expect: coldzoom: the data set has another value range than the trainer: write the same one
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>

using namespace coldzoom;

using backend = reference_backend<float>;
#ifdef POSITIVE
using images = dataset<backend, centred>;
#else
using images = dataset<backend, unit>;
#endif

double train(backend& b, const reconstructor& network, const images& set) {
  const auto method = make_method(centred{}, zoom<nearest>{}, linear_schedule(24));
  return trainer(b, method, network, network.image()).train_epoch(set, 1);
}
