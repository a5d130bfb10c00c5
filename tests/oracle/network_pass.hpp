/// One training pass of a network, from named arrays to named arrays.
#pragma once

#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <coldzoom/nn/attention_unet.hpp>
#include <coldzoom/nn/linear_attention.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <string>
#include <vector>

#include "common/engine.hpp"
#include "common/safetensors.hpp"

/// The reconstructor that the shapes of its weights describe.
inline coldzoom::reconstructor network_of(const coldzoom::safetensors_file& weights) {
  const auto dims = [&](const std::string& name) {
    const coldzoom::named_array* array = weights.find(name);
    return array ? array->shape : std::vector<coldzoom::index_t>();
  };
  const auto first = dims("gt.blocks.0.net.0.weight"), norm = dims("gt.blocks.0.net.1.weight");
  coldzoom::require(first.size() == 4 && norm.size() == 2, "network_of",
                    "found no weights of a reconstructor, wanted gt.blocks.0.net.0.weight and the others");
  std::vector<coldzoom::index_t> widths;
  for (auto block = first; !block.empty();
       block = dims("gt.blocks." + std::to_string(widths.size()) + ".net.0.weight"))
    widths.push_back(block[0]);
  return {{1, first[1], norm[0], norm[1]}, widths, first[2]};
}

/// The whole numbers in the array `name` that are not negative.
inline std::vector<coldzoom::index_t> numbers_of(const coldzoom::safetensors_file& inputs, const char* name) {
  std::vector<coldzoom::index_t> values;
  for (const float value : inputs.values<float>(name))
    if (value >= 0) values.push_back(static_cast<coldzoom::index_t>(value));
  return values;
}

/// The attention_unet that `inputs` describes: arrays `widths`, `attention` (its levels, -1 for none) and
/// `numbers`: channels in and out, blocks, head_channels, groups, film, pooled, transposed, classes, steps.
inline coldzoom::attention_unet unet_of(const coldzoom::safetensors_file& inputs) {
  const std::vector<coldzoom::index_t> n = numbers_of(inputs, "numbers");
  coldzoom::require(n.size() == 10, "unet_of",
                    [&] { return "found " + std::to_string(n.size()) + " numbers, wanted 10"; });
  return {n[0],
          n[1],
          {.widths = numbers_of(inputs, "widths"),
           .blocks = n[2],
           .attention = numbers_of(inputs, "attention"),
           .head_channels = n[3],
           .groups = n[4],
           .film = n[5] != 0,
           .pooled = n[6] != 0,
           .transposed = n[7] != 0,
           .classes = n[8],
           .steps = n[9]}};
}

/// The linear_attention that `inputs` describes by `numbers`: channels, heads, channels of a head.
inline auto linear_attention_of(const coldzoom::safetensors_file& inputs) {
  const std::vector<coldzoom::index_t> n = numbers_of(inputs, "numbers");
  coldzoom::require(n.size() == 3, "linear_attention_of",
                    [&] { return "found " + std::to_string(n.size()) + " numbers, wanted 3"; });
  return coldzoom::sequence(coldzoom::linear_attention(n[0], n[1], n[2]));
}

/// Reads the parameters of `net` and from `inputs` x_t, x0 (N x C x H x W), t (N), which is t / T, and `label`
/// (N) where it is there. Returns y (the network's output), the mean squared error, "grad." + name for each
/// parameter, the parameters, and "updated." + name: those after one step of AdamW.
template <class Network>
coldzoom::safetensors_file run_pass(const Network& net, const coldzoom::safetensors_file& weights,
                                    const coldzoom::safetensors_file& inputs) {
  using namespace coldzoom;
  using backend = cpu_backend<float>;
  std::vector<float> parameters = read_parameters(weights, net);
  const auto& t = inputs.values<float>("t");
  const std::vector<index_t> extents = inputs.find("x_t")->shape;
  const shape dims{extents[0], extents[1], extents[2], extents[3]}, out_dims = net.output_shape(dims);
  const auto &x_t = inputs.values<float>("x_t"), &x0 = inputs.values<float>("x0");
  std::vector<std::int32_t> labels;
  if (inputs.find("label")) {
    for (const float label : inputs.values<float>("label"))
      labels.push_back(static_cast<std::int32_t>(label));
  }

  backend b;
  auto ws = net.make_workspace(b, dims, pass::train);
  activation_buffer<backend> x(b, dims), y(b, out_dims), dy(b, out_dims);
  const side_inputs<backend> side{{t.data(), dims.n}, {labels.data(), static_cast<index_t>(labels.size())}};
  std::vector<float> out(x0.size()), gradients(parameters.size()), losses(t.size());
  pack_images(b, tensor_view<const float>(x_t.data(), dims), x.view(dims.n));
  net.pack_weights(b, parameters.data(), ws);
  net.forward(b, parameters.data(), x.view(dims.n), side, y.view(dims.n), ws);
  unpack_images<backend>(b, y.view(dims.n), tensor_view<float>(out.data(), out_dims));
  const mean_squared_error loss;
  loss(b, const_activation<backend>(y.view(dims.n)), tensor_view<const float>(x0.data(), out_dims), {},
       loss.scale(out_dims), dy.view(dims.n), vector_view<float>{losses.data(), dims.n});
  net.backward(b, parameters.data(), x.view(dims.n), side, dy.view(dims.n), {}, gradients.data(), ws);
  net.reduce_gradients(b, gradients.data(), ws);

  safetensors_file result;
  result.add("y", {out_dims.n, out_dims.c, out_dims.h, out_dims.w}, out);
  result.add("loss", {}, std::vector<double>{b.sum(losses.data(), dims.n)});
  add_parameters(result, net, parameters);
  const parameter_list list = parameters_of(net);
  const auto add = [&](const std::string& prefix, const std::vector<float>& values) {
    auto from = values.begin();
    for (const parameter_info& tensor : list) {
      result.add(prefix + tensor.name, tensor.dims, std::vector<float>(from, from + tensor.size()));
      from += tensor.size();
    }
  };
  add("grad.", gradients);
  const adamw optimizer{.eps = 1e-3, .decay_all = true};  // eps: see diffusers_parity.py
  auto state = optimizer.make_state(b, list);
  optimizer.step(b, state, gradients.data(), parameters.data(), 1e-3, 1);
  add("updated.", parameters);
  return result;
}

/// The same for the reconstructor that `weights` hold, and gt.frequencies, as PyTorch's `load_state_dict`
/// wants them.
inline coldzoom::safetensors_file run_pass(const coldzoom::safetensors_file& weights,
                                           const coldzoom::safetensors_file& inputs) {
  const coldzoom::reconstructor net = network_of(weights);
  coldzoom::safetensors_file result = run_pass(net, weights, inputs);
  const std::vector<float> frequencies = net.frequency_table();
  result.add("gt.frequencies", {static_cast<coldzoom::index_t>(frequencies.size())}, frequencies);
  return result;
}
