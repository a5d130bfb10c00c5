/// The folders in which diffusers keeps a U-Net: those of UNet2DModel's save_pretrained and from_pretrained.
#pragma once

#include <string>

#include "common/network.hpp"

namespace programs {

/// The files in such a folder.
constexpr const char *unet2d_config_file = "config.json",
                     *unet2d_weights_file = "diffusion_pytorch_model.safetensors";

/// The network attention_unet of a config.json, from its text. Throws coldzoom::error, which begins with `where`
/// and names the key, for what attention_unet does not have, and for a key that this reader does not know.
network_settings read_unet2d_config(const std::string& where, const std::string& text);

/// The text of the config.json of an attention_unet.
std::string unet2d_config(const network_settings& settings);

}  // namespace programs
