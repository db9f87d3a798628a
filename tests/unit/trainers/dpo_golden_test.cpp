// Ten steps of DPO in float64 against TRL 0.24's DPOTrainer itself (tests/golden/make_dpo.py): losses,
// metrics, gradient norms and weights.
#include <gtest/gtest.h>

#include "keel/base/json.h"
#include "keel/optimizers/adamw.h"
#include "keel/trainers/dpo_update.h"
#include "tensors/dense_reference.h"
#include "trainers/golden_training.h"

namespace keel {
namespace {

using namespace testing_reference;

DpoSettings settings_of(const Json& json) {
  return {dpo_loss_named(json.value("loss_type", "sigmoid")), json["beta"],
          json.value("label_smoothing", 0.0), json.value("rpo_alpha", 0.0)};
}

std::vector<const Example*> pointers(const std::vector<Example>& examples) {
  std::vector<const Example*> result;
  for (const Example& example : examples) result.push_back(&example);
  return result;
}

// One batch's figures, its gradients added; in pieces of `rows`.
DpoMeasure learn(const Model& policy, const ReferenceLogps& reference, const std::vector<Example>& examples,
                 const DpoSettings& settings, int64_t rows = 0) {
  DpoMeasure measure;
  const auto batch = pointers(examples);
  for (const auto& part : micro_batches(batch, MicroBatchLimits{.rows = rows}))
    add_comparisons(role_of(policy), reference, part, comparison_counts(batch), settings, nullptr, measure);
  return measure;
}

Model open(const char* name) {
  return on_device(load_model(golden(std::string("dpo/") + name), at::kDouble), test_device());
}

class DpoGolden : public testing::TestWithParam<std::string> {};

TEST_P(DpoGolden, TenStepsEqualTrl) {
  const GoldenTensors pairs(golden("dpo/pairs.safetensors")),
      wanted(golden("dpo/" + GetParam() + ".safetensors"));
  const Json json = read_json(golden("dpo/settings.json"))[GetParam()];
  const DpoSettings settings = settings_of(json);
  const Model policy = open("policy");
  const ReferenceLogps reference(open(json.contains("other_reference") ? "reference" : "policy"));
  set_trainable(policy, true);
  AdamW optimizer(policy.parameters(), {.weight_decay = json["weight_decay"]});
  for (int64_t step = 0; step < 10; ++step) {
    optimizer.zero_grad();
    const DpoMeasure measure =
        learn(policy, reference, preferences(pairs, "step_" + std::to_string(step) + "_"), settings);
    Json row = dpo_metrics(measure, settings);
    row["loss"] = measure.loss;
    row["grad_norm"] = optimizer.clip(json["max_grad_norm"]);
    for (const auto& [name, value] : row.items())
      EXPECT_NEAR(value.get<double>(), wanted["log." + name][step].item().toDouble(), 1e-8) << name << step;
    optimizer.step(json["learning_rate"]);
  }
  EXPECT_LT(relative_error(policy, golden("dpo/policy"), wanted, "model."), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Losses, DpoGolden,
                         testing::Values("sigmoid", "sigmoid_other_reference", "conservative_with_sft", "ipo",
                                         "hinge"),
                         [](const auto& run) { return run.param; });

// Gradients of a batch, in the order of the policy's parameters.
std::vector<Tensor> gradients_of(const Model& policy, const ReferenceLogps& reference,
                                 const std::vector<Example>& examples, const DpoSettings& settings,
                                 int64_t rows = 0) {
  AdamW(policy.parameters(), {}).zero_grad();
  learn(policy, reference, examples, settings, rows);
  std::vector<Tensor> gradients;
  for (const Parameter& parameter : policy.parameters()) gradients.push_back(parameter.value.grad().clone());
  return gradients;
}

void expect_equal(const std::vector<Tensor>& ours, const std::vector<Tensor>& theirs) {
  double largest = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_LT(largest_difference(ours[i], theirs[i]), 1e-12) << i;
    largest = std::max(largest, theirs[i].abs().max().item().toDouble());
  }
  EXPECT_GT(largest, 1e-2);
}

// A pair, rankings with a tie, one of ties alone, and a text without a prompt.
std::vector<Example> mixed_comparisons() {
  return {{.prompt = {1, 7, 9}, .completions = {{4, 5, 2}, {8, 2}}, .ranks = {2, 1}},
          {.prompt = {1, 30}, .completions = {{9, 2}, {11, 12, 13, 2}, {40, 2}}, .ranks = {2, 1, 1}},
          {.prompt = {1, 31}, .completions = {{9, 9, 2}, {14, 2}}, .ranks = {1, 1}},
          {.completions = {{5, 6, 7, 2}, {8, 9, 2}}, .ranks = {1, 2}}};
}

struct Players {
  Model policy = open("policy");
  ReferenceLogps reference{open("reference")};
  Players() { set_trainable(policy, true); }
};

TEST(DpoUpdate, MicroBatchesChangeNothing) {
  const Players players;
  const DpoSettings settings{.loss = DpoLoss::ipo, .beta = 0.3, .sft_coefficient = 0.5};
  const auto whole = gradients_of(players.policy, players.reference, mixed_comparisons(), settings);
  for (const int64_t rows : {1, 3})
    expect_equal(gradients_of(players.policy, players.reference, mixed_comparisons(), settings, rows), whole);
}

// The prompt that a ranking's completions share is the prompt that each of its pairs repeats, the pairs of a
// prompt are one element, and ties alone teach nothing.
TEST(DpoUpdate, ARankingIsItsPairs) {
  const Players players;
  const DpoSettings settings{.beta = 0.4, .label_smoothing = 0.1};
  const std::vector<int64_t> prompt = {1, 7, 9};
  const std::vector<std::vector<int64_t>> texts = {{4, 5, 2}, {8, 2}, {10, 11, 12, 2}};
  const auto pair = [&](size_t better, size_t worse) {
    return Example{.prompt = prompt, .completions = {texts[better], texts[worse]}, .ranks = {1, 2}};
  };
  const Example ties{.prompt = {1, 31}, .completions = {{9, 2}, {14, 2}}, .ranks = {1, 1}};
  expect_equal(
      gradients_of(players.policy, players.reference,
                   {Example{.prompt = prompt, .completions = texts, .ranks = {2, 3, 1}}, ties}, settings),
      gradients_of(players.policy, players.reference, {pair(2, 0), pair(2, 1), pair(0, 1)}, settings));
}

TEST(DpoUpdate, ARowOfWeightThreeIsTheRowThrice) {
  const Players players;
  const DpoSettings settings{.beta = 0.4, .sft_coefficient = 0.7};
  const Example one{.prompt = {1, 7, 9}, .completions = {{4, 5, 2}, {8, 2}}, .ranks = {1, 2}};
  Example other{.prompt = {1, 30}, .completions = {{9, 2}, {11, 12, 13, 2}}, .ranks = {2, 1}};
  const std::vector<Example> repeated = {one, other, other, other};
  other.judgement.weight = 3;
  expect_equal(gradients_of(players.policy, players.reference, {one, other}, settings),
               gradients_of(players.policy, players.reference, repeated, settings));
}

// What the reference said before the first step, from a file or not, is what it says in it.
TEST(DpoUpdate, AReferenceThatWasAskedBeforeSaysTheSame) {
  Players players;
  const TemporaryFolder folder;
  const ExampleSet set{.examples = mixed_comparisons()}, none;
  const auto all = pointers(set.examples);
  const Tensor wanted = players.reference(all, completion_batch(all));
  EXPECT_EQ(wanted.numel(), 9);
  ReferenceLogps again(open("policy"));  // would say something else
  EXPECT_GT(largest_difference(again(all, completion_batch(all)), wanted), 1e-2);
  players.reference.precompute(folder.path() / "reference", {&set, &none}, {.rows = 3});
  again.precompute(folder.path() / "reference", {&none, &set}, {.rows = 2});
  for (const ReferenceLogps* asked : {&players.reference, &again})
    EXPECT_LT(largest_difference((*asked)(all, completion_batch(all)), wanted), 1e-12);
  const std::vector<const Example*> two = {all[3], all[1]};
  EXPECT_LT(largest_difference(again(two, completion_batch(two)),
                               at::cat({wanted.slice(0, 7, 9), wanted.slice(0, 2, 5)})),
            1e-12);
}

}  // namespace
}  // namespace keel
