#include "keel/optimizers/adamw.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/base/safetensors.h"
#include "tensors/dense_reference.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

// The pass of our own over float32 (on another device: ATen's there) against ATen's step in float64:
// clipping, decay of matrices alone, several steps.
TEST(AdamW, TheKernelEqualsAtensStep) {
  const AdamWOptions options{.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  std::vector<std::vector<Parameter>> parameters;
  for (const auto& [type, device] :
       {std::pair(at::kFloat, test_device()), std::pair(at::kDouble, at::Device(at::kCPU))})
    parameters.push_back({{"weight", normal_tensor({130, 70}, 1).to(at::kFloat).to(device, type)},
                          {"bias", normal_tensor({70}, 2).to(at::kFloat).to(device, type)}});
  AdamW kernel(parameters[0], options), aten(parameters[1], options);
  for (uint64_t step = 0; step < 5; ++step) {
    for (auto& set : parameters)
      for (size_t i = 0; i < set.size(); ++i) {
        Tensor& value = set[i].value;
        value.mutable_grad() =
            normal_tensor(value.sizes().vec(), 10 + 2 * step + i).to(at::kFloat).to(value.options());
      }
    const double limit = step % 2 == 0 ? 0.5 : 1e6;  // clipped, not clipped
    EXPECT_NEAR(kernel.clip(limit), aten.clip(limit), 1e-4);
    kernel.step(0.01);
    aten.step(0.01);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_LT(largest_difference(parameters[0][i].value, parameters[1][i].value), 2e-6) << step << " " << i;
  }
}

// A made-up training of a few parameters: gradients that depend on the weights.
struct Learner {
  std::vector<Parameter> parameters = {{"weight", normal_tensor({300, 200}, 1).to(at::kFloat)},
                                       {"bias", normal_tensor({70}, 2).to(at::kFloat)}};
  AdamW optimizer;

  explicit Learner(Moments moments = Moments::bfloat16, uint64_t seed = 3)
      : optimizer(parameters, {.weight_decay = 0.1, .moments = moments, .seed = seed}) {}
  void train(uint64_t first, uint64_t last) {
    for (uint64_t step = first; step < last; ++step) {
      for (size_t i = 0; i < parameters.size(); ++i) {
        Tensor& value = parameters[i].value;
        value.mutable_grad() = value + normal_tensor(value.sizes().vec(), 100 + 2 * step + i).to(at::kFloat);
      }
      optimizer.clip(1.0);
      optimizer.step(0.01);
    }
  }
  bool equals(const Learner& other) const {
    return parameters[0].value.equal(other.parameters[0].value) &&
           parameters[1].value.equal(other.parameters[1].value);
  }
};

struct FirstMean : Archive {
  Tensor value;
  void operator()(const std::string& name, Tensor& tensor) override {
    if (name.ends_with(".mean")) value = tensor.clone();
  }
  void operator()(const std::string&, Json&) override {}
};

TEST(AdamW, HalfMomentsDoNotDependOnThreads) {
  const int threads = at::get_num_threads();
  Learner one, two;
  at::set_num_threads(1);
  one.train(0, 5);
  at::set_num_threads(2);
  two.train(0, 5);
  at::set_num_threads(threads);
  EXPECT_TRUE(one.equals(two));
}

TEST(AdamW, HalfMomentsGoOnFromACheckpoint) {
  Learner whole, before, after;
  whole.train(0, 8);
  before.train(0, 5);
  const TemporaryFolder folder;
  ArchiveWriter writer;
  before.optimizer.visit(writer, "adamw.");
  writer.write(folder.path());
  const SafetensorsFile file(folder.path() / "trainer.safetensors");
  for (const TensorBytes& stored : file.tensors())
    EXPECT_EQ(stored.dtype, stored.name.ends_with(".steps") ? "F32" : "BF16") << stored.name;
  for (size_t i = 0; i < after.parameters.size(); ++i)
    after.parameters[i].value.copy_(before.parameters[i].value);
  ArchiveReader reader(folder.path());
  after.optimizer.visit(reader, "adamw.");
  after.train(5, 8);
  EXPECT_TRUE(after.equals(whole));
}

TEST(AdamW, HalfMomentsAreKeyedByTheirSeed) {
  Learner first, again, other(Moments::bfloat16, 4);
  for (Learner* learner : {&first, &again, &other}) learner->train(0, 3);
  EXPECT_TRUE(first.equals(again));
  EXPECT_FALSE(first.equals(other));
}

// What is rounded twice falls on either side: with the same draws in every step errors would add up.
TEST(AdamW, HalfMomentsAreRoundedAnewInEveryStep) {
  const Tensor gradient = normal_tensor({300, 200}, 5).to(at::kFloat);
  std::vector<Parameter> parameters = {{"weight", at::zeros({300, 200}, at::kFloat)}};
  AdamW optimizer(parameters, {.beta1 = 0, .moments = Moments::bfloat16});  // the mean is the gradient
  std::vector<Tensor> means;
  for (int step = 0; step < 2; ++step) {
    parameters[0].value.mutable_grad() = gradient;
    optimizer.step(0.01);
    FirstMean mean;
    optimizer.visit(mean, "");
    means.push_back(mean.value);
    EXPECT_LT(largest_difference(mean.value, gradient), 0.04);
  }
  EXPECT_FALSE(means[0].equal(means[1]));
}

// Where 200 steps lead, float32's and bfloat16's moments end nearer to each other than to their start, by
// far.
TEST(AdamW, HalfMomentsLearnTheSame) {
  Learner exact(Moments::float32), half;
  const Tensor start = exact.parameters[0].value.clone();
  exact.train(0, 200);
  half.train(0, 200);
  const Tensor &a = exact.parameters[0].value, &b = half.parameters[0].value;
  const double moved = (a - start).norm().item().toDouble(), apart = (a - b).norm().item().toDouble();
  EXPECT_GT(apart, 0);
  EXPECT_LT(apart, 0.02 * moved);
}

TEST(AdamW, HalfMomentsOfFloat64AreRefused) {
  const std::vector<Parameter> wide = {{"weight", at::zeros({2, 2}, at::kDouble)}};
  std::string said;
  try {
    AdamW(wide, {.moments = Moments::bfloat16});
  } catch (const UsageError& error) {
    said = error.what();
  }
  EXPECT_NE(said.find("[--moments] expected float32"), std::string::npos) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace keel
