// The report's first sentence, by a rule that is fixed before the run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "keel/statistics/intervals.h"

namespace keel {

/// What the verdict is computed from: both models' answers to the same held-out prompts.
struct Comparison {
  double before = 0, after = 0;  // mean gold score of SFT and of PPO
  Estimate gold_difference;      // PPO - SFT, paired by prompt; its count is the number of prompts
  std::optional<Estimate> proxy_difference =
      std::nullopt;            // the same by the reward model that PPO was trained on
  std::string policy = "PPO";  // what the sentence calls the later model
};

enum class Outcome { improved, did_not_improve, cannot_be_told, not_measured };

struct Verdict {
  Outcome outcome = Outcome::not_measured;
  std::string sentence;
  std::string warning;  // empty, or a second sentence that must be read with the first
};

/// improved          the whole interval of the gold difference lies above 0
/// did_not_improve   the whole interval lies at or below 0
/// cannot_be_told    the interval contains 0 and something above it
/// not_measured      there is no comparison, or its numbers are not finite
/// Only the first claims anything: the sentences of the second and third both say "did not improve". It warns
/// when the reward model's score rose while the gold judge's did not (over-optimisation; Gao et al. 2023,
/// "Scaling Laws for Reward Model Overoptimization").
Verdict judge(const std::optional<Comparison>& comparison);

/// "improved", "did_not_improve", ...
const char* outcome_name(Outcome outcome);

}  // namespace keel
