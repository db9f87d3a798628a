// How far predicted probabilities can be taken at their word.
// Reliability diagrams: DeGroot and Fienberg 1983; expected calibration error: Naeini et al. 2015
// (equal-width bins).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "keel/statistics/intervals.h"

namespace keel {

/// A forecast and what happened.
struct Prediction {
  double probability = 0.5;
  bool happened = false;
};

/// What a reward model foretells of one labelled pair: that the completion with the higher reward is
/// preferred, with probability sigmoid(|difference|) in [0.5, 1] (Bradley and Terry 1952). Pairs must be
/// folded like this: oriented by their label they would all "happen", and a calibration against that says
/// nothing.
Prediction pair_prediction(double reward_preferred, double reward_other);

/// Predictions in (low, high], the first bin closed at its low end too.
struct ReliabilityBin {
  double low = 0, high = 0;
  int64_t count = 0;
  int64_t happened = 0;
  double mean_probability = 0;  // of the bin's predictions; 0 when it is empty
  double frequency = 0;         // happened / count; 0 when it is empty
  Interval interval = {};       // Wilson's, of the frequency
};

struct Calibration {
  std::vector<ReliabilityBin> bins;
  int64_t count = 0;
  double expected_error = 0;  // sum over bins of count / n · |frequency - mean probability|
  double log_loss = 0;        // mean of -ln(probability of what happened), nats
  double brier = 0;           // mean of (probability - happened)²
};

/// Equal-width bins over [lowest, 1]; 0.5 is the lowest for pairs. Probabilities are kept 2^-52 away from 0
/// and 1 in the log loss, as scikit-learn does. Errors: [calibration] no predictions, no bins, or a
/// probability outside [lowest, 1].
Calibration calibration(std::span<const Prediction> predictions, int bins = 10, double lowest = 0);

}  // namespace keel
