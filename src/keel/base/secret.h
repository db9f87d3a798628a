// What nobody can guess: invites, sessions, tokens of programs.
#pragma once

#include <cstddef>
#include <string>

namespace keel {

/// So many bytes of the system's randomness (libsodium), as hexadecimal digits. Never the same twice: what a
/// run must repeat is drawn from base/random.h.
std::string random_hex(size_t bytes);

}  // namespace keel
