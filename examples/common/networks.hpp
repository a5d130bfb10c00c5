/// The networks of this project's own table.
#pragma once

#include <memory>

#include "common/network.hpp"

namespace programs {

inline constexpr coldzoom::index_t largest_network_number = 4096;  // of any option

std::unique_ptr<network_entry> reconstructor_entry();
std::unique_ptr<network_entry> unet_entry();
std::unique_ptr<network_entry> attention_unet_entry();

}  // namespace programs
