// The kernels for AVX2 with fused multiply-add (Haswell and later, Zen 1 to 3).
#include "keel/tensors/decode_kernels.h"
#include "keel/tensors/row_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx2,fma")

#define KEEL_LEVEL avx2
#define KEEL_LEVEL_NAME "avx2"
#define KEEL_LANES 8
#define KEEL_VECTORS 2
#define KEEL_DOTS_BFLOAT16 0
#include "keel/tensors/vectors.h"
// The texts that are written with them, each with those before it.
#include "keel/tensors/panel_product_body.h"
//
#include "keel/tensors/row_kernels_body.h"
//
#include "keel/tensors/decode_kernels_body.h"
#endif
