// Kernels in plain C++ that the compiler vectorises once for each instruction set, chosen when the program
// loads.
#pragma once

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define KEEL_DISPATCHED __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define KEEL_DISPATCHED
#endif

/// The body of a dispatched function: inlined into each clone and so compiled for its instruction set.
#define KEEL_INLINE inline __attribute__((always_inline))
