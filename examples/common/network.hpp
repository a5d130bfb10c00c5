/// The networks that the programs know by name. A table: networks.cpp holds the entries of this project,
/// coldzoom_programs/network.hpp adds a user's own.
#pragma once

#include <any>
#include <coldzoom/nn/layer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <vector>

#include "common/options.hpp"

namespace coldzoom::inline COLDZOOM_ISA {
class safetensors_file;
}

namespace programs {

/// An option of a network: one or more whole numbers.
struct network_option {
  std::string name, help;
  std::vector<coldzoom::index_t> otherwise;  // where the user does not say
  coldzoom::index_t least = 1;
  bool list = false;  // whether it takes several numbers
};

/// What a network of the table is made of.
struct network_settings {
  coldzoom::shape image;                                        // 1 x C x H x W
  coldzoom::index_t input_channels = 0;                         // 0 for C
  std::map<std::string, std::vector<coldzoom::index_t>> lists;  // the options, by name

  const std::vector<coldzoom::index_t>& list(const std::string& name) const { return lists.at(name); }
  coldzoom::index_t number(const std::string& name) const { return lists.at(name).front(); }
};

struct network_info {
  std::string name, help;  // of one line
  std::vector<network_option> options;
  /// Settings from the arrays of a file that does not name them, such as the original project's; empty where
  /// the network is in no such file.
  std::function<network_settings(const coldzoom::safetensors_file&)> read = {};
};

class network_entry;

/// A network of the table, without its type.
class model_network {
 public:
  /// The network on each backend that the programs are compiled for.
  class held {
   public:
    virtual ~held() = default;
    virtual coldzoom::shape output_shape(coldzoom::shape in) const = 0;
    virtual void describe(coldzoom::parameter_list& list, const std::string& prefix) const = 0;
    /// Constant arrays that other programs want in a file beside the parameters.
    virtual void add_constants(coldzoom::safetensors_file& file) const = 0;
    /// A coldzoom::any_layer of that backend.
    virtual std::any layer_on(const std::type_info& backend) const = 0;
  };

  model_network(const network_entry& entry, network_settings settings, std::shared_ptr<const held> network)
      : entry_(&entry),
        settings_(std::move(settings)),
        network_(std::move(network)) {}

  const network_entry& entry() const { return *entry_; }
  const std::string& name() const;
  coldzoom::shape image() const { return settings_.image; }
  /// Classes of the labels that it reads, its option `classes`; 0 for none.
  coldzoom::index_t classes() const;
  const network_settings& settings() const { return settings_; }
  /// "widths 16,32,32,16, kernel 7".
  std::string options_text() const;
  void describe(coldzoom::parameter_list& list, const std::string& prefix) const {
    network_->describe(list, prefix);
  }
  const held& on_backends() const { return *network_; }

 private:
  const network_entry* entry_;
  network_settings settings_;
  std::shared_ptr<const held> network_;
};

class network_entry {
 public:
  using maker = std::function<std::shared_ptr<const model_network::held>(const network_settings&)>;

  network_entry(network_info info, maker make) : info_(std::move(info)), make_(std::move(make)) {}

  const network_info& info() const { return info_; }
  /// Options that `settings` does not have are the entry's own. Throws coldzoom::error for values that the
  /// network refuses, and for a network that does not make an image of its input.
  model_network make(network_settings settings) const;

 private:
  network_info info_;
  maker make_;
};

/// All networks, the default one first. Throws coldzoom::error where two have one name.
const std::vector<const network_entry*>& networks();

/// Throws coldzoom::error, blaming `where`, for a name that there is not.
const network_entry& find_network(const std::string& where, const std::string& name);

/// The network that a file says it holds, or that its arrays show; input_channels(image) is asked how many
/// channels it reads. Throws coldzoom::error, with the file's
/// name, where it holds none.
model_network network_of(const coldzoom::safetensors_file& file,
                         const std::function<coldzoom::index_t(coldzoom::shape image)>& input_channels);

/// What the user says of the network.
struct network_choice {
  std::string name;
  std::map<std::string, std::vector<coldzoom::index_t>> lists;
};
/// --network, and the options of all networks of the table.
void add_network_options(options& o, network_choice& choice);
model_network make_network(const network_choice& choice, coldzoom::shape image,
                           coldzoom::index_t input_channels);

/// Puts an entry into the table when a program starts.
struct network_registration {
  network_registration(network_info info, network_entry::maker make);
};

/// "1,2,3".
template <class Values> std::string join(const Values& values) {
  std::string text;
  for (const auto& value : values) {
    if (!text.empty()) text += ',';
    text += std::to_string(value);
  }
  return text;
}

}  // namespace programs
