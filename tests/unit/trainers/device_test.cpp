// That the same code computes on every device. On `meta` tensors have a shape and a format but no values:
// work over them fails where a tensor was made on the host and forgotten, where a kernel of ours takes a
// device's tensor, and where the host reads a value, which on a device is a wait. Products, gather and
// scatter look at shapes alone: so weights are looked at by themselves, and linear_logprob looks at its
// tokens. What is computed is not looked at here: the golden tests do that on the device that
// KEEL_TEST_DEVICE names.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "keel/algorithms/next_token.h"
#include "keel/algorithms/preference_loss.h"
#include "keel/base/error.h"
#include "keel/data/batches.h"
#include "keel/data/episodes.h"
#include "keel/models/model_folder.h"
#include "keel/optimizers/adamw.h"
#include "keel/tensors/accelerator.h"
#include "keel/tensors/device.h"
#include "keel/trainers/dpo_update.h"
#include "keel/trainers/policy_update.h"
#include "tensors/dense_reference.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

const std::vector<std::string> kFamilies = {"llama_untied", "llama_tied", "llama_rope3", "gpt2", "qwen2"};

const std::vector<Episode> kEpisodes = {
    {{5, 6, 7}, {8, 9, 2}, true, 1.0}, {{5, 6, 7}, {9}, false, 0.5}, {{3, 4}, {6, 7, 8, 2}, true, -1.0}};

EpisodeBatch batch_of_episodes() {
  std::vector<const Episode*> episodes;
  for (const Episode& episode : kEpisodes) episodes.push_back(&episode);
  return episode_batch(episodes);
}

// Every gradient is there, and where the weights are.
void expect_gradients(const Model& model) {
  for (const Parameter& p : model.parameters()) {
    ASSERT_TRUE(p.value.grad().defined()) << p.name;
    EXPECT_EQ(p.value.grad().device(), p.value.device()) << p.name;
  }
}

struct Case {
  std::string family;
  Precision precision;
  bool recompute;
};

class MetaDevice : public testing::TestWithParam<Case> {
 protected:
  Model model() const {
    Model model = on_device(load_model(golden("models/" + GetParam().family)), at::kMeta);
    model.precision = GetParam().precision;
    model.recompute = GetParam().recompute;
    set_trainable(model, true);
    return model;
  }
};

// The first figure that the report reads ends an update: by then its gradients are made.
TEST_P(MetaDevice, PolicyAndValueLearn) {
  const Model here = load_model(golden("models/" + GetParam().family)), judge = with_scalar_head(here, 1);
  UpdateOptions options;
  options.temperature = 0.7, options.entropy_coefficient = 0.1;
  const Experience experience =
      make_experience({role_of(here), role_of(judge), role_of(here)}, kEpisodes, 0.1, options);
  const Model policy = model(), value = with_scalar_head(policy, 1);
  value.head.weight.set_requires_grad(true);
  const Role on_its_trunk{&policy.decoder, &value.head, policy.precision, policy.recompute};
  AdamW policy_optimizer(policy.parameters(), {}), value_optimizer({{"head", value.head.weight}}, {});
  const auto in_order = [](int64_t) { return std::vector<int64_t>{0, 1, 2}; };
  EXPECT_ANY_THROW(update_policy({role_of(policy), on_its_trunk, {}}, experience, in_order,
                                 {policy_optimizer, 1}, {value_optimizer, 1}, options));
  expect_gradients(policy);
  EXPECT_TRUE(value.head.weight.grad().defined());
}

// As above, beside a frozen reference.
TEST_P(MetaDevice, ComparisonsAreLearned) {
  const Example pair{.prompt = {5, 6}, .completions = {{7, 8, 9}, {3}}, .ranks = {1, 2}};
  const std::vector<const Example*> pairs = {&pair};
  for (const DpoLoss loss : {DpoLoss::sigmoid, DpoLoss::ipo}) {
    const Model policy = model();
    const ReferenceLogps reference(frozen(model()));
    DpoMeasure measure;
    EXPECT_ANY_THROW(add_comparisons(role_of(policy), reference, pairs, comparison_counts(pairs),
                                     {.loss = loss, .sft_coefficient = 0.5}, nullptr, measure));
    expect_gradients(policy);
  }
}

TEST_P(MetaDevice, TextsAndRankingsAreLearned) {
  const Model language = model(), judge = with_scalar_head(language, 1);
  set_trainable(judge, true);
  const Example text{.prompt = {5, 6}, .completions = {{7, 8, 9}}},
      pair{.prompt = {5, 6}, .completions = {{7, 8, 9}, {3}}, .ranks = {1, 2}};
  const std::vector<const Example*> texts = {&text}, pairs = {&pair};
  const LanguageBatch input = language_batch(texts, true);
  const Tensor hidden = forest_hidden(language.decoder, input.forest,
                                      {.precision = language.precision, .recompute = language.recompute});
  const Tensor logp = language_logprobs(role_of(language), hidden, input.from, input.tokens).logp;
  next_token_loss(logp, at::ones_like(logp).detach()).backward();
  expect_gradients(language);
  const JudgedBatch judged = judged_batch(pairs);
  const Tensor rewards =
      scalar_values(role_of(judge), forest_hidden(judge.decoder, judged.forest, {}), judged.last_rows);
  preference_loss(rewards.slice(0, 0, 1), rewards.slice(0, 1), {}, at::ones_like(rewards).slice(0, 1))
      .backward();
  expect_gradients(judge);
}

