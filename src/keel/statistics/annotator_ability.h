// Strengths of contestants and abilities of those who judge them, together. Chen, Bennett, Collins-Thompson
// and Horvitz 2013, "Pairwise Ranking Aggregation in a Crowdsourced Setting", equation 3: annotator k says
// that i beats j with probability η_k · sigmoid(s_i - s_j) + (1 - η_k) · sigmoid(s_j - s_i). An ability of 1
// follows Bradley and Terry, 1/2 is anybody's guess, 0 says the contrary of what was seen.
//
// Departures: batch EM instead of their online updates; a Beta prior on abilities that is even around 1/2;
// ties, which the paper has none of, are half a win for each side and say nothing of ability.
//
// Turning around all strengths and abilities fits as well: EM starts where abilities are high.
#pragma once

#include <span>
#include <vector>

#include "keel/statistics/intervals.h"
#include "keel/statistics/judgements.h"

namespace keel {

struct AnnotatorAbilityOptions {
  double prior_deviation = 3;  // nats, of a normal prior on strengths
  double smoothing = 1;        // pseudo-battles judged well, and as many judged contrarily
};

/// Numbers are places in `contestants` and `annotators`, which are sorted.
struct AnnotatorAbility {
  std::vector<int64_t> contestants, annotators;
  std::vector<double> strengths;    // log-odds, nats, of mean 0
  std::vector<double> ability;      // η
  std::vector<Interval> intervals;  // of abilities, 95 %
  double log_posterior = 0;         // nats, up to a constant
};

/// Errors: as check_battles; a prior that is none.
AnnotatorAbility annotator_ability(std::span<const Battle> battles,
                                   const AnnotatorAbilityOptions& options = {});

}  // namespace keel
