// Small dense products for the kernels of this folder: C (M, N) float32 = A (M, K) · B (K, N), or += with
// `add`.
//
// On processors that oneDNN's batch-reduced kernels know, they come out of libtorch (ATen/native/CPUBlas.h,
// brgemm): on AVX512-BF16 214-232 GFLOP/s a thread for bfloat16 and 112-117 for float32, at 16 x 64 x 512
// already. Elsewhere a plain loop that the compiler vectorises computes the same.
//
// B in bfloat16 is stored in pairs: [K / 2][N][2], so that one instruction multiplies and adds two
// neighbours.
#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace keel {

/// K that a product of this type can have is a multiple of this.
template <class T>
constexpr int64_t kPair = 1;
template <>
inline constexpr int64_t kPair<c10::BFloat16> = 2;

struct ProductShape {
  int64_t m, n, k;
  int64_t lda, ldb, ldc;  // elements from one row to the next; of B: columns of a row (a pair counts once)
};

void block_product(const ProductShape& shape, const float* a, const float* b, float* c, bool add);
void block_product(const ProductShape& shape, const c10::BFloat16* a, const c10::BFloat16* b, float* c,
                   bool add);

/// The statement by plain loops, which the tests compare with.
void block_product_plain(const ProductShape& shape, const float* a, const float* b, float* c, bool add);
void block_product_plain(const ProductShape& shape, const c10::BFloat16* a, const c10::BFloat16* b, float* c,
                         bool add);

/// x (rows, columns), stride elements apart, becomes a B operand. By rows: K runs over the rows, N over the
/// columns; by columns: K runs over the columns, N over the rows. What K lacks to a multiple of kPair is
/// zero.
template <class T>
void pack_by_rows(const T* x, int64_t stride, int64_t rows, int64_t columns, T* b);
template <class T>
void pack_by_columns(const T* x, int64_t stride, int64_t rows, int64_t columns, T* b);

}  // namespace keel
