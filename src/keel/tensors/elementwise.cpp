#include "keel/tensors/elementwise.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "keel/tensors/simd.h"
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

template <class T>
struct NormRow {
  NormKind kind;
  int64_t width;
  float epsilon;
  const float *weight, *bias, *x;
  const T* added;
  float* sum;
  T* normed;
  float inverse, mean;  // found
};

template <class T>
KEEL_INLINE void norm_row_body(NormRow<T>& n) {
  float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t c = 0; c < n.width; ++c) {
    n.sum[c] = n.x[c] + (n.added != nullptr ? load_float(n.added + c) : 0.0F);
    total += n.sum[c];
  }
  const auto width = static_cast<float>(n.width);
  n.mean = n.kind == NormKind::layer ? total / width : 0.0F;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < n.width; ++c) squares += (n.sum[c] - n.mean) * (n.sum[c] - n.mean);
  n.inverse = 1.0F / std::sqrt(squares / width + n.epsilon);
#pragma omp simd
  for (int64_t c = 0; c < n.width; ++c)
    store_float(n.normed + c,
                (n.sum[c] - n.mean) * n.inverse * n.weight[c] + (n.bias != nullptr ? n.bias[c] : 0.0F));
}

template <class T>
struct NormRowBack {
  NormKind kind;
  int64_t width;
  const float *weight, *sum;
  const T* dnormed;
  float* dsum;
  T* dadded;
  float *dweight, *dbias;
  float inverse, mean;
};

// With z the normed row before its weight and g = dnormed · weight: d = inverse (g - mean(g) - z mean(g z)),
// without mean(g) for RMSNorm.
template <class T>
KEEL_INLINE void norm_row_back_body(const NormRowBack<T>& n) {
  float along = 0, total = 0;
#pragma omp simd reduction(+ : along, total)
  for (int64_t c = 0; c < n.width; ++c) {
    const float z = (n.sum[c] - n.mean) * n.inverse, d = load_float(n.dnormed + c);
    n.dweight[c] += d * z;
    along += d * n.weight[c] * z;
    total += d * n.weight[c];
  }
  if (n.dbias != nullptr)
#pragma omp simd
    for (int64_t c = 0; c < n.width; ++c) n.dbias[c] += load_float(n.dnormed + c);
  const auto width = static_cast<float>(n.width);
  along /= width;
  total = n.kind == NormKind::layer ? total / width : 0.0F;
#pragma omp simd
  for (int64_t c = 0; c < n.width; ++c) {
    const float z = (n.sum[c] - n.mean) * n.inverse;
    n.dsum[c] += n.inverse * (load_float(n.dnormed + c) * n.weight[c] - total - z * along);
  }
  if (n.dadded != nullptr)
#pragma omp simd
    for (int64_t c = 0; c < n.width; ++c) store_float(n.dadded + c, n.dsum[c]);
}

template <class T>
struct RotaryHead {
  T* x;
  const float *cosines, *sines;
  int64_t half;
  float sign;
};

template <class T>
KEEL_INLINE void rotary_head_body(const RotaryHead<T>& r) {
#pragma omp simd
  for (int64_t i = 0; i < r.half; ++i) {
    const float first = load_float(r.x + i), second = load_float(r.x + r.half + i),
                sine = r.sign * r.sines[i];
    store_float(r.x + i, first * r.cosines[i] - second * sine);
    store_float(r.x + r.half + i, second * r.cosines[i] + first * sine);
  }
}

template <class T>
struct GatedRow {
  int64_t width;
  const T *gate_up, *dinner;
  T *inner, *dgate_up;
};

KEEL_INLINE float sigmoid(float x) {
  return 1.0F / (1.0F + vector_exp(-x));
}

template <class T>
KEEL_INLINE void gated_row_body(const GatedRow<T>& g) {
#pragma omp simd
  for (int64_t c = 0; c < g.width; ++c) {
    const float gate = load_float(g.gate_up + c), up = load_float(g.gate_up + g.width + c);
    store_float(g.inner + c, gate * sigmoid(gate) * up);
  }
}

