/// Turns folders of diffusers' UNet2DModel into model files, and back.

#include <coldzoom/core/file.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <cstdio>

#include "common/diffusers.hpp"
#include "common/model.hpp"
#include "common/program.hpp"
#include "common/safetensors.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string from, to, kind = "ddpm_linear";
};

const char* const network_name = "attention_unet";

void read_folder(const settings& s) {
  using namespace programs;
  const std::string config = s.from + "/" + unet2d_config_file, weights = s.from + "/" + unet2d_weights_file;
  const std::vector<std::byte> bytes = read_file(config);
  const network_settings described =
      read_unet2d_config(config, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const method_entry& method = find_method("--kind", s.kind);
  const model_network network = find_network(s.from, network_name).make(described);
  const method_info& info = method.info();
  save_model(s.to, {{{info.steps, info.steps, info.default_numbers()}, &method},
                    "",
                    {},
                    network,
                    read_parameters(load_safetensors(weights), network)});
  std::printf("%s: %s of %s, %td parameters\n", s.to.c_str(), network.name().c_str(),
              network.options_text().c_str(), parameter_count(network));
}

void write_folder(const settings& s) {
  using namespace programs;
  const trained_model model = load_model(s.from, "");
  require(model.network.name() == network_name, s.from.c_str(),
          [&] { return "found the network " + model.network.name() + ", wanted " + network_name; });
  safetensors_file file;
  add_parameters(file, model.network, model.parameters);
  file.metadata = {{"format", "pt"}};
  make_folder(s.to);
  save_safetensors(s.to + "/" + unet2d_weights_file, file);
  write_file_atomically(s.to + "/" + unet2d_config_file, unet2d_config(model.network.settings()));
  std::printf("%s: %td parameters\n", s.to.c_str(), parameter_count(model.network));
}

void convert(const settings& s) { file_exists(s.from) ? write_folder(s) : read_folder(s); }

void add_options(programs::options& o, settings& s) {
  o.add("--from", s.from, "a folder of UNet2DModel.save_pretrained, or a model file of ours").required();
  o.add("--to", s.to, "the file to write, or the folder for UNet2DModel.from_pretrained").required();
  o.add("--kind", s.kind, "of a model that comes from a folder: " + programs::method_names());
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "convert_diffusers",
                                 "Turns a U-Net of diffusers into a model file, or the attention_unet of a "
                                 "model file into such a U-Net. "
                                 "Pixels are from -0.5 to 0.5 here and from -1 to 1 in diffusers' pipelines: "
                                 "a network that was trained on "
                                 "one kind answers wrongly to the other.",
                                 add_options, convert);
}
