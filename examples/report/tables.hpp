/// The tables of the page.
#pragma once

#include <string>
#include <vector>

#include "report/runs.hpp"

namespace programs::report {

/// The name of run i behind its colour, as markup. A narrow column may break it.
std::string run_heading(const run_report& run, std::size_t i);

/// Settings of the runs, marked where they differ.
std::string settings_table(const std::vector<run_report>& runs);

/// Losses and scores; with those of real digits where there is a floor.
std::string numbers_table(const std::vector<run_report>& runs, const nlohmann::ordered_json* floor,
                          const settings& s);

}  // namespace programs::report
