#include "keel/tensors/weight_gradient.h"

#include <ATen/ops/mm.h>

#include <algorithm>

#include "keel/tensors/panels.h"
#include "keel/tensors/raw_bits.h"
#include "keel/tensors/tasks.h"

namespace keel {
namespace {

constexpr int64_t kRowsAtOnce = 1024;  // their panels stay in the second cache

int64_t panels(int64_t columns) {
  return (columns + kPanel - 1) / kPanel;
}

// Some rows of a matrix.
template <class T>
struct Rows {
  const T* data;
  int64_t stride, count, columns;
  int64_t words() const { return (count + kWord<T> - 1) / kWord<T>; }
  int64_t panel_size() const { return words() * kWord<T> * kPanel; }
  void pack(int64_t panel, T* to) const {
    const int64_t first = panel * kPanel;
    row_kernels().panels(T()).pack(
        PackColumns<T, T>{data + first, stride, count, std::min(kPanel, columns - first), to});
  }
};

// A tile of the gradient, its left panel's columns against the right panel's; one that is cut at the right
// goes through a whole one.
template <class T>
void add_tile(const T* left, const T* right, int64_t words, float* c, int64_t stride, int64_t rows,
              int64_t columns, bool fresh) {
  float whole[kPanel * kPanel];
  const bool cut = columns < kPanel;
  row_kernels().panels(T()).product({.a = left,
                                     .row_stride = kWord<T>,
                                     .word_stride = kPanel * kWord<T>,
                                     .rows = rows,
                                     .words = words,
                                     .panel = right,
                                     .sums = cut ? whole : c,
                                     .sums_stride = cut ? kPanel : stride,
                                     .add = !cut && !fresh});
  if (cut)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j)
        c[r * stride + j] = whole[r * kPanel + j] + (fresh ? 0.0F : c[r * stride + j]);
}

template <class T>
void add_product(float* gradient, const Rows<T>& dy, const Rows<T>& x, T* right, bool fresh) {
  const int64_t size = x.panel_size(), across = panels(x.columns);
  for_each_task(across, [&](int64_t p) { x.pack(p, right + p * size); });
  for_each_task(panels(dy.columns), [&](int64_t p) {
    std::vector<T> left(static_cast<size_t>(dy.panel_size()));
    dy.pack(p, left.data());
    float* const row = gradient + p * kPanel * x.columns;
    for (int64_t q = 0; q < across; ++q)
      add_tile(left.data(), right + q * size, dy.words(), row + q * kPanel, x.columns,
               std::min(kPanel, dy.columns - p * kPanel), std::min(kPanel, x.columns - q * kPanel), fresh);
  });
}

template <class T>
void add_in_parts(const Tensor& gradient, const Tensor& dy, const Tensor& x, bool fresh) {
  const int64_t rows = dy.size(0), most = std::min(rows, kRowsAtOnce);
  const Tensor scratch = at::empty({panels(x.size(1)), (most + 1) / 2 * 2 * kPanel}, x.options());
  for (int64_t begin = 0; begin < rows; begin += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, rows - begin);
    const auto some = [&](const Tensor& of) {
      return Rows<Raw<T>>{bits(of.const_data_ptr<T>()) + begin * of.stride(0), of.stride(0), count,
                          of.size(1)};
    };
    add_product(gradient.data_ptr<float>(), some(dy), some(x), bits(scratch.data_ptr<T>()),
                fresh && begin == 0);
  }
}

}  // namespace

void add_weight_gradient(const Tensor& gradient, const Tensor& dy, const Tensor& x, bool fresh) {
  const bool panels = dy.is_cpu() && gradient.is_contiguous() && gradient.scalar_type() == at::kFloat &&
                      dy.stride(1) == 1 && x.stride(1) == 1 && multiplies_by_panels(dy.scalar_type());
  if (!panels || dy.size(0) == 0) return add_weight_gradient_plain(gradient, dy, x, fresh);
  if (dy.scalar_type() == at::kBFloat16) return add_in_parts<c10::BFloat16>(gradient, dy, x, fresh);
  add_in_parts<float>(gradient, dy, x, fresh);
}

void add_weight_gradient_plain(const Tensor& gradient, const Tensor& dy, const Tensor& x, bool fresh) {
  if (fresh) gradient.zero_();
  if (dy.scalar_type() == gradient.scalar_type())
    gradient.addmm_(dy.t(), x);
  else
    gradient.add_(at::mm(dy.t(), x));
}

}  // namespace keel
