// The kernels for processors that multiply bfloat16 (Zen 4, Sapphire Rapids).
#include "keel/tensors/decode_kernels.h"
#include "keel/tensors/row_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")

#define KEEL_LEVEL avx512bf16
#define KEEL_LEVEL_NAME "avx512bf16"
#define KEEL_LANES 16
#define KEEL_VECTORS 4
#define KEEL_DOTS_BFLOAT16 1
#include "keel/tensors/vectors.h"
// The texts that are written with them, each with those before it.
#include "keel/tensors/panel_product_body.h"
//
#include "keel/tensors/row_kernels_body.h"
//
#include "keel/tensors/decode_kernels_body.h"
#endif
