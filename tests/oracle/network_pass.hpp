/// One training pass of the reconstructor, from named arrays to named arrays.
#pragma once

#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>
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

/// Reads the parameters gt.* and from `inputs` x_t, x0 (N x C x H x W) and t (N), which is t / T. Returns y
/// (the network's output), the loss, "grad." + name for each parameter, and the parameters themselves with
/// gt.frequencies, as PyTorch's `load_state_dict` wants them.
inline coldzoom::safetensors_file run_pass(const coldzoom::safetensors_file& weights,
                                           const coldzoom::safetensors_file& inputs) {
  using namespace coldzoom;
  using backend = cpu_backend<float>;
  const reconstructor net = network_of(weights);
  const std::vector<float> parameters = read_parameters(weights, net);
  const std::vector<float>& t = inputs.values<float>("t");
  const shape dims = net.image().with_n(static_cast<index_t>(t.size()));
  const std::vector<index_t> extents{dims.n, dims.c, dims.h, dims.w};
  const std::vector<float>&x_t = inputs.values<float>("x_t", extents),
        &x0 = inputs.values<float>("x0", extents);

  backend b;
  auto ws = net.make_workspace(b, dims, pass::train);
  activation_buffer<backend> x(b, dims), y(b, dims), dy(b, dims);
  const side_inputs<backend> side{{t.data(), dims.n}, {}};
  std::vector<float> out(x0.size()), gradients(parameters.size()), losses(t.size());
  pack_images(b, tensor_view<const float>(x_t.data(), dims), x.view(dims.n));
  net.pack_weights(b, parameters.data(), ws);
  net.forward(b, parameters.data(), x.view(dims.n), side, y.view(dims.n), ws);
  unpack_images<backend>(b, y.view(dims.n), tensor_view<float>(out.data(), dims));
  const mean_squared_error loss;
  loss(b, const_activation<backend>(y.view(dims.n)), tensor_view<const float>(x0.data(), dims), {},
       loss.scale(dims), dy.view(dims.n), vector_view<float>{losses.data(), dims.n});
  net.backward(b, parameters.data(), x.view(dims.n), side, dy.view(dims.n), {}, gradients.data(), ws);
  net.reduce_gradients(b, gradients.data(), ws);

  safetensors_file result;
  result.add("y", extents, out);
  result.add("loss", {}, std::vector<double>{b.sum(losses.data(), dims.n)});
  const std::vector<float> frequencies = net.frequency_table();
  result.add("gt.frequencies", {static_cast<index_t>(frequencies.size())}, frequencies);
  add_parameters(result, net, parameters);
  parameter_list list;
  net.describe(list, "");
  auto from = gradients.begin();
  for (const parameter_info& tensor : list) {
    result.add("grad." + tensor.name, tensor.dims, std::vector<float>(from, from + tensor.size()));
    from += tensor.size();
  }
  return result;
}
