// What libraries read from the environment when they are loaded, so that a choice means starting anew.
#pragma once

namespace keel {

/// Starts the program again, once, with choices that the user has not made:
/// - GOMP_SPINCOUNT: an idle thread spins for microseconds and then sleeps (figures: environment.cpp).
/// - GLIBC_TUNABLES: the C library's heap keeps what is freed, in huge pages; given back and zeroed anew
///   the tensors of a step cost 9 % of it (m30, two cores). The large ones lie in base/chunk_heap.
void restart_with_environment(char** arguments);

}  // namespace keel
