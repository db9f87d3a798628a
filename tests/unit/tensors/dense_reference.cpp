#include "tensors/dense_reference.h"

#include <cstdlib>
#include <iostream>

#include "keel/tensors/device.h"

namespace keel::testing_reference {

uint64_t generator_seed() {
  const char* given = std::getenv("KEEL_TEST_SEED");
  const uint64_t seed = given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  std::cout << "generator's seed: " << seed << " (KEEL_TEST_SEED sets it)\n";
  return seed;
}

at::Device test_device() {
  const char* given = std::getenv("KEEL_TEST_DEVICE");
  return choose_device(given == nullptr ? "cpu" : given);
}

std::vector<Tensor> gradients(const Tensor& output, const Tensor& weights,
                              const std::vector<Tensor>& inputs) {
  for (const Tensor& input : inputs) input.mutable_grad() = Tensor();
  (output * weights).sum().backward();
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    result.push_back(input.grad());
    input.mutable_grad() = Tensor();
  }
  return result;
}

double gradient_error(const std::function<Tensor(const std::vector<Tensor>&)>& f, std::vector<Tensor> inputs,
                      uint64_t seed) {
  for (Tensor& input : inputs) input.requires_grad_();
  const Tensor output = f(inputs);
  const Tensor weights = normal_tensor(output.sizes().vec(), seed + 1000);
  const std::vector<Tensor> analytic = gradients(output, weights, inputs);
  at::NoGradGuard no_grad;
  double worst = 0;
  const double step = 1e-5;
  for (size_t i = 0; i < inputs.size(); ++i) {
    double* values = inputs[i].data_ptr<double>();
    const Tensor expected = analytic[i].contiguous();
    for (int64_t at = 0; at < inputs[i].numel(); ++at) {
      const double kept = values[at];
      values[at] = kept + step;
      const double above = (f(inputs) * weights).sum().item().toDouble();
      values[at] = kept - step;
      const double below = (f(inputs) * weights).sum().item().toDouble();
      values[at] = kept;
      worst = std::max(worst, std::abs((above - below) / (2 * step) - expected.data_ptr<double>()[at]));
    }
  }
  return worst;
}

}  // namespace keel::testing_reference
