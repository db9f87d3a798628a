// What libraries read from the environment when they are loaded, so that a choice means starting anew.
#pragma once

namespace keel {

/// Starts the program again, once, with choices that the user has not made:
/// - OMP_WAIT_POLICY: idle threads sleep instead of spin. Spinning threads on contended cores made a call of
/// two
///   threads 100 times slower (12 ms against 0.12 ms); on idle cores sleeping costs 0.06 ms a call.
/// - GLIBC_TUNABLES: the heap keeps what is freed, in huge pages. A training step frees and takes the same
/// tensors
///   again and again; given back and zeroed each time they cost 9 % of it (m30, two cores).
void restart_with_environment(char** arguments);

}  // namespace keel
