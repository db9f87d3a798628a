// The matrix product of every fast path: some rows times a panel of kPanel columns, whose right side lies
// packed in words. Compiled once for each instruction set with the kernels of rows and of decoding
// (kernels_*.cpp).
//
// A word is what one step of the sum reads: a float, or a pair of bfloat16, which AVX512-BF16 multiplies and
// adds in one instruction. Sums are float32, one chain over the words of a row in their order: a row's result
// depends neither on the rows beside it nor on how the work is split, and training and generation sum alike.
#pragma once

#include <cstdint>

namespace keel {

constexpr int64_t kPanel = 64;  // columns of a panel

/// Elements of T in a word. T is float, or bfloat16 as uint16_t.
template <class T>
constexpr int64_t kWord = sizeof(float) / sizeof(T);

/// (rows, kPanel) = a · panel, to `sums`, or rounded to T in `out`.
template <class T>
struct PanelProduct {
  const T* a = nullptr;  // the word k of row r lies at a + r · row_stride + k · word_stride
  int64_t row_stride = 0, word_stride = kWord<T>;
  int64_t rows = 0, words = 0;
  const T* panel = nullptr;  // [words][kPanel][kWord]
  float* sums = nullptr;     // scratch where `out` is given: sums of many words go through it
  int64_t sums_stride = kPanel;
  bool add = false;  // to what stands in sums
  T* out = nullptr;  // or null
  int64_t out_stride = 0;
  const float* bias = nullptr;  // (kPanel), of out; or null
};

/// Up to kPanel rows of a weight become a panel: neighbours in a row are the words of its column. What is
/// missing is zero.
template <class T, class From>
struct PackRows {
  const From* const* rows = nullptr;  // kPanel of them; null: zeros
  int64_t count = 0;                  // elements of a row
  int64_t words = 0;                  // of the panel
  T* panel = nullptr;
};

/// Up to kPanel columns of x become a panel: neighbours in a column (rows 2k and 2k + 1 in bfloat16) are its
/// words. What is missing is zero.
template <class T, class From>
struct PackColumns {
  const From* x = nullptr;
  int64_t stride = 0, rows = 0, columns = 0;
  T* panel = nullptr;  // (rows + kWord − 1) / kWord words
};

template <class T>
struct PanelKernels {
  void (*product)(const PanelProduct<T>&);
  void (*pack_rows)(const PackRows<T, T>&);
  void (*pack_float_rows)(const PackRows<T, float>&);
  void (*pack_columns)(const PackColumns<T, T>&);
  void (*pack_float_columns)(const PackColumns<T, float>&);

  void pack(const PackRows<T, T>& work) const { pack_rows(work); }
  void pack(const PackColumns<T, T>& work) const { pack_columns(work); }
  void pack(const PackRows<T, float>& work) const requires(kWord<T> > 1) { pack_float_rows(work); }
  void pack(const PackColumns<T, float>& work) const requires(kWord<T> > 1) { pack_float_columns(work); }
};

}  // namespace keel
