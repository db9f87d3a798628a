#include "keel/tensors/weight_gradient.h"

#include <ATen/ops/mm.h>

#include <algorithm>

#include "keel/tensors/raw_bits.h"
#include "keel/tensors/row_kernels.h"

namespace keel {
namespace {

constexpr int64_t kPanel = kPairPanel;
constexpr int64_t kRowsAtOnce = 1024;  // their panels stay in the second cache

int64_t panels(int64_t columns) {
  return (columns + kPanel - 1) / kPanel;
}

// Some rows of a bfloat16 matrix.
struct Rows {
  const uint16_t* data;
  int64_t stride, count, columns;
  int64_t words() const { return (count + 1) / 2; }
  void pack(int64_t panel, uint32_t* to) const {
    const int64_t first = panel * kPanel;
    row_kernels().pack_pairs({data + first, stride, count, std::min(kPanel, columns - first), to});
  }
};

// A tile of the gradient; one that is cut at the right goes through a whole one.
void add_tile(const uint32_t* a, const uint32_t* b, int64_t words, float* c, int64_t stride, int64_t rows,
              int64_t columns) {
  if (columns == kPanel) return row_kernels().pair_product({a, b, words, rows, c, stride});
  float whole[kPanel * kPanel] = {};
  row_kernels().pair_product({a, b, words, rows, whole, kPanel});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; ++j) c[r * stride + j] += whole[r * kPanel + j];
}

void add_product(float* gradient, const Rows& dy, const Rows& x) {
  const int64_t words = dy.words(), size = words * kPanel, across = panels(x.columns);
  const Tensor packed = at::empty({across, size}, at::kInt);
  auto* const right = reinterpret_cast<uint32_t*>(packed.data_ptr<int32_t>());
  at::parallel_for(0, across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) x.pack(p, right + p * size);
  });
  at::parallel_for(0, panels(dy.columns), 1, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> left(static_cast<size_t>(size));
    for (int64_t p = begin; p < end; ++p) {
      dy.pack(p, left.data());
      float* const row = gradient + p * kPanel * x.columns;
      for (int64_t q = 0; q < across; ++q)
        add_tile(left.data(), right + q * size, words, row + q * kPanel, x.columns,
                 std::min(kPanel, dy.columns - p * kPanel), std::min(kPanel, x.columns - q * kPanel));
    }
  });
}

}  // namespace

void add_weight_gradient(const Tensor& gradient, const Tensor& dy, const Tensor& x) {
  const bool pairs = dy.is_cpu() && dy.scalar_type() == at::kBFloat16 && gradient.is_contiguous() &&
                     gradient.scalar_type() == at::kFloat && row_kernels().multiplies_bfloat16;
  if (!pairs || dy.stride(1) != 1 || x.stride(1) != 1) return add_weight_gradient_plain(gradient, dy, x);
  const int64_t rows = dy.size(0);
  for (int64_t begin = 0; begin < rows; begin += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, rows - begin);
    const auto some = [&](const Tensor& of) {
      return Rows{bits(of.const_data_ptr<c10::BFloat16>()) + begin * of.stride(0), of.stride(0), count,
                  of.size(1)};
    };
    add_product(gradient.data_ptr<float>(), some(dy), some(x));
  }
}

void add_weight_gradient_plain(const Tensor& gradient, const Tensor& dy, const Tensor& x) {
  if (dy.scalar_type() == gradient.scalar_type())
    gradient.addmm_(dy.t(), x);
  else
    gradient.add_(at::mm(dy.t(), x));
}

}  // namespace keel
