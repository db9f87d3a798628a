// Every loss and its gradient against TRL 0.24's and OpenRLHF's conventions (tests/golden/make_losses.py).
#include <gtest/gtest.h>

#include "keel/algorithms/advantages.h"
#include "keel/algorithms/dpo.h"
#include "keel/algorithms/kl.h"
#include "keel/algorithms/ppo.h"
#include "keel/algorithms/preference_loss.h"
#include "keel/algorithms/regression_loss.h"
#include "keel/data/batches.h"
#include "tensors/dense_reference.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

constexpr double kExact = 1e-12;

GoldenTensors losses(const std::string& name) {
  return GoldenTensors(golden("losses/" + name + ".safetensors"));
}

double number(const Tensor& tensor) {
  return tensor.item().toDouble();
}

// Checks a scalar loss and its gradients with respect to `inputs`.
void expect_loss(const Tensor& loss, const Tensor& wanted, const std::vector<Tensor>& inputs,
                 const std::vector<Tensor>& wanted_grads) {
  EXPECT_NEAR(number(loss), number(wanted), kExact);
  const auto grads = gradients(loss, at::ones({}, at::kDouble), inputs);
  for (size_t i = 0; i < inputs.size(); ++i)
    EXPECT_LT(largest_difference(grads[i], wanted_grads[i]), kExact) << i;
}

Tensor mean_weight(const Tensor& like) {
  return at::full_like(like, 1.0 / static_cast<double>(like.numel())).detach();
}

TEST(RewardLoss, PairwiseEqualsTrl) {
  const GoldenTensors file = losses("reward");
  const Tensor chosen = file["chosen"].requires_grad_(true), rejected = file["rejected"].requires_grad_(true);
  for (const std::string name : {"pairwise", "pairwise_margin"})
    expect_loss(preference_loss(chosen, rejected, name == "pairwise" ? Tensor() : file["margin"],
                                mean_weight(chosen)),
                file[name + "_loss"], {chosen, rejected},
                {file[name + "_grad_chosen"], file[name + "_grad_rejected"]});
}

TEST(RewardLoss, AllPairsOfAPromptAreOneElement) {
  const GoldenTensors file = losses("reward");
  const Tensor rewards = file["ranking_rewards"].requires_grad_(true);
  const auto ranks = ids_of(file["ranking_ranks"]), offsets = ids_of(file["ranking_offsets"]);
  std::vector<Example> examples;
  JudgedBatch judged;
  for (size_t i = 1; i < offsets.size(); ++i) {
    examples.push_back({});
    examples.back().ranks.assign(ranks.begin() + offsets[i - 1], ranks.begin() + offsets[i]);
  }
  judged.first = offsets;
  std::vector<const Example*> pointers;
  for (const Example& example : examples) pointers.push_back(&example);
  const ComparisonBatch pairs = comparison_batch(pointers, judged, pair_weight(pointers));
  const Tensor loss = preference_loss(rewards.index_select(0, pairs.better),
                                      rewards.index_select(0, pairs.worse), {}, pairs.weight.to(at::kDouble));
  EXPECT_NEAR(number(loss), number(file["ranking_loss"]), 1e-7);  // weights are float32
  EXPECT_LT(largest_difference(gradients(loss, at::ones({}, at::kDouble), {rewards})[0],
                               file["ranking_grad_rewards"]),
            1e-7);
}

TEST(RewardLoss, ClassifierIsBinaryCrossEntropy) {
  const GoldenTensors file = losses("reward");
  const Tensor logits = file["classifier_logits"].requires_grad_(true);
  expect_loss(label_loss(logits, file["classifier_labels"].to(at::kDouble), mean_weight(logits)),
              file["classifier_loss"], {logits}, {file["classifier_grad_logits"]});
}

