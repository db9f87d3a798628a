// The kernels for every processor: vectors of four, as SSE2 and NEON have.
#include "keel/tensors/decode_kernels.h"
#include "keel/tensors/row_kernels.h"

#define KEEL_LEVEL portable
#define KEEL_LEVEL_NAME "portable"
#define KEEL_LANES 4
#define KEEL_VECTORS 2
#define KEEL_DOTS_BFLOAT16 0
#include "keel/tensors/vectors.h"
// The texts that are written with them, each with those before it.
#include "keel/tensors/panel_product_body.h"
//
#include "keel/tensors/row_kernels_body.h"
//
#include "keel/tensors/decode_kernels_body.h"
