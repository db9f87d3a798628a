#include "keel/trainers/dpo_update.h"

#include <algorithm>

#include "keel/algorithms/dpo.h"
#include "keel/algorithms/next_token.h"
#include "keel/base/error.h"

namespace keel {
namespace {

// Scored tokens of each completion, at least one: (R) float64.
Tensor scored_lengths(const CompletionBatch& batch) {
  const Tensor ones = at::ones({batch.completion.size(0)}, at::kDouble);
  return at::zeros({batch.last_rows.size(0)}, at::kDouble).index_add(0, batch.completion, ones).clamp_min(1);
}

PairLogps of_pairs(const Tensor& logp, const ComparisonBatch& pairs) {
  return {logp.index_select(0, pairs.better.to(logp.device())),
          logp.index_select(0, pairs.worse.to(logp.device()))};
}

Tensor pair_loss(const DpoSettings& s, const PairLogps& policy, const PairLogps& reference,
                 const Tensor& weight) {
  if (s.loss == DpoLoss::ipo) return ipo_loss(policy, reference, weight, s.beta);
  if (s.loss == DpoLoss::hinge) return hinge_loss(policy, reference, weight, s.beta);
  return dpo_loss(policy, reference, weight, s.beta, s.label_smoothing);
}

bool is_best(const Example& example, size_t completion) {
  return has_pair(example) &&
         example.ranks[completion] == *std::min_element(example.ranks.begin(), example.ranks.end());
}

// Its row's weight / best_tokens for a best completion, 0 for the others: (R) float64.
Tensor best_weights(std::span<const Example* const> examples, double best_tokens) {
  std::vector<double> weights;
  for (const Example* example : examples)
    for (size_t i = 0; i < example->completions.size(); ++i)
      weights.push_back(is_best(*example, i) && best_tokens > 0 ? example->judgement.weight / best_tokens
                                                                : 0.0);
  return at::tensor(weights, at::kDouble);
}

void add_pairs(const PairLogps& policy, const PairLogps& reference, double beta, DpoMeasure& m) {
  at::NoGradGuard no_grad;
  const Tensor chosen = implicit_reward(policy.better, reference.better, beta),
               rejected = implicit_reward(policy.worse, reference.worse, beta);
  const auto sum = [](const Tensor& values) { return values.sum().item().toDouble(); };
  m.margin += sum(chosen - rejected);
  m.chosen_reward += sum(chosen);
  m.rejected_reward += sum(rejected);
  m.chosen_logp += sum(policy.better);
  m.rejected_logp += sum(policy.worse);
  m.right += chosen.gt(rejected).sum().item().toLong();
  m.pairs += chosen.numel();
}

}  // namespace

DpoLoss dpo_loss_named(const std::string& name) {
  if (name == "sigmoid") return DpoLoss::sigmoid;
  if (name == "ipo") return DpoLoss::ipo;
  if (name == "hinge") return DpoLoss::hinge;
  throw UsageError("--loss-type", "expected sigmoid, ipo or hinge, got " + name);
}

ComparisonCounts comparison_counts(std::span<const Example* const> examples) {
  ComparisonCounts counts{pair_weight(examples), 0};
  for (const Example* example : examples)
    for (size_t i = 0; i < example->completions.size(); ++i)
      if (is_best(*example, i)) {
        const auto tokens = std::ssize(example->completions[i]) - (example->prompt.empty() ? 1 : 0);
        counts.best_tokens += example->judgement.weight * static_cast<double>(tokens);
      }
  return counts;
}

void add_comparisons(const Role& policy, const ReferenceLogps& reference,
                     std::span<const Example* const> examples, const ComparisonCounts& whole,
                     const DpoSettings& settings, const Dropout* keyed, DpoMeasure& measure) {
  const CompletionBatch batch = completion_batch(examples);
  const ComparisonBatch pairs = comparison_batch(examples, batch, whole.prompts);
  std::optional<Dropout> dropout;
  if (keyed != nullptr) dropout = Dropout{keyed->rate, keyed->seed, keyed->step, batch.documents};
  const at::Device device = policy.trunk->device();
  Tensor reference_logp = reference(examples, batch).to(device);
  Tensor logp = completion_logps(policy, batch, dropout ? &*dropout : nullptr), loss, sft_loss;
  if (settings.sft_coefficient > 0)
    sft_loss = next_token_loss(logp, best_weights(examples, whole.best_tokens).to(device));
  if (settings.loss == DpoLoss::ipo) {
    const Tensor lengths = scored_lengths(batch).to(device);
    logp = logp / lengths;
    reference_logp = reference_logp / lengths;
  }
  const PairLogps ours = of_pairs(logp, pairs), theirs = of_pairs(reference_logp, pairs);
  loss = pair_loss(settings, ours, theirs, pairs.weight.to(device, at::kDouble));
  if (sft_loss.defined()) loss = loss + settings.sft_coefficient * sft_loss;
  if (loss.requires_grad()) loss.backward();
  measure.loss += loss.item().toDouble();
  if (sft_loss.defined()) measure.sft_loss += sft_loss.item().toDouble();
  measure.tokens += batch.forest.size();
  add_pairs(ours, theirs, settings.beta, measure);
}

Json dpo_metrics(const DpoMeasure& m, const DpoSettings& settings) {
  const auto pairs = static_cast<double>(std::max<int64_t>(1, m.pairs));
  Json row = {{"accuracy", static_cast<double>(m.right) / pairs},
              {"margin", m.margin / pairs},
              {"chosen_reward", m.chosen_reward / pairs},
              {"rejected_reward", m.rejected_reward / pairs},
              {"chosen_logp", m.chosen_logp / pairs},
              {"rejected_logp", m.rejected_logp / pairs}};
  if (settings.sft_coefficient > 0) row["sft_loss"] = m.sft_loss;
  return row;
}

}  // namespace keel
