/// The page itself.
#pragma once

#include <string>
#include <vector>

#include "report/charts.hpp"

namespace programs::report {

std::string page(const std::vector<run_report>& runs, const std::vector<scores_at>& floors, const settings& s,
                 picture_book& pictures);

}  // namespace programs::report