TEST(RewardLoss, WeightsAreTrlsOfRepeatedPairs) {
  const GoldenTensors file = losses("judgements");
  const Tensor chosen = file["chosen"].requires_grad_(true), rejected = file["rejected"].requires_grad_(true),
               weight = file["pair_weights"] / file["pair_weights"].sum();
  expect_loss(preference_loss(chosen, rejected, {}, weight), file["weighted_loss"], {chosen, rejected},
              {file["weighted_grad_chosen"], file["weighted_grad_rejected"]});
}

// The rankings of the golden file as examples, their rewards as they would be read.
struct JudgedRankings {
  std::vector<Example> examples;
  std::vector<const Example*> pointers;
  JudgedBatch judged;
};

JudgedRankings judged_rankings(const GoldenTensors& file) {
  JudgedRankings r;
  const auto ranks = ids_of(file["ranks"]), offsets = ids_of(file["offsets"]);
  for (size_t i = 1; i < offsets.size(); ++i) {
    Example& example = r.examples.emplace_back();
    example.judgement.weight = number(file["row_weights"][static_cast<int64_t>(i) - 1]);
    for (int64_t j = offsets[i - 1]; j < offsets[i]; ++j) {
      example.ranks.push_back(ranks[static_cast<size_t>(j)]);
      example.judgement.scores.push_back(number(file["scores"][j]));
    }
  }
  r.judged.first = offsets;
  for (const Example& example : r.examples) r.pointers.push_back(&example);
  return r;
}

TEST(RewardLoss, TiesMarginsAndWeightsOfRankings) {
  const GoldenTensors file = losses("judgements");
  const Tensor rewards = file["rewards"].requires_grad_(true);
  const JudgedRankings r = judged_rankings(file);
  for (const std::string name : {"drop_plain", "drop_margin", "half_plain", "half_margin"}) {
    const PairRules rules{name.starts_with("half") ? Ties::half : Ties::drop,
                          name.ends_with("margin") ? number(file["margin_scale"]) : 0};
    const ComparisonBatch pairs =
        comparison_batch(r.pointers, r.judged, pair_weight(r.pointers, rules.ties), rules);
    const Tensor loss =
        preference_loss(rewards.index_select(0, pairs.better), rewards.index_select(0, pairs.worse),
                        pairs.margin, pairs.weight.to(at::kDouble));
    EXPECT_NEAR(number(loss), number(file[name + "_loss"]), 1e-7) << name;  // weights are float32
    EXPECT_LT(
        largest_difference(gradients(loss, at::ones({}, at::kDouble), {rewards})[0], file[name + "_grad"]),
        1e-7)
        << name;
    EXPECT_EQ(pairs.strict.sum().item().toLong(), 6 + 2 + 33) << name;
  }
}

// TRL sees four strict pairs twice and three tied ones in both orders.
TEST(RewardLoss, ATieIsBothOrdersWithHalfTheWeight) {
  const GoldenTensors file = losses("judgements");
  const Tensor chosen = file["chosen"].requires_grad_(true), rejected = file["rejected"].requires_grad_(true);
  std::vector<Example> examples(7);
  std::vector<const Example*> pointers;
  JudgedBatch judged;
  for (int64_t i = 0; i <= 7; ++i) judged.first.push_back(2 * i);
  for (size_t i = 0; i < 7; ++i) {
    examples[i].ranks = {1, i < 4 ? 2 : 1};
    pointers.push_back(&examples[i]);
  }
  const ComparisonBatch pairs =
      comparison_batch(pointers, judged, pair_weight(pointers, Ties::half), {.ties = Ties::half});
  const Tensor rewards = at::stack({chosen, rejected}, 1).flatten();
  const Tensor loss = preference_loss(rewards.index_select(0, pairs.better),
                                      rewards.index_select(0, pairs.worse), {}, pairs.weight.to(at::kDouble));
  EXPECT_NEAR(number(loss), number(file["tied_loss"]), 1e-7);
  const auto grads = gradients(loss, at::ones({}, at::kDouble), {chosen, rejected});
  EXPECT_LT(largest_difference(grads[0], file["tied_grad_chosen"]), 1e-7);
  EXPECT_LT(largest_difference(grads[1], file["tied_grad_rejected"]), 1e-7);
}

