// The files of web/, compiled into the program, so that it needs no folder beside it.
#pragma once

#include <string_view>

namespace keel {

/// The content of web/<name>, or an empty view.
std::string_view embedded_file(std::string_view name);

}  // namespace keel
