/// The methods of this project's own table, each made where it is compiled.
#pragma once

#include <memory>
#include <vector>

#include "common/method.hpp"

namespace programs {

std::unique_ptr<method_entry> zoom_nearest_entry();
std::unique_ptr<method_entry> zoom_bilinear_entry();
std::unique_ptr<method_entry> zoom_frontier_entry();
std::unique_ptr<method_entry> flow_entry();
std::unique_ptr<method_entry> zoom_masked_entry();
std::unique_ptr<method_entry> zoom_energy_entry();
std::unique_ptr<method_entry> inpaint_entry();
std::unique_ptr<method_entry> inpaint_frontier_entry();
std::unique_ptr<method_entry> ddpm_linear_entry();
std::unique_ptr<method_entry> ddpm_cosine_entry();
std::unique_ptr<method_entry> ddpm_velocity_entry();
std::unique_ptr<method_entry> ddpm_self_entry();
std::unique_ptr<method_entry> edm_entry();
std::vector<std::unique_ptr<method_entry>> linear_entries();      // blurs, averages, spectra
std::vector<std::unique_ptr<method_entry>> corruption_entries();  // masks, colours, noise
std::vector<std::unique_ptr<method_entry>> picture_entries();     // what reads other pictures

}  // namespace programs
