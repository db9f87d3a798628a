// What a batch of comparisons teaches a policy: the log-probabilities of all completions under policy and
// reference, the loss of their pairs, its gradients. The loop around it is dpo.cpp.
#pragma once

#include "keel/base/json.h"
#include "keel/trainers/reference_logps.h"

namespace keel {

enum class DpoLoss { sigmoid, ipo, hinge };

/// Errors: UsageError for a name that is none of sigmoid, ipo, hinge.
DpoLoss dpo_loss_named(const std::string& name);

struct DpoSettings {
  DpoLoss loss = DpoLoss::sigmoid;  // ipo is of token means, as TRL's; the others are of sums
  double beta = 0.1, label_smoothing = 0;
  double sft_coefficient =
      0;  // of the best completions' token mean of -logp (Pang et al. 2024; TRL's rpo_alpha)
};

/// What the losses of a batch are means over; a row of weight w counts w times.
struct ComparisonCounts {
  double prompts = 0;      // with at least one strict pair
  double best_tokens = 0;  // scored tokens of these prompts' best completions
};
ComparisonCounts comparison_counts(std::span<const Example* const> examples);

/// Losses, which are means once everything counted was added, and sums over strict pairs.
struct DpoMeasure {
  double loss = 0, sft_loss = 0;  // loss holds its share of sft_loss
  double margin = 0, chosen_reward = 0, rejected_reward = 0, chosen_logp = 0, rejected_logp = 0;
  int64_t right = 0, pairs = 0;  // right: the better one's implicit reward is the larger one
  int64_t tokens = 0;            // processed
};

/// Adds the loss of some examples, counted in `whole`, and its gradients where the policy's weights ask for
/// them. keyed: dropout of the policy, or null; it names no documents yet. The reference has none.
void add_comparisons(const Role& policy, const ReferenceLogps& reference,
                     std::span<const Example* const> examples, const ComparisonCounts& whole,
                     const DpoSettings& settings, const Dropout* keyed, DpoMeasure& measure);

/// A metrics row's figures: means over pairs.
Json dpo_metrics(const DpoMeasure& measure, const DpoSettings& settings);

}  // namespace keel
