#include "common/network.hpp"

#include <algorithm>
#include <coldzoom/core/error.hpp>

#include "common/file_metadata.hpp"
#include "common/networks.hpp"
#include "common/safetensors.hpp"
#include "common/table.hpp"

namespace programs {

namespace {

using coldzoom::index_t;

/// Numbers of an option as a file has them, "1,2,3".
std::vector<index_t> read_list(const std::string& where, const std::string& name, const std::string& text) {
  std::vector<index_t> values;
  const char* at = text.c_str();
  for (char* end = nullptr;; at = end + 1) {
    values.push_back(std::strtoll(at, &end, 10));
    coldzoom::require(end != at && (*end == ',' || *end == '\0') && values.back() >= 0 &&
                          values.back() <= largest_network_number && values.size() <= 64,
                      where.c_str(),
                      [&] { return "found " + name + " '" + text + "', wanted numbers such as 16,32"; });
    if (*end == '\0') return values;
  }
}

table<network_entry>& all() {
  static table<network_entry> entries = [] {
    table<network_entry> own;
    own.add(reconstructor_entry());
    own.add(unet_entry());
    own.add(attention_unet_entry());
    return own;
  }();
  return entries;
}

}  // namespace

const std::string& model_network::name() const { return entry_->info().name; }

coldzoom::index_t model_network::classes() const {
  const auto found = settings_.lists.find("classes");
  return found == settings_.lists.end() ? 0 : found->second.front();
}

std::string model_network::options_text() const {
  std::string text;
  for (const network_option& option : entry_->info().options) {
    text += (text.empty() ? "" : ", ") + option.name + " " + join(settings_.list(option.name));
  }
  return text;
}

model_network network_entry::make(network_settings settings) const {
  settings.image.n = 1;
  std::map<std::string, std::vector<index_t>> lists;
  for (const network_option& option : info_.options) {
    const auto given = settings.lists.find(option.name);
    lists[option.name] =
        given == settings.lists.end() || given->second.empty() ? option.otherwise : given->second;
    for (const index_t value : lists[option.name]) {
      coldzoom::require(value >= option.least, ("--" + option.name).c_str(), [&] {
        return "found " + std::to_string(value) + ", wanted at least " + std::to_string(option.least);
      });
    }
  }
  settings.lists = std::move(lists);
  if (settings.input_channels == 0) settings.input_channels = settings.image.c;
  std::shared_ptr<const model_network::held> made = make_(settings);
  coldzoom::shape in = settings.image;
  in.c = settings.input_channels;
  const coldzoom::shape out = made->output_shape(in);
  coldzoom::require(out == settings.image, info_.name.c_str(), [&] {
    return "the network turns " + to_string(in) + " into " + to_string(out) + ", wanted an image of " +
           to_string(settings.image);
  });
  return {*this, std::move(settings), std::move(made)};
}

const std::vector<const network_entry*>& networks() { return all().checked("network"); }

const network_entry& find_network(const std::string& where, const std::string& name) {
  return all().find("network", where, name);
}

model_network network_of(const coldzoom::safetensors_file& file,
                         const std::function<index_t(coldzoom::shape)>& input_channels) {
  const file_metadata metadata(file.source, file.metadata);
  const std::string name = metadata.text("network"), image = metadata.text("image");
  const network_entry& entry = name.empty() ? *networks().front() : find_network(file.source, name);
  if (image.empty()) {
    coldzoom::require(static_cast<bool>(entry.info().read), file.source.c_str(),
                      [&] { return "found no image size for the network " + name; });
    network_settings settings = entry.info().read(file);
    settings.input_channels = input_channels(settings.image);
    return entry.make(std::move(settings));
  }
  const std::vector<index_t> dims = read_list(file.source, "image", image);
  const bool fits =
      dims.size() == 3 && std::all_of(dims.begin(), dims.end(), [](index_t d) { return d > 0; });
  coldzoom::require(fits && dims[0] * dims[1] * dims[2] <= (1 << 24), file.source.c_str(),
                    [&] { return "found image '" + image + "', wanted channels,height,width"; });
  network_settings settings{{1, dims[0], dims[1], dims[2]}, 0, {}};
  settings.input_channels = input_channels(settings.image);
  for (const network_option& option : entry.info().options) {
    if (const std::string text = metadata.text(option.name.c_str()); !text.empty()) {
      settings.lists[option.name] = read_list(file.source, option.name, text);
    }
  }
  return entry.make(std::move(settings));
}

void add_network_options(options& o, network_choice& choice) {
  if (choice.name.empty()) choice.name = networks().front()->info().name;
  o.add("--network", choice.name, "the network: " + all().names()).one_of(all().list());
  std::map<std::string, std::string> help;  // by option
  for (const network_entry* entry : networks()) {
    for (const network_option& option : entry->info().options) {
      std::string& text = help[option.name];
      text += (text.empty() ? "" : "; ") + entry->info().name + ": " + option.help + " (" +
              join(option.otherwise) + ")";
    }
  }
  for (const auto& [name, text] : help) {
    o.add("--" + name, choice.lists[name], text).separated_by(',').range(0, largest_network_number);
  }
}

model_network make_network(const network_choice& choice, coldzoom::shape image, index_t input_channels) {
  const network_entry& entry = find_network("--network", choice.name);
  const std::vector<network_option>& known = entry.info().options;
  for (const auto& given : choice.lists) {
    const std::vector<index_t>& values = given.second;
    if (values.empty()) continue;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const network_option& o) { return o.name == given.first; });
    const std::string option = "--" + given.first;
    coldzoom::require(found != known.end(), option.c_str(),
                      [&] { return "the network " + choice.name + " has none"; });
    coldzoom::require(found->list || values.size() == 1, option.c_str(),
                      [&] { return "found " + join(values) + ", wanted one number"; });
  }
  return entry.make({image, input_channels, choice.lists});
}

network_registration::network_registration(network_info info, network_entry::maker make) {
  all().add(std::make_unique<network_entry>(std::move(info), std::move(make)));
}

}  // namespace programs
