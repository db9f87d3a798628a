// The files of web/, compiled into the program, so that it needs no folder beside it.
#pragma once

#include <span>
#include <string_view>

namespace keel {

/// The content of web/<name>, or an empty view.
std::string_view embedded_file(std::string_view name);

/// The names of all files.
std::span<const std::string_view> embedded_names();

}  // namespace keel
