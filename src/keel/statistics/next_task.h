// Which task to ask next: a priority for each, the higher the sooner. Settles (2009), "Active Learning
// Literature Survey", names the ideas.
//
// random      any order: what is answered first is a fair sample
// uncertain   what an answer is expected to tell: of Bradley-Terry strengths, closeness p(1 - p) times what
// is
//             not known of the difference, its variance (the determinant of the information grows by 1 plus
//             this: Fedorov 1972, "Theory of Optimal Experiments"); of an ensemble, how far its members
//             disagree about the margins
// diverse     texts that are far from those asked for so far: Gonzalez 1985, "Clustering to Minimize the
//             Maximum Intercluster Distance" (farthest first)
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "keel/statistics/judgements.h"

namespace keel {

std::vector<double> random_priorities(size_t tasks, uint64_t seed);

/// What a comparison of two contestants would tell, after battles. Strengths have a normal prior of this
/// deviation (nats), so that contestants without battles are the least known of all.
class ComparisonValue {
 public:
  /// `names`: contestants that may be asked for, with or without battles.
  ComparisonValue(std::span<const Battle> battles, std::span<const int64_t> names,
                  double prior_deviation = 3);
  /// p(1 - p) · Var(difference); 0 for a contestant and itself. Both were named.
  double operator()(int64_t first, int64_t second) const;

 private:
  Names names_;
  std::vector<double> strengths_, covariance_;
};

/// The mean over pairs of completions of the deviation (over n) of members' margins, each member's scores
/// less their mean and over their deviation in all tasks, since rewards have no common scale.
/// scores[task][member][completion]. Errors: [disagreement] members that differ in number.
std::vector<double> disagreement_priorities(const std::vector<std::vector<std::vector<double>>>& scores);

/// Farthest first by the words of the texts, beginning far from `asked`; the `most` first ones so, the others
/// in any order behind them.
std::vector<double> diverse_priorities(const std::vector<std::string>& texts,
                                       const std::vector<std::string>& asked, uint64_t seed,
                                       int64_t most = 1000);

}  // namespace keel
