/// A network of your own for the programs, in one call; see docs/how_to/own_method.md.
#pragma once

#include <coldzoom/nn/any_layer.hpp>
#include <concepts>

#include "common/network.hpp"
#include "common/on_backend.hpp"
#include "common/safetensors.hpp"

namespace programs {

namespace detail {

template <class Network, class Backends> class held_network;
template <class Network, class... Bs>
class held_network<Network, backend_list<Bs...>> final : public model_network::held {
 public:
  explicit held_network(Network network) : network_(std::move(network)) {}

  coldzoom::shape output_shape(coldzoom::shape in) const override { return network_.output_shape(in); }
  void describe(coldzoom::parameter_list& list, const std::string& prefix) const override {
    network_.describe(list, prefix);
  }
  void add_constants(coldzoom::safetensors_file& file) const override {
    if constexpr (requires { network_.add_constants(file); }) network_.add_constants(file);
  }
  std::any layer_on(const std::type_info& backend) const override {
    std::any layer;
    (
        [&] {
          if (backend == typeid(Bs)) layer = coldzoom::any_layer<Bs>(network_);
        }(),
        ...);
    return layer;
  }

 private:
  Network network_;
};

}  // namespace detail

/// make(settings) as what the table holds. Backends: those to compile the network for.
template <class Backends, class Make> network_entry::maker network_maker(Make make) {
  return [make](const network_settings& settings) -> std::shared_ptr<const model_network::held> {
    using network = decltype(make(settings));
    static_assert(coldzoom::check_layer<network, host_backend>() || true);
    return std::make_shared<const detail::held_network<network, Backends>>(make(settings));
  };
}

/// The network on B.
template <class B> coldzoom::any_layer<B> layer_on(const model_network& network) {
  return std::any_cast<coldzoom::any_layer<B>>(network.on_backends().layer_on(typeid(B)));
}

/// Makes a network known to every program: at namespace scope,
///
///   const auto mine = programs::add_network({.name = "deep", .help = "..."}, [](const auto& settings) {
///     return my_network(settings.image);
///   });
template <class Make> network_registration add_network(network_info info, Make make) {
  return network_registration(std::move(info), network_maker<backends>(make));
}

}  // namespace programs