TEST(RewardLoss, NumbersByTheirWeightedSquaredError) {
  const GoldenTensors file = losses("judgements");
  const Tensor value = file["predicted"].requires_grad_(true),
               weight = file["value_weights"] / file["value_weights"].sum();
  expect_loss(regression_loss(value, file["targets"], weight), file["regression_loss"], {value},
              {file["regression_grad"]});
}

TEST(Kl, EstimatorsAndExactDivergence) {
  const GoldenTensors file = losses("distributions");
  const Tensor logps = file["logps"].requires_grad_(true), reference = file["ref_logps"];
  for (const std::string name : {"k1", "k2", "k3"}) {
    const Tensor kl = kl_estimate(logps, reference, kl_estimator_named(name));
    EXPECT_LT(largest_difference(kl, file["kl_" + name]), kExact) << name;
    EXPECT_LT(
        largest_difference(gradients(kl, file["weight"], {logps})[0], file["kl_" + name + "_grad_logps"]),
        kExact)
        << name;
  }
  const Tensor logits = file["logits"].requires_grad_(true);
  const Tensor exact = exact_kl(logits.log_softmax(-1), file["ref_logits"].log_softmax(-1));
  EXPECT_LT(largest_difference(exact, file["kl_exact"]), kExact);
  EXPECT_LT(largest_difference(gradients(exact, file["weight"], {logits})[0], file["kl_exact_grad_logits"]),
            kExact);
}

TEST(Kl, AdaptiveControllerFollowsZiegler) {
  const GoldenTensors file = losses("kl_controller");
  KlController controller{number(file["initial"]), number(file["target"]), number(file["horizon"])};
  for (int64_t i = 0; i < file["kl"].numel(); ++i) {
    controller.update(number(file["kl"][i]), file["episodes_per_step"].item().toLong());
    EXPECT_NEAR(controller.coefficient, number(file["coefficient"][i]), kExact) << i;
  }
  KlController fixed{0.05, 0, 10000};
  fixed.update(100, 100);
  EXPECT_EQ(fixed.coefficient, 0.05);
}

// Rewards, GAE, returns and whitening with the score on the last token: OpenRLHF's convention.
TEST(Advantages, ScoreOnTheLastToken) {
  const GoldenTensors file = losses("rollouts");
  const auto offsets = ids_of(file["offsets"]);
  for (const std::string kl : {"k1", "k3"}) {
    const Tensor estimate = kl_estimate(file["logps"], file["ref_logps"], kl_estimator_named(kl));
    EXPECT_LT(largest_difference(token_rewards(estimate, file["scores"], offsets, number(file["kl_coef"])),
                                 file["last_rewards_" + kl]),
              kExact);
  }
  const Tensor rewards = file["last_rewards_k1"];
  EXPECT_LT(largest_difference(whiten(rewards, Variance::unbiased, true), file["last_whitened_rewards_k1"]),
            1e-7);
  for (const std::string name : {"plain", "discounted"}) {
    const Advantages got = generalized_advantages(
        rewards, file["values"], offsets, number(file["gamma_" + name]), number(file["lambda_" + name]));
    EXPECT_LT(largest_difference(got.advantage, file["last_advantages_" + name]), kExact);
    EXPECT_LT(largest_difference(got.returns, file["last_returns_" + name]), kExact);
    EXPECT_LT(largest_difference(whiten(got.advantage, Variance::population), file["last_whitened_" + name]),
              1e-7);
    EXPECT_LT(
        largest_difference(whiten(got.advantage, Variance::unbiased), file["last_whitened_unbiased_" + name]),
        1e-7);
  }
}

// TRL adds 1e-8 to the variance; OpenRLHF, above, bounds it from below. TRL's N / (N - 1) is computed in
// float32.
TEST(Advantages, WhiteningEqualsTrl) {
  const GoldenTensors file = losses("rollouts");
  for (const std::string name : {"plain", "discounted"})
    EXPECT_LT(largest_difference(whiten(file["trl_advantages_" + name], Variance::unbiased),
                                 file["trl_whitened_" + name]),
              1e-7);
}

