#include "keel/tensors/decode_kernels.h"

#include "keel/tensors/simd.h"

namespace keel {

namespace portable {
extern const DecodeKernels kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const DecodeKernels kernels;
}
namespace avx512 {
extern const DecodeKernels kernels;
}
namespace avx512bf16 {
extern const DecodeKernels kernels;
}
#endif

std::vector<const DecodeKernels*> decode_kernel_levels() {
  std::vector<const DecodeKernels*> levels;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (wide && __builtin_cpu_supports("avx512bf16")) levels.push_back(&avx512bf16::kernels);
  if (wide) levels.push_back(&avx512::kernels);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) levels.push_back(&avx2::kernels);
#endif
  levels.push_back(&portable::kernels);
  return levels;
}

namespace {

void put(float* to, float value) {
  *to = value;
}
void put(uint16_t* to, float value) {
  *to = float_to_bfloat16(value);
}

}  // namespace

template <class T>
void pack_panel(const float* const* rows, int64_t inner, T* packed) {
  constexpr int64_t kPair = sizeof(float) / sizeof(T);
  for (int64_t k = 0; k < padded(inner); ++k)
    for (int64_t j = 0; j < kPanel; ++j)
      put(packed + (k / kPair * kPanel + j) * kPair + k % kPair,
          rows[j] != nullptr && k < inner ? rows[j][k] : 0.0F);
}

template void pack_panel(const float* const*, int64_t, float*);
template void pack_panel(const float* const*, int64_t, uint16_t*);

}  // namespace keel
