#include "keel/tensors/row_kernels.h"

#include "keel/tensors/instruction_sets.h"

namespace keel {

namespace portable {
extern const RowKernels row_kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const RowKernels row_kernels;
}
namespace avx512 {
extern const RowKernels row_kernels;
}
namespace avx512bf16 {
extern const RowKernels row_kernels;
}
#endif

std::vector<const RowKernels*> row_kernel_levels() {
#if defined(__x86_64__)
  return supported_levels<RowKernels>(
      {&avx512bf16::row_kernels, &avx512::row_kernels, &avx2::row_kernels, &portable::row_kernels});
#else
  return {&portable::row_kernels};
#endif
}

const RowKernels& row_kernels() {
  static const RowKernels& best = *row_kernel_levels().front();
  return best;
}

}  // namespace keel
