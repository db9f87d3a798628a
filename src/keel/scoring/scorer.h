// What gives a finished completion its score: a reward model, a rule, later a program or a judge's endpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace keel {

/// One finished completion. Text and ids say the same; a scorer uses what it understands.
struct ScoredSample {
  std::string prompt_text, completion_text;
  std::vector<int64_t> prompt_ids, completion_ids;  // completion_ids hold the end-of-text id when finished
  bool finished = false;                            // by itself, not cut by the budget
};

struct Score {
  double reward = 0;
  std::vector<double> parts =
      {};  // what it was made of: the labels of one head, or the members of an ensemble
  std::string error = {};
};

class Scorer {
 public:
  virtual ~Scorer() = default;
  /// Fills one score for each sample.
  virtual void score(std::span<const ScoredSample> samples, std::span<Score> scores) = 0;
};

}  // namespace keel
