// The battles of tests/golden/statistics/battles.py, and simulated ones.
#pragma once

#include <cmath>
#include <vector>

#include "keel/base/random.h"
#include "keel/statistics/judgements.h"
#include "statistics/golden.h"

namespace keel {

inline std::vector<Battle> golden_battles(const Json& golden) {
  std::vector<Battle> battles;
  for (size_t i = 0; i < golden["first"].size(); ++i) {
    battles.push_back({.first = golden["first"][i],
                       .second = golden["second"][i],
                       .outcome = golden["outcome"][i],
                       .prompt = golden["prompt"][i]});
  }
  return battles;
}

/// Whether the first of two wins by Bradley and Terry's model.
inline double battle_outcome(double difference, RandomSequence& draws) {
  return draws.uniform() < 1 / (1 + std::exp(-difference)) ? 1 : 0;
}

}  // namespace keel
