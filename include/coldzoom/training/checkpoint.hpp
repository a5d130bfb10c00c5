/// Networks and training runs as safetensors files. Needs nlohmann/json, headers only.
#pragma once

#include <algorithm>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <coldzoom/nn/layer.hpp>
#include <coldzoom/training/probe.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Appends the parameters of `network`, one array each under its own name. `values` in storage order.
template <class Network>
void add_parameters(safetensors_file& file, const Network& network, const std::vector<float>& values) {
  auto from = values.begin();
  for (const parameter_info& p : parameters_of(network)) {
    file.add(p.name, p.dims, std::vector<float>(from, from + p.size()));
    from += p.size();
  }
}

/// The parameters of `network` in storage order. Arrays that the network does not know are left alone.
/// Throws `error` where one is absent, of another shape or not float32.
template <class Network>
std::vector<float> read_parameters(const safetensors_file& file, const Network& network) {
  std::vector<float> values;
  for (const parameter_info& p : parameters_of(network)) {
    const std::vector<float>& part = file.values<float>(p.name, p.dims);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

namespace detail {

/// The settings that must agree, as text, between a checkpoint and the run that continues it. The first ones
/// explain the others.
template <class Trainer> std::vector<std::pair<std::string, std::string>> run_settings(Trainer& t) {
  const auto& o = t.options();
  std::vector<std::pair<std::string, std::string>> settings{{"format_version", "2"},
                                                            {"seed", std::to_string(o.seed)}};
  const auto add = [&](const std::string& name, const std::string& value) {
    settings.emplace_back(name, value);
  };
  if constexpr (requires { t.method(); }) {
    using method = std::remove_cvref_t<decltype(t.method())>;
    add("value_range", method::range::name);
    add("prediction", method::prediction::name);
    add("steps", std::to_string(t.method().schedule.steps()));
    add("last_step", std::to_string(o.last_step));
    add("label_dropout", exact_number(o.label_dropout));
    add("batch_size", std::to_string(o.batch()));
    // A batch may be cut into other parts where they are whole micro-batches, which the sums of gradients
    // see.
    using B = std::remove_cvref_t<decltype(t.on())>;
    const index_t draws = draws_of(t.method().loss),
                  images = std::max<index_t>(1, micro_batch_of<B> / draws);  // in a micro-batch
    const index_t part = std::min(o.batch_size, o.share());
    add("part", (part % images == 0 ? std::string("whole micro-batches") : std::to_string(part) + " images") +
                    (o.shares > 1 ? ", " + std::to_string(o.shares) + " shares" : ""));
  } else {
    add("value_range", Trainer::range::name);
    add("batch_size", std::to_string(o.batch_size));
  }
  add("optimizer", std::remove_cvref_t<decltype(t.update().optimizer())>::name);
  add("averages", std::to_string(t.update().averages().size()));
  t.update().for_each_number([&](const std::string& name, double value) { add(name, exact_number(value)); });
  return settings;
}

}  // namespace detail

/// Writes all that a run needs to continue to the same bits: parameters, buffers and step count of the
/// optimiser, the averages of the weights. Settings of the trainer, probes of its policies and the caller's
/// `settings` go in too and are checked on loading.
template <class Trainer>
void save_checkpoint(const std::string& path, Trainer& t, index_t epoch,
                     const std::map<std::string, std::string>& settings = {}) {
  auto& b = t.on();
  safetensors_file file;
  file.metadata = settings;
  for (const auto& [key, value] : detail::run_settings(t)) file.metadata[key] = value;
  file.metadata["epoch"] = std::to_string(epoch);
  file.metadata["optimizer_steps"] = std::to_string(t.update().steps());
  add_parameters(file, t.network(), to_host(b, t.parameters()));
  t.update().for_each_buffer(
      [&](const std::string& name, auto& buffer) { file.add(name, {buffer.size()}, to_host(b, buffer)); });
  for (const auto& [name, values] : probe_policies(t))
    file.add("probe." + name, {static_cast<index_t>(values.size())}, values);
  save_safetensors(path, file);
}

/// Restores what save_checkpoint wrote and returns the epoch. Throws `error` where the file is damaged,
/// belongs to another network, or was made with settings or policies that would change the bits; the trainer
/// is then unchanged.
template <class Trainer>
index_t load_checkpoint(const std::string& path, Trainer& t,
                        const std::map<std::string, std::string>& settings = {}) {
  auto& b = t.on();
  const safetensors_file file = load_safetensors(path);
  const auto found = [&](const std::string& key) {
    const auto at = file.metadata.find(key);
    require(at != file.metadata.end(), path.c_str(),
            [&] { return "found no '" + key + "' in the metadata"; });
    return at->second;
  };
  const auto number = [&](const std::string& key) {
    const std::string text = found(key);
    require(!text.empty() && text.size() < 16 && text.find_first_not_of("0123456789") == std::string::npos,
            path.c_str(), [&] { return "found '" + text + "' as '" + key + "', wanted a number"; });
    return static_cast<index_t>(std::stoll(text));
  };
  auto wanted = detail::run_settings(t);
  wanted.insert(wanted.end(), settings.begin(), settings.end());
  for (const auto& [key, value] : wanted) {
    require(found(key) == value, path.c_str(), [&, k = key, v = value] {
      return "the checkpoint was made with " + k + " = " + found(k) + ", this run has " + v;
    });
  }
  const index_t size = parameter_count(t.network()), epoch = number("epoch"),
                steps = number("optimizer_steps");
  const std::vector<float> parameters = read_parameters(file, t.network());
  t.update().for_each_buffer(
      [&](const std::string& name, auto&) { file.values<float>(name, {size}); });  // checks
  for (const auto& [name, values] : probe_policies(t))
    detail::require_same_probe(path, name, file.values<float>("probe." + name), values);
  b.upload(parameters.data(), t.parameters().data(), size);
  t.update().for_each_buffer([&](const std::string& name, auto& buffer) {
    b.upload(file.values<float>(name, {size}).data(), buffer.data(), size);
  });
  t.update().set_steps(steps);
  return epoch;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
