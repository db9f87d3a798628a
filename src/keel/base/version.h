// The program's version, recorded in manifests.
#pragma once

namespace keel {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace keel
