#include "keel/tensors/decode_kernels.h"

#include "keel/tensors/instruction_sets.h"
#include "keel/tensors/simd.h"

namespace keel {

namespace portable {
extern const DecodeKernels decode_kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const DecodeKernels decode_kernels;
}
namespace avx512 {
extern const DecodeKernels decode_kernels;
}
namespace avx512bf16 {
extern const DecodeKernels decode_kernels;
}
#endif

std::vector<const DecodeKernels*> decode_kernel_levels() {
#if defined(__x86_64__)
  return supported_levels<DecodeKernels>({&avx512bf16::decode_kernels, &avx512::decode_kernels,
                                          &avx2::decode_kernels, &portable::decode_kernels});
#else
  return {&portable::decode_kernels};
#endif
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
