// A block as one node against the plain statement in float64: hidden states and the gradient of every
// parameter.
#include "keel/models/fused_block.h"

#include <gtest/gtest.h>

#include "keel/models/model_folder.h"
#include "tensors/dense_reference.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

Forest random_forest(uint64_t seed) {
  RandomSequence random({.seed = seed});
  ForestBuilder builder;
  for (const Segment& segment : random_segments(seed, 3, 9)) {
    std::vector<int64_t> tokens;
    for (int64_t i = 0; i < segment.size(); ++i) tokens.push_back(3 + random.below(20));
    builder.add(tokens, segment.parent);
  }
  return builder.build();
}

struct Result {
  Tensor hidden;
  std::vector<Tensor> gradients;
};

Result run(const std::string& name, at::ScalarType type, Precision precision, const Forest& forest,
           const Dropout& dropout, const Tensor& read = {}, bool only_those = false, bool recompute = false) {
  const Model model = load_model(golden("models/" + name), type);
  set_trainable(model, true);
  std::vector<Tensor> parameters;
  for (const Parameter& p : model.decoder.parameters()) parameters.push_back(p.value);
  Tensor hidden =
      forest_hidden(model.decoder, forest, {precision, &dropout, only_those ? read : Tensor(), recompute});
  if (read.defined()) hidden = hidden.index_select(0, read);
  return {hidden.detach(), gradients(hidden, normal_tensor(hidden.sizes().vec(), 3).to(type), parameters)};
}

// ‖a - b‖ / ‖b‖
double relative(const Tensor& a, const Tensor& b) {
  return ((a.to(at::kDouble) - b).norm() / b.norm()).item().toDouble();
}

class FusedBlock : public testing::TestWithParam<std::tuple<std::string, Precision, double>> {};

// On the mean of some forests: in bfloat16 a single one's small gradient can be rounding alone.
TEST_P(FusedBlock, EqualsThePlainStatement) {
  const auto [name, precision, tolerance] = GetParam();
  constexpr uint64_t kForests = 3;
  const uint64_t first = 1000 * generator_seed();
  double hidden = 0;
  std::vector<double> gradients;
  for (uint64_t seed = first; seed < first + kForests; ++seed) {
    const Forest forest = random_forest(seed);
    Dropout dropout{seed % 2 == 0 ? 0.0 : 0.3, seed, 5, {}};
    for (int64_t row = 0; row < forest.size(); ++row) dropout.documents.push_back(row / 7);
    const Result wanted = run(name, at::kDouble, Precision::float32, forest, dropout);
    const Result got = run(name, at::kFloat, precision, forest, dropout);
    hidden += relative(got.hidden, wanted.hidden) / kForests;
    gradients.resize(wanted.gradients.size());
    for (size_t i = 0; i < gradients.size(); ++i)
      gradients[i] += relative(got.gradients[i], wanted.gradients[i]) / kForests;
  }
  EXPECT_LT(hidden, tolerance);
  for (size_t i = 0; i < gradients.size(); ++i) EXPECT_LT(gradients[i], tolerance) << "parameter " << i;
}

// Where only some rows are read, the last block does without the others.
TEST_P(FusedBlock, NeededRowsAreThoseOfAFullPass) {
  const auto [name, precision, tolerance] = GetParam();
  const uint64_t seed = 1000 * generator_seed() + 1;
  const Forest forest = random_forest(seed);
  Dropout dropout{0.3, seed, 5, {}};
  for (int64_t row = 0; row < forest.size(); ++row) dropout.documents.push_back(row / 7);
  const Tensor last = at::tensor({forest.size() - 1}, at::kLong);
  const Tensor needed = distinct_rows({last, at::arange(1, forest.size(), 3, at::kLong), last});
  EXPECT_LT(needed.numel(), forest.size());
  const Result wanted = run(name, at::kFloat, precision, forest, dropout, needed);
  const Result got = run(name, at::kFloat, precision, forest, dropout, needed, /*only_those=*/true);
  const double rounding = tolerance / 5;
  EXPECT_LT(relative(got.hidden, wanted.hidden.to(at::kDouble)), rounding);
  for (size_t i = 0; i < wanted.gradients.size(); ++i)
    EXPECT_LT(relative(got.gradients[i], wanted.gradients[i].to(at::kDouble)), rounding) << "parameter " << i;
}

TEST_P(FusedBlock, RecomputedGradientsAreTheSameBits) {
  const auto [name, precision, tolerance] = GetParam();
  const Forest forest = random_forest(5);
  Dropout dropout{0.3, 5, 5, {}};
  for (int64_t row = 0; row < forest.size(); ++row) dropout.documents.push_back(row / 7);
  const Result kept = run(name, at::kFloat, precision, forest, dropout);
  const Result again = run(name, at::kFloat, precision, forest, dropout, {}, false, /*recompute=*/true);
  EXPECT_TRUE(again.hidden.equal(kept.hidden));
  for (size_t i = 0; i < kept.gradients.size(); ++i)
    EXPECT_TRUE(again.gradients[i].equal(kept.gradients[i])) << "parameter " << i;
}

// Micro-batches add to the gradients that stand.
TEST_P(FusedBlock, GradientsOfPassesAddUp) {
  const auto [name, precision, tolerance] = GetParam();
  const Model model = load_model(golden("models/" + name), at::kFloat);
  set_trainable(model, true);
  const Forest forest = random_forest(7);
  const auto pass = [&] {
    const Tensor hidden = forest_hidden(model.decoder, forest, {.precision = precision});
    (hidden * normal_tensor(hidden.sizes().vec(), 3).to(at::kFloat)).sum().backward();
  };
  pass();
  std::vector<Tensor> once;
  for (const Parameter& p : model.decoder.parameters()) once.push_back(p.value.grad().to(at::kDouble));
  pass();
  for (size_t i = 0; i < once.size(); ++i) {
    const Parameter& p = model.decoder.parameters()[i];
    EXPECT_LT(relative(p.value.grad(), 2 * once[i]), 1e-6) << p.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, FusedBlock,
                         testing::Combine(testing::Values("llama_untied", "gpt2", "qwen2"),
                                          testing::Values(Precision::float32), testing::Values(1e-5)));
INSTANTIATE_TEST_SUITE_P(HalfPrecision, FusedBlock,
                         testing::Combine(testing::Values("llama_untied", "gpt2", "qwen2"),
                                          testing::Values(Precision::bfloat16), testing::Values(4e-2)));

}  // namespace
}  // namespace keel
