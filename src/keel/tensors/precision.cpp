#include "keel/tensors/precision.h"

#include <ATen/cpu/Utils.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include "keel/base/error.h"

namespace keel {
namespace {

// Below this width the casts around a product cost more than bfloat16 saves (measured on AVX512-BF16, two
// cores).
constexpr int64_t kNarrow = 128;

// The processor has products of bfloat16, however fast.
bool cpu_dots_bfloat16() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

// By the processor's kind, not by a measurement: a run that goes on must choose as it did before. AVX512-BF16
// doubles the rate on AMD's processors (Zen 4: 219 to 441 GFLOP/s); Intel's halve it unless they have tiles
// (Emerald Rapids without AMX: 340 to 180).
bool cpu_multiplies_bfloat16_faster() {
#if defined(__x86_64__)
  return cpu_dots_bfloat16() && (__builtin_cpu_is("amd") || at::cpu::init_amx());
#else
  return false;
#endif
}

}  // namespace

Precision choose_precision(const std::string& name, int64_t hidden, at::Device device, Work work) {
  if (name == "float32") return Precision::float32;
  if (name == "bfloat16") return Precision::bfloat16;
  if (name != "auto") throw UsageError("--precision", "expected auto, float32 or bfloat16, got " + name);
  const bool faster =
      device.is_cuda() || (work == Work::generation ? cpu_dots_bfloat16() : cpu_multiplies_bfloat16_faster());
  return hidden >= kNarrow && faster ? Precision::bfloat16 : Precision::float32;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Precision precision) {
  if (precision == Precision::float32 || x.scalar_type() == at::kDouble)
    return at::linear(x, weight, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt);
  const Tensor product = at::linear(x.to(at::kBFloat16), weight.to(at::kBFloat16)).to(x.scalar_type());
  return bias.defined() ? product + bias : product;
}

Tensor wide_product(const Tensor& x, const Tensor& weight) {
  if (x.is_cuda() && x.scalar_type() == at::kBFloat16) return at::mm(x, weight.t(), at::kFloat);
  return x.matmul(weight.t()).to(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

}  // namespace keel
