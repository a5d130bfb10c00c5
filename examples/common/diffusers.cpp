#include "common/diffusers.hpp"

#include <algorithm>
#include <cmath>
#include <coldzoom/core/error.hpp>
#include <nlohmann/json.hpp>

#include "common/networks.hpp"

namespace programs {

namespace {

using coldzoom::index_t;
using json = nlohmann::ordered_json;

constexpr const char *down_types[] = {"DownBlock2D", "AttnDownBlock2D"},
                     *up_types[] = {"UpBlock2D", "AttnUpBlock2D"};  // without attention, with it

/// What UNet2DModel makes of a key that is absent. Keys that are not read one by one must have this value.
json usual() {
  return {{"_class_name", "UNet2DModel"},
          {"sample_size", nullptr},
          {"in_channels", 3},
          {"out_channels", 3},
          {"center_input_sample", false},
          {"time_embedding_type", "positional"},
          {"time_embedding_dim", nullptr},
          {"freq_shift", 0},
          {"flip_sin_to_cos", true},
          {"down_block_types", {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"}},
          {"mid_block_type", "UNetMidBlock2D"},
          {"up_block_types", {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"}},
          {"block_out_channels", {224, 448, 672, 896}},
          {"layers_per_block", 2},
          {"mid_block_scale_factor", 1},
          {"downsample_padding", 1},
          {"downsample_type", "conv"},
          {"upsample_type", "conv"},
          {"dropout", 0.0},
          {"act_fn", "silu"},
          {"attention_head_dim", 8},
          {"norm_num_groups", 32},
          {"attn_norm_num_groups", nullptr},
          {"norm_eps", 1e-5},
          {"resnet_time_scale_shift", "default"},
          {"add_attention", true},
          {"class_embed_type", nullptr},
          {"num_class_embeds", nullptr},
          {"num_train_timesteps", nullptr}};
}

/// A config.json whose keys are read one by one.
class config_reader {
 public:
  config_reader(const std::string& where, const std::string& text)
      : where_(where),
        entries_(usual()),
        unread_(entries_) {
    const json given = json::parse(text, nullptr, false);
    coldzoom::require(given.is_object(), where.c_str(), "this is no JSON object");
    for (const auto& entry : given.items()) {
      const std::string& key = entry.key();
      const bool known = entries_.contains(key);
      coldzoom::require(known || key.starts_with('_'), where.c_str(),
                        [&] { return "found the key '" + key + "', which is not known here"; });
      if (known) entries_[key] = entry.value();
    }
  }

  const json& take(const char* key) {
    unread_.erase(key);
    return entries_.at(key);
  }
  /// A whole number from `least` on.
  index_t number(const char* key, index_t least = 1) { return number_of(key, take(key), least); }
  std::vector<index_t> numbers(const char* key) {
    const json& list = take(key);
    if (!list.is_array()) refuse(key, list, "a list of whole numbers");
    std::vector<index_t> values;
    for (const json& value : list) values.push_back(number_of(key, value, 1));
    return values;
  }
  /// Whether the value is the second of the two that there are.
  bool second_of(const char* key, const json& first, const json& second) {
    return is_second(key, take(key), first, second);
  }
  /// For each entry of a list whether it is the second.
  std::vector<bool> seconds_of(const char* key, const json& first, const json& second) {
    const json& list = take(key);
    if (!list.is_array()) refuse(key, list, "a list of " + first.dump() + " and " + second.dump());
    std::vector<bool> found;
    for (const json& value : list) found.push_back(is_second(key, value, first, second));
    return found;
  }
  /// All keys that were not taken have their usual values.
  void expect_rest_as_usual() {
    for (const auto& [key, value] : unread_.items())
      if (entries_.at(key) != value) refuse(key, entries_.at(key), value.dump());
  }
  [[noreturn]] void refuse(const std::string& key, const json& found, const std::string& wanted) const {
    throw coldzoom::error(where_, "found " + key + " " + found.dump() + ", wanted " + wanted);
  }

 private:
  index_t number_of(const char* key, const json& value, index_t least) const {
    if (!value.is_number_integer() || value < least || value > largest_network_number) {
      refuse(
          key, value,
          "a whole number from " + std::to_string(least) + " to " + std::to_string(largest_network_number));
    }
    return value.get<index_t>();
  }
  bool is_second(const char* key, const json& value, const json& first, const json& second) const {
    if (value != first && value != second) refuse(key, value, first.dump() + " or " + second.dump());
    return value == second;
  }

  std::string where_;
  json entries_, unread_;
};

}  // namespace

network_settings read_unet2d_config(const std::string& where, const std::string& text) {
  config_reader config(where, text);
  network_settings s;
  const index_t channels = config.number("out_channels");
  if (const json& in = config.take("in_channels"); in != channels)
    config.refuse("in_channels", in, "out_channels, which are " + std::to_string(channels));
  const json& size = config.take("sample_size");
  if (size.is_array() && size.size() == 2) {
    const std::vector<index_t> sides = config.numbers("sample_size");
    s.image = {1, channels, sides[0], sides[1]};
  } else if (size.is_number_integer()) {
    const index_t side = config.number("sample_size");
    s.image = {1, channels, side, side};
  } else {
    config.refuse("sample_size", size, "the side of the images, or [height, width]");
  }

  const std::vector<index_t> widths = config.numbers("block_out_channels");
  const std::vector<bool> down = config.seconds_of("down_block_types", down_types[0], down_types[1]);
  std::vector<bool> up = config.seconds_of("up_block_types", up_types[0], up_types[1]);
  std::reverse(up.begin(), up.end());
  if (widths.empty() || down.size() != widths.size())
    config.refuse("down_block_types", config.take("down_block_types"),
                  "one for each of block_out_channels, " + std::to_string(widths.size()));
  if (up != down)
    config.refuse("up_block_types", config.take("up_block_types"),
                  "attention at the levels of down_block_types, the last one first");
  std::vector<index_t> attention;
  for (std::size_t level = 0; level < down.size(); ++level)
    if (down[level]) attention.push_back(static_cast<index_t>(level) + 1);
  if (attention.empty()) attention = {0};

  if (const json& width = config.take("time_embedding_dim"); !width.is_null() && width != 4 * widths[0])
    config.refuse("time_embedding_dim", width, "null or " + std::to_string(4 * widths[0]));
  const json& dropped = config.take("dropout");
  const double percent = dropped.is_number() ? 100 * dropped.get<double>() : -1;
  if (percent < 0 || percent > 99 || std::abs(percent - std::round(percent)) > 1e-6)
    config.refuse("dropout", dropped, "a number of whole percent, 0 to 0.99");
  const bool no_labels = config.take("num_class_embeds").is_null();
  const bool one_head = config.take("attention_head_dim").is_null();
  s.lists = {{"widths", widths},
             {"blocks", {config.number("layers_per_block")}},
             {"attention", attention},
             {"middle-attention", {config.second_of("add_attention", false, true)}},
             {"head-channels", {one_head ? 0 : config.number("attention_head_dim")}},
             {"groups", {config.number("norm_num_groups")}},
             {"film", {config.second_of("resnet_time_scale_shift", "default", "scale_shift")}},
             {"dropout", {std::lround(percent)}},
             {"classes", {no_labels ? 0 : config.number("num_class_embeds", 2) - 1}}};
  config.take("num_train_timesteps");  // of learnt embeddings of the time alone
  config.expect_rest_as_usual();
  return s;
}

std::string unet2d_config(const network_settings& s) {
  json config = usual();
  const index_t classes = s.number("classes"), head = s.number("head-channels");
  const std::vector<index_t>& attention = s.list("attention");
  json down = json::array(), up = json::array();
  for (std::size_t level = 1; level <= s.list("widths").size(); ++level) {
    const bool attends =
        std::find(attention.begin(), attention.end(), static_cast<index_t>(level)) != attention.end();
    down.push_back(down_types[attends]);
    up.insert(up.begin(), up_types[attends]);
  }
  if (s.image.h == s.image.w) {
    config["sample_size"] = s.image.h;
  } else {
    config["sample_size"] = {s.image.h, s.image.w};
  }
  config["in_channels"] = s.input_channels;
  config["out_channels"] = s.image.c;
  config["down_block_types"] = down;
  config["up_block_types"] = up;
  config["block_out_channels"] = s.list("widths");
  config["layers_per_block"] = s.number("blocks");
  config["dropout"] = static_cast<double>(s.number("dropout")) / 100;
  config["attention_head_dim"] = head > 0 ? json(head) : json(nullptr);
  config["norm_num_groups"] = s.number("groups");
  config["resnet_time_scale_shift"] = s.number("film") != 0 ? "scale_shift" : "default";
  config["add_attention"] = s.number("middle-attention") != 0;
  config["num_class_embeds"] = classes > 0 ? json(classes + 1) : json(nullptr);
  return config.dump(2) + "\n";
}

}  // namespace programs
