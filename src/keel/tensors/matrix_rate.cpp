#include "keel/tensors/matrix_rate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "keel/tensors/accelerator.h"
#include "keel/tensors/panels.h"

namespace keel {
namespace {

double measure(at::ScalarType type, at::Device device) {
  const int64_t size = device.is_cpu() ? 1024 : 8192;
  constexpr int kProducts = 6;
  at::NoGradGuard no_grad;
  const Tensor x = at::ones({size, size}, at::TensorOptions(device).dtype(type));
  double best = 0;
  for (int i = 0; i < 2 * kProducts; ++i) {
    synchronize(device);
    const auto began = std::chrono::steady_clock::now();
    if (i % 2 == 0 && device.is_cpu())
      linear_product(x, x, {});
    else
      at::mm(x, x);
    synchronize(device);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    best = std::max(best, 2.0 * std::pow(static_cast<double>(size), 3) / seconds);
  }
  return best;
}

}  // namespace

double matrix_rate(Precision precision, at::Device device) {
  static std::map<std::pair<Precision, at::DeviceType>, double> measured;
  double& rate = measured[{precision, device.type()}];
  if (rate == 0) rate = measure(precision == Precision::bfloat16 ? at::kBFloat16 : at::kFloat, device);
  return rate;
}

}  // namespace keel
