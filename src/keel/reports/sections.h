// The sections of the report, each a function from the data to HTML.
#pragma once

#include <string>

#include "keel/reports/report.h"

namespace keel {

std::string verdict_section(const ReportData& data);
std::string curves_section(const ReportData& data);
std::string frontier_section(const ReportData& data);
std::string reward_model_section(const ReportData& data);
std::string win_rates_section(const ReportData& data);
std::string samples_section(const ReportData& data);
std::string limits_section(const ReportData& data);
std::string making_section(const ReportData& data);

}  // namespace keel
