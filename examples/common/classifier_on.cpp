#include "common/classifier_on.hpp"

#include "common/on_backend.hpp"

namespace programs {

std::unique_ptr<classifier_predictor> run(machine& m, const classifier_model& model) {
  return on_backend(m, [&]<class B>(B& b) -> std::unique_ptr<classifier_predictor> {
    return std::make_unique<classifier_on<B>>(b, model);
  });
}

}  // namespace programs
