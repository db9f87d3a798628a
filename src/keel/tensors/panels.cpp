#include "keel/tensors/panels.h"

#include <ATen/cpu/Utils.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <array>
#include <vector>

#include "keel/tensors/raw_bits.h"
#include "keel/tensors/tasks.h"

namespace keel {
namespace {

constexpr int64_t kRowsAtOnce = 96;   // of x, which stay in the second cache while panels pass
constexpr int64_t kPanelsAtOnce = 4;  // of one task

int64_t in_parts(int64_t all, int64_t part) {
  return (all + part - 1) / part;
}

// One panel of some rows of a weight, or of some columns.
template <class T, class From>
void pack_rows(const From* weight, int64_t rows, int64_t width, int64_t words, int64_t panel, T* to) {
  std::array<const From*, kPanel> from{};
  for (int64_t j = 0; j < std::min(kPanel, rows - panel * kPanel); ++j)
    from[static_cast<size_t>(j)] = weight + (panel * kPanel + j) * width;
  row_kernels().panels(T()).pack(PackRows<T, From>{from.data(), width, words, to});
}
template <class T, class From>
void pack_columns(const From* weight, int64_t rows, int64_t width, int64_t panel, T* to) {
  const int64_t first = panel * kPanel;
  row_kernels().panels(T()).pack(
      PackColumns<T, From>{weight + first, width, rows, std::min(kPanel, width - first), to});
}

}  // namespace

template <class T>
Panels<T>::Panels(const Tensor& weight, int64_t outputs, int64_t inputs)
    : outputs_(outputs),
      inputs_(inputs),
      words_(in_parts(inputs, kWord<Raw<T>>)),
      packed_(at::empty({panels(), words_ * kPanel * kWord<Raw<T>>},
                        weight.options().dtype(c10::CppTypeToScalarType<T>::value))) {}

template <class T>
Panels<T> Panels<T>::of_rows(const Tensor& weight) {
  Panels result(weight, weight.size(0), weight.size(1));
  for_each_task(result.panels(), [&](int64_t p) {
    Raw<T>* const to = bits(const_cast<T*>(result.panel(p)));
    if (weight.scalar_type() == at::kFloat)
      pack_rows(weight.const_data_ptr<float>(), weight.size(0), weight.size(1), result.words_, p, to);
    else
      pack_rows(bits(weight.const_data_ptr<T>()), weight.size(0), weight.size(1), result.words_, p, to);
  });
  return result;
}

template <class T>
Panels<T> Panels<T>::of_columns(const Tensor& weight) {
  Panels result(weight, weight.size(1), weight.size(0));
  for_each_task(result.panels(), [&](int64_t p) {
    Raw<T>* const to = bits(const_cast<T*>(result.panel(p)));
    if (weight.scalar_type() == at::kFloat)
      pack_columns(weight.const_data_ptr<float>(), weight.size(0), weight.size(1), p, to);
    else
      pack_columns(bits(weight.const_data_ptr<T>()), weight.size(0), weight.size(1), p, to);
  });
  return result;
}

template <class T>
int64_t Panels<T>::panels() const {
  return in_parts(outputs_, kPanel);
}
template <class T>
int64_t Panels<T>::padded_outputs() const {
  return panels() * kPanel;
}
template <class T>
const T* Panels<T>::panel(int64_t index) const {
  return packed_.const_data_ptr<T>() + index * packed_.size(1);
}

template <class T>
Tensor Panels<T>::multiply(const Tensor& given, const Tensor& bias) const {
  const bool odd = inputs_ % kWord<Raw<T>> != 0;
  const Tensor x = odd ? at::constant_pad_nd(given, {0, 1}) : given;
  const Tensor biases =
      bias.defined() ? at::constant_pad_nd(bias.detach(), {0, padded_outputs() - outputs_}) : Tensor();
  const int64_t rows = x.size(0), blocks = std::max<int64_t>(1, in_parts(rows, kRowsAtOnce)),
                block_rows = in_parts(rows, blocks), groups = in_parts(panels(), kPanelsAtOnce);
  Tensor out = at::empty({rows, outputs_}, x.options());
  for_each_task(blocks * groups, [&](int64_t task) {
    const int64_t row = task / groups * block_rows, count = std::min(block_rows, rows - row);
    float sums[kRowsAtOnce * kPanel];
    Raw<T> cut[kRowsAtOnce * kPanel];
    for (int64_t p = task % groups * kPanelsAtOnce;
         p < std::min(panels(), (task % groups + 1) * kPanelsAtOnce); ++p) {
      const int64_t columns = std::min(kPanel, outputs_ - p * kPanel);
      Raw<T>* const to = bits(out.data_ptr<T>()) + row * outputs_ + p * kPanel;
      const bool whole = columns == kPanel;
      row_kernels().panels(Raw<T>()).product(
          {.a = bits(x.const_data_ptr<T>()) + row * x.stride(0),
           .row_stride = x.stride(0),
           .rows = count,
           .words = words_,
           .panel = bits(panel(p)),
           .sums = sums,
           .out = whole ? to : cut,
           .out_stride = whole ? outputs_ : kPanel,
           .bias = biases.defined() ? biases.const_data_ptr<float>() + p * kPanel : nullptr});
      if (!whole)
        for (int64_t r = 0; r < count; ++r) std::copy_n(cut + r * kPanel, columns, to + r * outputs_);
    }
  });
  return out;
}

template <class T>
void Panels<T>::multiply_rows(const T* x, int64_t stride, int64_t rows, float* sums) const {
  std::vector<T> padded;  // an odd row in pairs: its last word ends in a zero
  const int64_t width = words_ * kWord<Raw<T>>;
  if (width != inputs_) {
    padded.resize(static_cast<size_t>(rows * width));
    for (int64_t r = 0; r < rows; ++r) std::copy_n(x + r * stride, inputs_, padded.data() + r * width);
    x = padded.data();
    stride = width;
  }
  for (int64_t p = 0; p < panels(); ++p)
    row_kernels().panels(Raw<T>()).product({.a = bits(x),
                                            .row_stride = stride,
                                            .rows = rows,
                                            .words = words_,
                                            .panel = bits(panel(p)),
                                            .sums = sums + p * kPanel,
                                            .sums_stride = padded_outputs()});
}

template class Panels<float>;
template class Panels<c10::BFloat16>;

bool multiplies_by_panels(at::ScalarType type) {
  static const bool tiles = at::cpu::init_amx();
  return type == at::kFloat || (type == at::kBFloat16 && !tiles);
}

Tensor linear_product(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!multiplies_by_panels(x.scalar_type())) return linear_product_plain(x, weight, bias);
  return x.scalar_type() == at::kBFloat16 ? Panels<c10::BFloat16>::of_rows(weight).multiply(x, bias)
                                          : Panels<float>::of_rows(weight).multiply(x, bias);
}
Tensor linear_product_plain(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor w = weight.to(x.scalar_type()).t();
  return bias.defined() ? at::addmm(bias.to(x.scalar_type()), x, w) : at::mm(x, w);
}
Tensor linear_product_back(const Tensor& dy, const Tensor& weight) {
  if (!multiplies_by_panels(dy.scalar_type())) return linear_product_back_plain(dy, weight);
  return dy.scalar_type() == at::kBFloat16 ? Panels<c10::BFloat16>::of_columns(weight).multiply(dy)
                                           : Panels<float>::of_columns(weight).multiply(dy);
}
Tensor linear_product_back_plain(const Tensor& dy, const Tensor& weight) {
  return at::mm(dy, weight.to(dy.scalar_type()));
}

}  // namespace keel
