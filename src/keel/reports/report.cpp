#include "keel/reports/report.h"

#include "keel/base/error.h"
#include "keel/reports/html.h"
#include "keel/reports/sections.h"
#include "keel/reports/style.h"

namespace keel {
namespace {

void check(const ReportData& data) {
  for (const auto& curve : data.curves) {
    const size_t size = curve.steps.size();
    if (curve.values.size() == size && (curve.errors.empty() || curve.errors.size() == size)) continue;
    throw Error("report", "expected a step for each value of the curve \"" + curve.name + "\", got " +
                              std::to_string(size) + " steps, " + std::to_string(curve.values.size()) +
                              " values and " + std::to_string(curve.errors.size()) + " errors");
  }
}

// Nothing may be fetched and nothing may run, whatever text slipped through: the browser is told so too.
constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
)";

}  // namespace

std::string render_report(const ReportData& data) {
  check(data);
  std::string page = kHead;
  page += "<title>" + html::escape(data.title) + "</title>\n<style>" + std::string(report_style()) +
          "</style>\n</head>\n<body>\n<main>\n";
  page += verdict_section(data);
  page += curves_section(data);
  page += frontier_section(data);
  page += reward_model_section(data);
  page += win_rates_section(data);
  page += samples_section(data);
  page += limits_section(data);
  page += making_section(data);
  return page + "</main>\n</body>\n</html>\n";
}

}  // namespace keel
