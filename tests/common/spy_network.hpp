/// A network that notes what it reads.
#pragma once

#include <coldzoom/nn/layer.hpp>
#include <memory>
#include <vector>

/// y = w x, of the first channels of x, with one parameter w for all; in host memory.
struct spy_network {
  struct row {
    std::vector<float> x;  // all channels
    float time;
    std::int32_t label;  // -1 where there are none
  };
  coldzoom::index_t channels = 1;
  std::shared_ptr<std::vector<row>> rows = std::make_shared<std::vector<row>>();  // of all forward passes

  coldzoom::shape output_shape(coldzoom::shape in) const {
    in.c = channels;
    return in;
  }
  void describe(coldzoom::parameter_list& list, const std::string& prefix) const {
    list.push_back({prefix + "w", {1}, 0.5f});
  }
  template <coldzoom::Backend B> struct workspace {};
  template <coldzoom::Backend B> workspace<B> make_workspace(B&, coldzoom::shape, coldzoom::pass) const {
    return {};
  }
  template <coldzoom::Backend B> void pack_weights(B&, const coldzoom::real_t<B>*, workspace<B>&) const {}
  template <coldzoom::Backend B>
  void forward(B&, const coldzoom::real_t<B>* w, coldzoom::const_activation<B> x,
               const coldzoom::side_inputs<B>& side, coldzoom::activation<B> y, workspace<B>&) const {
    for (coldzoom::index_t n = 0; n < x.dims.n; ++n) {
      row seen{
          {}, side.time.data ? static_cast<float>(side.time[n]) : -1, side.label.data ? side.label[n] : -1};
      for (coldzoom::index_t c = 0; c < x.dims.c; ++c) {
        for (coldzoom::index_t p = 0; p < x.dims.pixels(); ++p) {
          const auto value = x.data[x.offset(n, c, p)];
          seen.x.push_back(static_cast<float>(value));
          if (c < channels) y.data[y.offset(n, c, p)] = w[0] * value;
        }
      }
      rows->push_back(seen);
    }
  }
  template <coldzoom::Backend B>
  void backward(B&, const coldzoom::real_t<B>* w, coldzoom::const_activation<B> x,
                const coldzoom::side_inputs<B>&, coldzoom::activation<B> dy, coldzoom::activation<B> dx,
                coldzoom::real_t<B>* gradients, workspace<B>&) const {
    for (coldzoom::index_t n = 0; n < x.dims.n; ++n) {
      for (coldzoom::index_t c = 0; c < x.dims.c; ++c) {
        for (coldzoom::index_t p = 0; p < x.dims.pixels(); ++p) {
          if (c < channels) gradients[0] += dy.data[dy.offset(n, c, p)] * x.data[x.offset(n, c, p)];
          if (dx.data) dx.data[dx.offset(n, c, p)] = c < channels ? w[0] * dy.data[dy.offset(n, c, p)] : 0;
        }
      }
    }
  }
  template <coldzoom::Backend B> void reduce_gradients(B&, coldzoom::real_t<B>*, workspace<B>&) const {}
};
