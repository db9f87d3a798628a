// The report's only style sheet, inside its file.
#pragma once

#include <string_view>

namespace keel {

/// Light and dark follow the reader's setting; on paper it is light. s0 to s4 are the series of the plots.
std::string_view report_style();

}  // namespace keel
