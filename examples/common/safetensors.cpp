#include "common/safetensors.hpp"

template coldzoom::safetensors_file coldzoom::load_safetensors<>(const std::string&);
template void coldzoom::save_safetensors<>(const std::string&, const coldzoom::safetensors_file&);