// Of a step only the norm of the gradients is waited for.
TEST_P(MetaDevice, AStepWaitsForTheNormAlone) {
  const Model policy = model();
  AdamW optimizer(policy.parameters(), {.weight_decay = 0.1});
  for (const Parameter& p : policy.parameters()) p.value.mutable_grad() = at::zeros_like(p.value).detach();
  optimizer.step(0.1);
  EXPECT_ANY_THROW(optimizer.clip(1));
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& family : kFamilies)
    for (const Precision precision : {Precision::float32, Precision::bfloat16})
      for (const bool recompute : {false, true}) all.push_back({family, precision, recompute});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, MetaDevice, testing::ValuesIn(cases()), [](const auto& c) {
  return c.param.family + (c.param.precision == Precision::bfloat16 ? "_bfloat16" : "_float32") +
         (c.param.recompute ? "_recomputed" : "");
});

// What the tests above rest on: the mistakes that they look for are refused.
TEST(MetaDevice, MixedDevicesAndReadValuesAreRefused) {
  const Tensor there = at::zeros({3, 3}, at::kMeta), here = at::zeros({3, 3});
  EXPECT_ANY_THROW(there + here);
  EXPECT_ANY_THROW(there.sum().item());
  EXPECT_ANY_THROW(there.cpu());
}

struct Pass {
  Tensor hidden, logp;
  std::vector<Tensor> gradients;
};

Pass learn(const Model& model, bool recompute) {
  set_trainable(model, true);
  const EpisodeBatch batch = batch_of_episodes();
  const Tensor hidden =
      forest_hidden(model.decoder, batch.forest, {.precision = model.precision, .recompute = recompute});
  const LogProbs read = language_logprobs(role_of(model), hidden, batch.from, batch.tokens);
  (read.logp.sum() + 0.1 * read.entropy.sum()).backward();
  Pass pass{hidden.detach(), read.logp.detach(), {}};
  for (const Parameter& p : model.parameters()) pass.gradients.push_back(p.value.grad().cpu());
  return pass;
}

// The plain statement, computed again on the way back.
TEST(Recompute, GradientsOfThePlainStatementAreTheSame) {
  for (const std::string& family : kFamilies) {
    const auto open = [&] {
      return on_device(load_model(golden("models/" + family), at::kDouble), test_device());
    };
    const Pass kept = learn(open(), false), again = learn(open(), true);
    EXPECT_EQ(largest_difference(again.hidden, kept.hidden), 0) << family;
    for (size_t i = 0; i < kept.gradients.size(); ++i)
      EXPECT_LT(largest_difference(again.gradients[i], kept.gradients[i]), 1e-14) << family << " " << i;
  }
}

// On the device that is tested, bfloat16 is float64 but for its rounding, gradients included.
TEST(Device, HalfPrecisionLearnsWhatFloat64Does) {
  for (const std::string& family : kFamilies) {
    const Pass wanted = learn(load_model(golden("models/" + family), at::kDouble), false);
    Model model = on_device(load_model(golden("models/" + family)), test_device());
    model.precision = Precision::bfloat16;
    const Pass got = learn(model, false);
    EXPECT_LT(largest_difference(got.logp, wanted.logp), 0.1) << family;
    for (size_t i = 0; i < wanted.gradients.size(); ++i) {
      const Tensor difference = got.gradients[i].to(at::kDouble) - wanted.gradients[i];
      EXPECT_LT((difference.norm() / wanted.gradients[i].norm()).item().toDouble(), 5e-2)
          << family << " " << i;
    }
  }
}

// A recording computes from what its inputs hold when it runs, not when it was made.
TEST(Device, RecordedWorkReadsItsInputsAnew) {
  const auto options = at::TensorOptions(test_device());
  const Tensor input = at::zeros({4}, options), output = at::zeros({4}, options);
  const auto recorded = record([&] { output.copy_(input * 2 + 1); }, test_device());
  for (double value = -3; value < 9; ++value) {  // often enough for a graph
    input.fill_(value);
    recorded->run();
    EXPECT_EQ(largest_difference(output, at::full({4}, 2 * value + 1)), 0);
  }
}

TEST(Device, ModelsMoveWhole) {
  for (const std::string& family : kFamilies) {
    const Model here = load_model(golden("models/" + family)), there = on_device(here, at::kMeta);
    EXPECT_EQ(there.head.weight.is_same(there.decoder.embedding()),
              here.head.weight.is_same(here.decoder.embedding()));
    EXPECT_TRUE(there.head.weight.is_meta());
    for (const Parameter& p : there.parameters()) EXPECT_TRUE(p.value.is_meta()) << p.name;
    const Tensor& cosines = there.decoder.cosines();
    EXPECT_TRUE(!cosines.defined() || cosines.is_meta());
    EXPECT_TRUE(on_device(here, at::kCPU).decoder.embedding().is_same(here.decoder.embedding()));
    for (const Parameter& p : frozen(there).parameters()) EXPECT_TRUE(p.value.is_meta()) << p.name;
  }
}

TEST(Device, NarrowMomentsAreTheProcessorsAlone) {
  const std::vector<Parameter> there = {{"weight", at::zeros({3, 3}, at::kMeta)}};
  EXPECT_THROW(AdamW(there, {.moments = Moments::bfloat16}), UsageError);
}

TEST(Device, IsChosenByName) {
  EXPECT_EQ(choose_device("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(choose_device("auto").is_cuda(), has_cuda());
  EXPECT_THROW(choose_device("tpu"), UsageError);
  if (has_cuda()) {
    EXPECT_TRUE(choose_device("cuda").is_cuda());
  } else {
    EXPECT_THROW(choose_device("cuda"), UsageError);
  }
}

}  // namespace
}  // namespace keel
