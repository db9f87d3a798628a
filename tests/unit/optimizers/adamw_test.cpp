#include "keel/optimizers/adamw.h"

#include <gtest/gtest.h>

#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

// The pass of our own over float32 against ATen's step in float64: clipping, decay of matrices alone, several
// steps.
TEST(AdamW, TheKernelEqualsAtensStep) {
  const AdamWOptions options{.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  std::vector<std::vector<Parameter>> parameters;
  for (const auto type : {at::kFloat, at::kDouble})
    parameters.push_back({{"weight", normal_tensor({130, 70}, 1).to(at::kFloat).to(type)},
                          {"bias", normal_tensor({70}, 2).to(at::kFloat).to(type)}});
  AdamW kernel(parameters[0], options), aten(parameters[1], options);
  for (uint64_t step = 0; step < 5; ++step) {
    for (auto& set : parameters)
      for (size_t i = 0; i < set.size(); ++i) {
        Tensor& value = set[i].value;
        value.mutable_grad() =
            normal_tensor(value.sizes().vec(), 10 + 2 * step + i).to(at::kFloat).to(value.scalar_type());
      }
    const double limit = step % 2 == 0 ? 0.5 : 1e6;  // clipped, not clipped
    EXPECT_NEAR(kernel.clip(limit), aten.clip(limit), 1e-4);
    kernel.step(0.01);
    aten.step(0.01);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_LT(largest_difference(parameters[0][i].value, parameters[1][i].value), 2e-6) << step << " " << i;
  }
}

}  // namespace
}  // namespace keel