template <class T>
KEEL_INLINE void gated_row_back_body(const GatedRow<T>& g) {
#pragma omp simd
  for (int64_t c = 0; c < g.width; ++c) {
    const float gate = load_float(g.gate_up + c), up = load_float(g.gate_up + g.width + c);
    const float d = load_float(g.dinner + c), s = sigmoid(gate);
    store_float(g.dgate_up + c, d * up * s * (1.0F + gate * (1.0F - s)));
    store_float(g.dgate_up + g.width + c, d * gate * s);
  }
}

// One entry point for each instruction set and format.
KEEL_DISPATCHED void norm_row(NormRow<float>& row) {
  norm_row_body(row);
}
KEEL_DISPATCHED void norm_row(NormRow<BFloat16>& row) {
  norm_row_body(row);
}
KEEL_DISPATCHED void norm_row_back(const NormRowBack<float>& row) {
  norm_row_back_body(row);
}
KEEL_DISPATCHED void norm_row_back(const NormRowBack<BFloat16>& row) {
  norm_row_back_body(row);
}
KEEL_DISPATCHED void rotary_head(const RotaryHead<float>& head) {
  rotary_head_body(head);
}
KEEL_DISPATCHED void rotary_head(const RotaryHead<BFloat16>& head) {
  rotary_head_body(head);
}
KEEL_DISPATCHED void gated_row(const GatedRow<float>& row) {
  gated_row_body(row);
}
KEEL_DISPATCHED void gated_row(const GatedRow<BFloat16>& row) {
  gated_row_body(row);
}
KEEL_DISPATCHED void gated_row_back(const GatedRow<float>& row) {
  gated_row_back_body(row);
}
KEEL_DISPATCHED void gated_row_back(const GatedRow<BFloat16>& row) {
  gated_row_back_body(row);
}

}  // namespace

template <class T>
void norm_forward(const NormShape& s, const float* x, const T* added, float* sum, T* normed, float* inverse,
                  float* mean) {
  for_each_task(s.rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t at = r * s.width;
      NormRow<T> row{
          s.kind,   s.width,     s.epsilon, s.weight, s.bias, x + at, added != nullptr ? added + at : nullptr,
          sum + at, normed + at, 0,         0};
      norm_row(row);
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
      norm_row_back({s.kind, s.width, s.weight, sum + at, dnormed + at, dsum + at,
                     dadded != nullptr ? dadded + at : nullptr, own,
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
      for (int64_t head = 0; head < s.heads; ++head)
        rotary_head(RotaryHead<T>{x + r * s.stride + head * s.head_size, s.cosines + s.positions[r] * half,
                                  s.sines + s.positions[r] * half, half, inverse ? -1.0F : 1.0F});
  });
}

template <class T>
void gated_silu_forward(int64_t rows, int64_t width, const T* gate_up, T* inner) {
  for_each_task(rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      gated_row(GatedRow<T>{width, gate_up + 2 * r * width, nullptr, inner + r * width, nullptr});
  });
}

template <class T>
void gated_silu_backward(int64_t rows, int64_t width, const T* gate_up, const T* dinner, T* dgate_up) {
  for_each_task(rows, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      gated_row_back(
          GatedRow<T>{width, gate_up + 2 * r * width, dinner + r * width, nullptr, dgate_up + 2 * r * width});
  });
}

#define KEEL_FORMATS(T)                                                                                     \
  template void norm_forward(const NormShape&, const float*, const T*, float*, T*, float*, float*);         \
  template void norm_backward(const NormShape&, const float*, const float*, const float*, const T*, float*, \
                              T*, float*, float*);                                                          \
  template void rotate_in_place(const RotaryShape&, T*, bool);                                              \
  template void gated_silu_forward(int64_t, int64_t, const T*, T*);                                         \
  template void gated_silu_backward(int64_t, int64_t, const T*, const T*, T*);
KEEL_FORMATS(float)
KEEL_FORMATS(BFloat16)
#undef KEEL_FORMATS

}  // namespace keel
