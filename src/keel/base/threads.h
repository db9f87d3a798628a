// How OpenMP's threads wait. libgomp reads its environment when it is loaded, so a choice means starting
// anew.
#pragma once

namespace keel {

/// Lets idle threads sleep instead of spin, unless OMP_WAIT_POLICY says otherwise: starts the program again
/// once with it set. Spinning threads on contended cores made a call of two threads 100 times slower (12 ms
/// against 0.12 ms); on idle cores sleeping costs 0.06 ms a call.
void restart_with_sleeping_threads(char** arguments);

}  // namespace keel