// A finished response has one place more than tokens, whose reward is the score; the places are packed like
// tokens.
TEST(Advantages, TrlsScoreAfterEosIsGaeOverPlaces) {
  const GoldenTensors file = losses("rollouts");
  const auto offsets = ids_of(file["place_offsets"]);
  for (const std::string name : {"plain", "discounted"})
    EXPECT_LT(largest_difference(
                  generalized_advantages(file["trl_rewards_k1"], file["place_values"], offsets,
                                         number(file["gamma_" + name]), number(file["lambda_" + name]))
                      .returns,
                  file["trl_returns_" + name]),
              kExact);
}

TEST(Ppo, PolicyAndValueLossEqualTrl) {
  const GoldenTensors file = losses("ppo");
  const Tensor logps = file["logps"].requires_grad_(true), values = file["values"].requires_grad_(true);
  const Tensor weight = mean_weight(logps);
  for (const auto& [suffix, range] : {std::pair{"02", 0.2}, std::pair{"005", 0.05}}) {
    const std::string policy = std::string("policy_") + suffix, value = std::string("value_") + suffix;
    const Clip clip{range, range};
    expect_loss(ppo_policy_loss(logps, file["old_logps"], file["advantages"], weight, clip),
                file[policy + "_loss"], {logps}, {file[policy + "_grad"]});
    expect_loss(ppo_value_loss(values, file["old_values"], file["returns"], weight, range),
                file[value + "_loss"], {values}, {file[value + "_grad"]});
    EXPECT_NEAR(policy_clip_fraction(logps, file["old_logps"], file["advantages"], weight, clip),
                number(file[policy + "_clip_fraction"]), kExact);
    EXPECT_NEAR(value_clip_fraction(values, file["old_values"], file["returns"], weight, range),
                number(file[value + "_clip_fraction"]), kExact);
  }
}

TEST(DpoLoss, EqualsTrl) {
  const GoldenTensors file = losses("dpo");
  const PairLogps policy{file["better"].requires_grad_(true), file["worse"].requires_grad_(true)},
      reference{file["better_reference"], file["worse_reference"]};
  const Tensor weight = file["weight"];
  for (const std::string name : {"sigmoid", "conservative", "ipo", "hinge"}) {
    const double beta = number(file[name + "_beta"]);
    const double smoothing = name == "conservative" ? number(file["label_smoothing"]) : 0;
    const Tensor loss = name == "ipo"     ? ipo_loss(policy, reference, weight, beta)
                        : name == "hinge" ? hinge_loss(policy, reference, weight, beta)
                                          : dpo_loss(policy, reference, weight, beta, smoothing);
    expect_loss(loss, file[name + "_loss"], {policy.better, policy.worse},
                {file[name + "_grad_better"], file[name + "_grad_worse"]});
    EXPECT_LT(largest_difference(implicit_reward(policy.better, reference.better, beta).detach(),
                                 file[name + "_better_reward"]),
              kExact)
        << name;
    EXPECT_LT(largest_difference(implicit_reward(policy.worse, reference.worse, beta).detach(),
                                 file[name + "_worse_reward"]),
              kExact)
        << name;
  }
}

TEST(Losses, RefuseShapesThatDoNotFit) {
  const Tensor three = at::zeros({3}), two = at::zeros({2});
  EXPECT_THROW(preference_loss(three, two, {}, three), std::invalid_argument);
  EXPECT_THROW(ppo_policy_loss(three, three, two, three, {}), std::invalid_argument);
  EXPECT_THROW(dpo_loss({three, three}, {three, two}, three, 0.1), std::invalid_argument);
  EXPECT_THROW(generalized_advantages(three, three, std::vector<int64_t>{0, 2}, 1, 1), std::invalid_argument);
}

}  // namespace
}  // namespace keel
