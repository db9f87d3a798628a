// Which of the levels that kernels are compiled for this processor can run.
#pragma once

#include <array>
#include <vector>

namespace keel {

#if defined(__x86_64__)
/// all: the kernels for AVX512-BF16, AVX-512, AVX2 with FMA, and every processor, in this order.
template <class Kernels>
std::vector<const Kernels*> supported_levels(const std::array<const Kernels*, 4>& all) {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  std::vector<const Kernels*> levels;
  if (avx512 && __builtin_cpu_supports("avx512bf16")) levels.push_back(all[0]);
  if (avx512) levels.push_back(all[1]);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) levels.push_back(all[2]);
  levels.push_back(all[3]);
  return levels;
}
#endif

}  // namespace keel
