// A win rate that may be looked at after every vote. Robbins 1970, "Statistical Methods Related to the Law of
// the Iterated Logarithm"; Howard, Ramdas, McAuliffe and Sekhon 2021, "Time-Uniform, Nonparametric,
// Nonasymptotic Confidence Sequences" (the beta-binomial mixture); Waudby-Smith and Ramdas 2024, "Estimating
// Means of Bounded Random Variables by Betting", which reads it as a bet.
//
// Whoever bets against the mean being m by always believing in a win rate p has, after votes with the sum S,
//   p^S (1 - p)^(n - S) / (m^S (1 - m)^(n - S))
// times the stake, on average no more than the stake if m is right; for votes in [0, 1], too, not only 0 and
// 1, since x → (p/m)^x ((1-p)/(1-m))^(1-x) is convex. The mixture over p ~ Beta(1/2, 1/2) is such a bet, and
// by Ville's inequality reaches 1/α at any time with a probability of at most α. The interval holds the
// means that are not refuted. It asks of each vote the same expectation given those before it, so votes on
// one prompt are no two votes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "keel/statistics/intervals.h"

namespace keel {

/// ln of what such a bet against `mean` has become; `sum`: of the votes, each in [0, 1].
double log_evidence_against(double mean, double sum, int64_t votes);

/// The means that so many votes with this sum do not refute. [0, 1] without votes.
Interval confidence_sequence(double sum, int64_t votes, double confidence = 0.95);

enum class Verdict { better, worse, undecided };

struct Certificate {
  Verdict verdict = Verdict::undecided;
  int64_t votes = 0, decided_after = 0;  // 0: undecided
  double rate = 0.5;
  Interval interval = {0, 1};        // what no number of votes so far has refuted
  double log_evidence = 0;           // against a rate of 1/2; ln, the largest so far
  std::optional<int64_t> more = {};  // about how many votes are missing if they go on as so far; none known:
                                     // the rate is 1/2, or they are more than a million
};

/// Votes in their order: 1 for the one in question, 0 for the other, 0.5 for a tie. What was decided once
/// stays so. Errors: [certify] a vote outside [0, 1], a confidence outside (0, 1).
Certificate certify(std::span<const double> votes, double confidence = 0.95);

const char* verdict_name(Verdict verdict);  // "better", "worse", "undecided"

}  // namespace keel
