#include "keel/tensors/decode_kernels.h"

#include "keel/tensors/instruction_sets.h"

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

}  // namespace keel
