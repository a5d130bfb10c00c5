/// Reading and writing safetensors files, compiled once for all programs.
#pragma once

#include <coldzoom/io/safetensors.hpp>

extern template coldzoom::safetensors_file coldzoom::load_safetensors<>(const std::string&);
extern template void coldzoom::save_safetensors<>(const std::string&, const coldzoom::safetensors_file&);
