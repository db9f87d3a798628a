#include "keel/tensors/block_product.h"

#include <ATen/native/CPUBlas.h>

#include <cstring>

#include "keel/tensors/simd.h"

namespace keel {
namespace {

using c10::BFloat16;

KEEL_DISPATCHED void multiply(const ProductShape& s, const float* a, const float* b, float* c, bool add) {
  for (int64_t i = 0; i < s.m; ++i) {
    float* row = c + i * s.ldc;
    if (!add) std::memset(row, 0, static_cast<size_t>(s.n) * sizeof(float));
    for (int64_t k = 0; k < s.k; ++k) {
      const float factor = a[i * s.lda + k];
      const float* from = b + k * s.ldb;
#pragma omp simd
      for (int64_t j = 0; j < s.n; ++j) row[j] += factor * from[j];
    }
  }
}

KEEL_DISPATCHED void multiply(const ProductShape& s, const BFloat16* a, const BFloat16* b, float* c,
                              bool add) {
  for (int64_t i = 0; i < s.m; ++i) {
    float* row = c + i * s.ldc;
    if (!add) std::memset(row, 0, static_cast<size_t>(s.n) * sizeof(float));
    for (int64_t k = 0; k < s.k; k += 2) {
      const float first = a[i * s.lda + k], second = a[i * s.lda + k + 1];
      const BFloat16* from = b + k * s.ldb;
#pragma omp simd
      for (int64_t j = 0; j < s.n; ++j)
        row[j] += first * bfloat16_to_float(from[2 * j].x) + second * bfloat16_to_float(from[2 * j + 1].x);
    }
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
