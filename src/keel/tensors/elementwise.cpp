#include "keel/tensors/elementwise.h"

#include <algorithm>
#include <vector>

#include "keel/tensors/raw_bits.h"
#include "keel/tensors/tensor.h"

namespace keel {
namespace {

using c10::BFloat16;

// Rows that one task takes. Sums over rows are made per task and then in the order of the tasks.
constexpr int64_t kRowsOfTask = 128;

template <class Task>
void for_each_task(int64_t rows, const Task& task) {
  const int64_t tasks = (rows + kRowsOfTask - 1) / kRowsOfTask;
  at::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) task(i, i * kRowsOfTask, std::min(rows, (i + 1) * kRowsOfTask));
  });
}

}  // namespace

template <class T>
void norm_forward(const NormShape& s, const float* x, const T* added, float* sum, T* normed, float* inverse,
                  float* mean) {
  for_each_task(s.rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t at = r * s.width;
      NormRow<Raw<T>> row{s.kind == NormKind::layer,
                          s.width,
                          s.epsilon,
                          s.weight,
                          s.bias,
                          x + at,
                          added != nullptr ? bits(added + at) : nullptr,
                          sum + at,
                          bits(normed + at)};
      kernels<T>().norm(row);
      inverse[r] = row.inverse;
      if (mean != nullptr) mean[r] = row.mean;
    }
  });
}

template <class T>
void norm_backward(const NormShape& s, const float* sum, const float* inverse, const float* mean,
                   const T* dnormed, float* dsum, T* dadded, float* dweight, float* dbias) {
  const int64_t tasks = (s.rows + kRowsOfTask - 1) / kRowsOfTask;
  std::vector<float> partial(static_cast<size_t>(2 * tasks * s.width));  // dweight and dbias of each task
  for_each_task(s.rows, [&](int64_t task, int64_t first, int64_t last) {
    float* own = partial.data() + 2 * task * s.width;
    for (int64_t r = first; r < last; ++r) {
      const int64_t at = r * s.width;
      kernels<T>().norm_back({s.kind == NormKind::layer, s.width, s.weight, sum + at, bits(dnormed + at),
                              dsum + at, dadded != nullptr ? bits(dadded + at) : nullptr, own,
                              dbias != nullptr ? own + s.width : nullptr, inverse[r],
                              mean != nullptr ? mean[r] : 0.0F});
    }
  });
  for (int64_t task = 0; task < tasks; ++task)
    for (int64_t c = 0; c < s.width; ++c) {
      dweight[c] += partial[static_cast<size_t>(2 * task * s.width + c)];
      if (dbias != nullptr) dbias[c] += partial[static_cast<size_t>((2 * task + 1) * s.width + c)];
    }
}

template <class T>
void rotate_in_place(const RotaryShape& s, T* x, bool inverse) {
  const int64_t half = s.head_size / 2;
  for_each_task(s.rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      kernels<T>().rotate({bits(x + r * s.stride), s.heads, s.head_size, s.cosines + s.positions[r] * half,
                           s.sines + s.positions[r] * half, inverse ? -1.0F : 1.0F});
  });
}

template <class T>
void activate_forward(Activation activation, bool gated, int64_t rows, int64_t width, const T* x, T* inner) {
  const int64_t stride = gated ? 2 * width : width;
  for_each_task(rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* const row = x + r * stride;
      kernels<T>().activate(
          {activation, bits(row), gated ? bits(row + width) : nullptr, width, bits(inner + r * width)});
    }
  });
}

template <class T>
void gated_silu_backward(int64_t rows, int64_t width, const T* gate_up, const T* dinner, T* dgate_up) {
  for_each_task(rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      kernels<T>().gated_back(
          {width, bits(gate_up + 2 * r * width), bits(dinner + r * width), bits(dgate_up + 2 * r * width)});
  });
}

template <class T>
void add_rows(int64_t count, const float* x, const T* added, float* y) {
  at::parallel_for(0, count, 1 << 15, [&](int64_t begin, int64_t end) {
    kernels<T>().add({x + begin, bits(added + begin), y + begin, end - begin});
  });
}

#define KEEL_FORMATS(T)                                                                                     \
  template void norm_forward(const NormShape&, const float*, const T*, float*, T*, float*, float*);         \
  template void norm_backward(const NormShape&, const float*, const float*, const float*, const T*, float*, \
                              T*, float*, float*);                                                          \
  template void rotate_in_place(const RotaryShape&, T*, bool);                                              \
  template void activate_forward(Activation, bool, int64_t, int64_t, const T*, T*);                         \
  template void gated_silu_backward(int64_t, int64_t, const T*, const T*, T*);                              \
  template void add_rows(int64_t, const float*, const T*, float*);
KEEL_FORMATS(float)
KEEL_FORMATS(BFloat16)
#undef KEEL_FORMATS

}  // namespace keel
