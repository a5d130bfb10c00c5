// The config.json of diffusers' UNet2DModel.
#define BOOST_TEST_MODULE diffusers
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "common/diffusers.hpp"
#include "common/errors.hpp"

using programs::read_unet2d_config;
using list = std::vector<coldzoom::index_t>;

namespace {

// As save_pretrained of diffusers 0.42 wrote it, on fewer lines.
const std::string written = R"({
  "_class_name": "UNet2DModel", "_diffusers_version": "0.42.1", "act_fn": "silu", "add_attention": true,
  "attention_head_dim": null, "attn_norm_num_groups": null, "block_out_channels": [16, 32],
  "center_input_sample": false, "class_embed_type": null, "down_block_types": ["AttnDownBlock2D", "DownBlock2D"],
  "downsample_padding": 1, "downsample_type": "conv", "dropout": 0.0, "flip_sin_to_cos": true, "freq_shift": 0,
  "in_channels": 1, "layers_per_block": 1, "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2D",
  "norm_eps": 1e-05, "norm_num_groups": 8, "num_class_embeds": 11, "num_train_timesteps": null, "out_channels": 1,
  "resnet_time_scale_shift": "scale_shift", "sample_size": 12, "time_embedding_dim": null,
  "time_embedding_type": "positional", "up_block_types": ["UpBlock2D", "AttnUpBlock2D"], "upsample_type": "conv"
})";

/// `written`, or `text`, with one piece of it replaced.
std::string with(const std::string& piece, const std::string& other, std::string text = written) {
  const std::size_t at = text.find(piece);
  BOOST_REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), other);
}
std::string refusal(const std::string& text) {
  return message_of([&] { read_unet2d_config("config.json", text); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_diffusers_wrote) {
  const programs::network_settings s = read_unet2d_config("config.json", written);
  BOOST_TEST((s.image == coldzoom::shape{1, 1, 12, 12}));
  const std::map<std::string, list> wanted{
      {"widths", {16, 32}},   {"blocks", {1}}, {"attention", {1}}, {"middle-attention", {1}},
      {"head-channels", {0}}, {"groups", {8}}, {"film", {1}},      {"dropout", {0}},
      {"classes", {10}}};
  BOOST_TEST((s.lists == wanted));
}

BOOST_AUTO_TEST_CASE(other_values) {
  std::string other = with("12", "[8, 12]");
  other = with("null", "4", other);  // channels of a head
  other = with("0.0", "0.1", other);
  other = with("11", "null", other);
  other = with("\"scale_shift\"", "\"default\"", other);
  other = with("attention\": true", "attention\": false", other);
  other = with("AttnDown", "Down", with("AttnUp", "Up", other));
  other = with("\"time_embedding_dim\": null", "\"time_embedding_dim\": 64", other);
  const programs::network_settings s = read_unet2d_config("config.json", other);
  BOOST_TEST((s.image == coldzoom::shape{1, 1, 8, 12}));
  const std::map<std::string, list> wanted{
      {"widths", {16, 32}},   {"blocks", {1}}, {"attention", {0}}, {"middle-attention", {0}},
      {"head-channels", {4}}, {"groups", {8}}, {"film", {0}},      {"dropout", {10}},
      {"classes", {0}}};
  BOOST_TEST((s.lists == wanted));
}

BOOST_AUTO_TEST_CASE(absent_keys_have_the_values_of_diffusers) {
  const auto s = read_unet2d_config("config.json", R"({"sample_size": 64})");
  BOOST_TEST((s.image == coldzoom::shape{1, 3, 64, 64}));
  BOOST_TEST((s.list("widths") == list{224, 448, 672, 896}));
  BOOST_TEST((s.list("attention") == list{2, 3, 4}));
  BOOST_TEST(s.number("groups") == 32);
}

BOOST_AUTO_TEST_CASE(there_and_back) {
  for (const std::string& text : {written, with("12", "[8, 12]", with("11", "null", with("null", "4")))}) {
    programs::network_settings s = read_unet2d_config("config.json", text);
    s.input_channels = s.image.c;
    const programs::network_settings back = read_unet2d_config("again", unet2d_config(s));
    BOOST_TEST((back.image == s.image && back.lists == s.lists));
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const auto said = [](const std::string& what) { return "config.json: " + what; };
  BOOST_TEST(refusal("[1]") == said("this is no JSON object"));
  BOOST_TEST(refusal("{") == said("this is no JSON object"));
  BOOST_TEST(refusal(R"({"sample_size": 8, "skip_time_act": false})") ==
             said("found the key 'skip_time_act', which is not known here"));
  BOOST_TEST(refusal(with("UNet2DModel", "UNet2DConditionModel")) ==
             said("found _class_name \"UNet2DConditionModel\", wanted \"UNet2DModel\""));
  BOOST_TEST(refusal(with("silu", "gelu")) == said("found act_fn \"gelu\", wanted \"silu\""));
  BOOST_TEST(refusal(with("1e-05", "1e-06")) == said("found norm_eps 1e-06, wanted 1e-05"));
  BOOST_TEST(refusal(with("\"in_channels\": 1", "\"in_channels\": 2")) ==
             said("found in_channels 2, wanted out_channels, which are 1"));
  BOOST_TEST(refusal(with("12", "null")) ==
             said("found sample_size null, wanted the side of the images, or [height, width]"));
  BOOST_TEST(refusal(with("\"AttnDownBlock2D\", ", "")) ==
             said("found down_block_types [\"DownBlock2D\"], wanted one for each of block_out_channels, 2"));
  BOOST_TEST(refusal(with("AttnUpBlock2D", "UpBlock2D")) ==
             said("found up_block_types [\"UpBlock2D\",\"UpBlock2D\"], wanted attention at the levels of "
                  "down_block_types, the last one first"));
  BOOST_TEST(
      refusal(with("AttnDownBlock2D", "SkipDownBlock2D")) ==
      said("found down_block_types \"SkipDownBlock2D\", wanted \"DownBlock2D\" or \"AttnDownBlock2D\""));
  BOOST_TEST(refusal(with("0.0", "0.125")) ==
             said("found dropout 0.125, wanted a number of whole percent, 0 to 0.99"));
  BOOST_TEST(refusal(with("[16, 32]", "[16, 0]")) ==
             said("found block_out_channels 0, wanted a whole number from 1 to 4096"));
  BOOST_TEST(refusal(with("\"time_embedding_dim\": null", "\"time_embedding_dim\": 128")) ==
             said("found time_embedding_dim 128, wanted null or 64"));
  BOOST_TEST(refusal(with("11", "1")) ==
             said("found num_class_embeds 1, wanted a whole number from 2 to 4096"));
  BOOST_TEST(refusal(with("true", "1")) == said("found add_attention 1, wanted false or true"));
}
