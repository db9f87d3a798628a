// Simulated annotators of known reliability. They see the gold score through noise, as people see quality.
// Rankings by added Gumbel noise are Plackett-Luce's (Plackett 1975; Yellott 1977): of two completions the
// better is put first with probability sigmoid(difference / temperature), Bradley and Terry's model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/base/random.h"
#include "keel/statistics/intervals.h"

namespace keel {

struct Annotator {
  std::string name = "simulated";
  double temperature = 1;    // scale of the noise in gold points, > 0; small is reliable
  double careless = 0.05;    // the probability that a whole ranking is drawn at random
  double tie_threshold = 0;  // neighbours whose perceived scores differ by no more are called equal
};

/// The annotators of the demo, from reliable to poor. They are fixed here, before any run.
std::vector<Annotator> demo_annotators();

/// For a run's manifest and the store.
Json annotator_json(const Annotator& annotator);

/// Ranks of K completions: 1 is best, equal numbers tie, and the next rank after a tie of two counts both (1
/// 1 3). A pure function of the key, whose stream is set to annotators and whose position is used up; give
/// each annotator and prompt their own `sample` and `prompt`. Errors: [rank] parameters out of range or a
/// score that is no number.
std::vector<int> rank(const Annotator& annotator, std::span<const double> gold, RandomKey key);

/// How often the annotator's strict orders agree with gold's.
struct PairAccuracy {
  int64_t agreeing = 0;
  int64_t pairs = 0;  // strictly ordered by both
  int64_t ties = 0;   // ordered by gold, called equal by the annotator
  double value() const {
    return pairs == 0 ? 0.0 : static_cast<double>(agreeing) / static_cast<double>(pairs);
  }
  Interval interval() const { return wilson(agreeing, pairs); }
};

/// Simulates `repeats` rankings of each group of gold scores. The pairs of one ranking are not independent,
/// so the interval is a little too narrow.
PairAccuracy expected_pair_accuracy(const Annotator& annotator, std::span<const std::vector<double>> groups,
                                    uint64_t seed, int repeats = 20);

/// Adds what one ranking says to the count.
void count_pairs(std::span<const double> gold, std::span<const int> ranks, PairAccuracy& accuracy);

}  // namespace keel
