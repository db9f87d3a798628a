// A reward model, or an ensemble of them, against held-out rankings: what `keel eval reward` writes and the
// report shows.
#pragma once

#include "keel/reports/report.h"
#include "keel/trainers/scorer_options.h"

namespace keel {

/// One strictly ordered pair as a reward model sees it.
struct JudgedPair {
  int64_t line = 0;                  // of its row in the file
  int64_t prompt = 0;                // its ranking: the unit that is resampled
  double better = 0, worse = 0;      // rewards
  double longer = 0;                 // tokens of the better completion less those of the worse one
  double margin = 0;                 // of the judgement: difference of the scores, or of the ranks
  std::vector<double> members = {};  // better - worse by each member of an ensemble
  std::string group = {};
  bool right() const { return better > worse; }
};

/// Accuracy in groups of pairs, each with its count: by quarters of the difference of the rewards, by the
/// difference in length (below and above the median of its size), by the margin of the judgement where
/// margins differ, and by group where there are several (the twenty largest).
std::vector<AccuracyTable> accuracy_tables(const std::vector<JudgedPair>& pairs);

/// How far length explains the reward. lengths, rewards, prompts: of every completion. Nothing when no pair
/// differs in length.
std::optional<LengthBias> length_bias(const std::vector<JudgedPair>& pairs, std::span<const double> lengths,
                                      std::span<const double> rewards, std::span<const int64_t> prompts,
                                      uint64_t seed);

struct RewardEvaluationOptions {
  ScorerOptions scorer = {};
  std::string data = {};
  std::string group_by = {};  // a field of the rows; empty: none
  std::string pairs = {};     // a file that gets a line for each pair; empty: none
  int64_t seed = 1;           // of the bootstrap
  Compute compute = {};
};

/// Errors: [data] no strictly ordered pair, or a row without the field.
RewardModelPart evaluate_reward_model(const RewardEvaluationOptions& options);

}  // namespace keel
