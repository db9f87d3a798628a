#include "keel/tensors/matrix_rate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>

namespace keel {
namespace {

double measure(at::ScalarType type) {
  constexpr int64_t kSize = 1024;
  constexpr int kProducts = 6;
  at::NoGradGuard no_grad;
  const Tensor x = at::ones({kSize, kSize}, type);
  double best = 0;
  for (int i = 0; i < kProducts; ++i) {
    const auto began = std::chrono::steady_clock::now();
    at::mm(x, x);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    best = std::max(best, 2.0 * kSize * kSize * kSize / seconds);
  }
  return best;
}

}  // namespace

double matrix_rate(Precision precision) {
  if (precision == Precision::bfloat16) {
    static const double rate = measure(at::kBFloat16);
    return rate;
  }
  static const double rate = measure(at::kFloat);
  return rate;
}

}  // namespace keel
