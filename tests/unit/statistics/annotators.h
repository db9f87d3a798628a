// The labels of tests/golden/statistics/annotators.py, and simulated annotators.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "keel/base/random.h"
#include "keel/statistics/judgements.h"
#include "statistics/golden.h"

namespace keel {

inline std::vector<Label> golden_labels(const Json& part) {
  std::vector<Label> labels;
  for (size_t i = 0; i < part["item"].size(); ++i)
    labels.push_back({part["annotator"][i], part["item"][i], part["category"][i]});
  return labels;
}

/// Labels 1 and -1 of items whose truth is 1 where their number is even, by `each` annotators a time who are
/// drawn by chance. right(annotator, item): the probability of a right label.
inline std::vector<Label> simulated_labels(int64_t annotators, int64_t items, int64_t each, uint64_t seed,
                                           const std::function<double(int64_t, int64_t)>& right) {
  std::vector<Label> labels;
  for (int64_t item = 0; item < items; ++item) {
    RandomSequence draws({.seed = seed, .stream = Stream::annotators, .prompt = static_cast<uint32_t>(item)});
    std::vector<int64_t> who;
    while (std::ssize(who) < each)
      if (const int64_t one = draws.below(annotators); std::find(who.begin(), who.end(), one) == who.end())
        who.push_back(one);
    const int64_t truth = item % 2 == 0 ? 1 : -1;
    for (const int64_t one : who)
      labels.push_back({one, item, draws.uniform() < right(one, item) ? truth : -truth});
  }
  return labels;
}

}  // namespace keel
