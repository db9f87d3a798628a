// What the program says of itself, on standard error. Results go to files and standard output.
#pragma once

#include <string_view>

namespace keel {

void log_info(std::string_view message);
void log_warning(std::string_view message);

}  // namespace keel
