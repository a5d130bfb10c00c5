/// All that makes a training run continue, as values.
#pragma once

#include <algorithm>
#include <coldzoom/backend/reference.hpp>
#include <map>
#include <string>
#include <vector>

inline std::vector<float> values_of(const coldzoom::host_buffer<float>& buffer) {
  return {buffer.data(), buffer.data() + buffer.size()};
}

struct trainer_state {
  std::vector<float> parameters;
  std::map<std::string, std::vector<float>> buffers;  // of the optimiser, and the averages
  coldzoom::index_t steps = 0;
  friend bool operator==(const trainer_state&, const trainer_state&) = default;
};

template <class Trainer> trainer_state state_of(Trainer& t) {
  trainer_state s{values_of(t.parameters()), {}, t.update().steps()};
  t.update().for_each_buffer(
      [&](const std::string& name, auto& buffer) { s.buffers[name] = values_of(buffer); });
  return s;
}
template <class Trainer> void restore(Trainer& t, const trainer_state& s) {
  std::copy(s.parameters.begin(), s.parameters.end(), t.parameters().data());
  t.update().for_each_buffer([&](const std::string& name, auto& buffer) {
    std::copy(s.buffers.at(name).begin(), s.buffers.at(name).end(), buffer.data());
  });
  t.update().set_steps(s.steps);
}
