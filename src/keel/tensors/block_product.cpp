#include "keel/tensors/block_product.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>

#include "keel/tensors/simd.h"

namespace keel {
namespace {

using c10::BFloat16;

constexpr int64_t kColumns = 64;  // of a row of C at once

// Sums from zero, then added to what stands, as oneDNN does: the order that decoding has, too.
void keep(const float* sums, int64_t count, float* row, bool add) {
  for (int64_t j = 0; j < count; ++j) row[j] = add ? row[j] + sums[j] : sums[j];
}

KEEL_DISPATCHED void multiply(const ProductShape& s, const float* a, const float* b, float* c, bool add) {
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t first = 0; first < s.n; first += kColumns) {
      const int64_t count = std::min(kColumns, s.n - first);
      float sums[kColumns] = {};
      for (int64_t k = 0; k < s.k; ++k) {
        const float factor = a[i * s.lda + k];
        const float* from = b + k * s.ldb + first;
#pragma omp simd
        for (int64_t j = 0; j < count; ++j) sums[j] += factor * from[j];
      }
      keep(sums, count, c + i * s.ldc + first, add);
    }
}

KEEL_DISPATCHED void multiply(const ProductShape& s, const BFloat16* a, const BFloat16* b, float* c,
                              bool add) {
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t first = 0; first < s.n; first += kColumns) {
      const int64_t count = std::min(kColumns, s.n - first);
      float sums[kColumns] = {};
      for (int64_t k = 0; k < s.k; k += 2) {
        const float even = a[i * s.lda + k], odd = a[i * s.lda + k + 1];
        const BFloat16* from = b + k * s.ldb + 2 * first;
#pragma omp simd
        for (int64_t j = 0; j < count; ++j) {  // one after the other, as add_product does (tensors/vectors.h)
          sums[j] += even * bfloat16_to_float(from[2 * j].x);
          sums[j] += odd * bfloat16_to_float(from[2 * j + 1].x);
        }
      }
      keep(sums, count, c + i * s.ldc + first, add);
    }
}

// libtorch without these kernels, or a processor that they do not know, throws at the first call.
template <class T>
bool has_brgemm() {
  const T a[4] = {}, b[4] = {};
  float c[4];
  try {
    at::native::cpublas::brgemm(2, 2, 2, 2, 2, 2, false, a, b, c, kPair<T> == 2);
    at::native::cpublas::brgemm_release(kPair<T> == 2);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

template <class T>
void product(const ProductShape& s, const T* a, const T* b, float* c, bool add) {
  static const bool known = has_brgemm<T>();
  if (known)
    at::native::cpublas::brgemm(s.m, s.n, s.k, s.lda, s.ldb, s.ldc, add, a, b, c, kPair<T> == 2);
  else
    multiply(s, a, b, c, add);
}

}  // namespace

void block_product(const ProductShape& s, const float* a, const float* b, float* c, bool add) {
  product(s, a, b, c, add);
}
void block_product(const ProductShape& s, const BFloat16* a, const BFloat16* b, float* c, bool add) {
  product(s, a, b, c, add);
}
void block_product_plain(const ProductShape& s, const float* a, const float* b, float* c, bool add) {
  multiply(s, a, b, c, add);
}
void block_product_plain(const ProductShape& s, const BFloat16* a, const BFloat16* b, float* c, bool add) {
  multiply(s, a, b, c, add);
}

template <class T>
void pack_by_rows(const T* x, int64_t stride, int64_t rows, int64_t columns, T* b) {
  constexpr int64_t kWidth = kPair<T>;
  for (int64_t r = 0; r < rows; r += kWidth)
    for (int64_t p = 0; p < kWidth; ++p) {
      const bool there = r + p < rows;
      const T* from = x + (r + p) * stride;
      T* to = b + r * columns + p;
      for (int64_t c = 0; c < columns; ++c) to[c * kWidth] = there ? from[c] : T(0);
    }
}

template <class T>
void pack_by_columns(const T* x, int64_t stride, int64_t rows, int64_t columns, T* b) {
  constexpr int64_t kWidth = kPair<T>;
  for (int64_t c = 0; c < columns; c += kWidth)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t p = 0; p < kWidth; ++p)
        b[c * rows + r * kWidth + p] = c + p < columns ? x[r * stride + c + p] : T(0);
}

template void pack_by_rows(const float*, int64_t, int64_t, int64_t, float*);
template void pack_by_rows(const BFloat16*, int64_t, int64_t, int64_t, BFloat16*);
template void pack_by_columns(const float*, int64_t, int64_t, int64_t, float*);
template void pack_by_columns(const BFloat16*, int64_t, int64_t, int64_t, BFloat16*);

}  // namespace keel
