#include "keel/statistics/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "keel/base/error.h"

namespace keel {
namespace {

void check(std::span<const Prediction> predictions, int bins, double lowest) {
  if (predictions.empty() || bins < 1 || !(lowest >= 0 && lowest < 1)) {
    throw Error("calibration", "expected predictions, bins and a lowest probability below 1, got " +
                                   std::to_string(predictions.size()) + " predictions, " +
                                   std::to_string(bins) + " bins and " + std::to_string(lowest));
  }
  for (const auto& prediction : predictions) {
    if (prediction.probability >= lowest && prediction.probability <= 1) continue;
    throw Error("calibration", "expected a probability in [" + std::to_string(lowest) + ", 1], got " +
                                   std::to_string(prediction.probability));
  }
}

double log_loss_of(const Prediction& prediction) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const double probability = std::clamp(prediction.probability, kEpsilon, 1 - kEpsilon);
  return -std::log(prediction.happened ? probability : 1 - probability);
}

std::vector<ReliabilityBin> empty_bins(int bins, double lowest) {
  std::vector<ReliabilityBin> made;
  const double width = (1 - lowest) / bins;
  for (int i = 0; i < bins; ++i) {
    made.push_back({.low = lowest + width * i, .high = i + 1 == bins ? 1 : lowest + width * (i + 1)});
  }
  return made;
}

ReliabilityBin& bin_of(double probability, std::vector<ReliabilityBin>& bins) {
  const auto found = std::find_if(bins.begin(), bins.end() - 1,
                                  [&](const ReliabilityBin& bin) { return probability <= bin.high; });
  return *found;
}

}  // namespace

Prediction pair_prediction(double reward_preferred, double reward_other) {
  const double difference = reward_preferred - reward_other;
  return {.probability = 1 / (1 + std::exp(-std::abs(difference))), .happened = difference > 0};
}

Calibration calibration(std::span<const Prediction> predictions, int bins, double lowest) {
  check(predictions, bins, lowest);
  Calibration result{.bins = empty_bins(bins, lowest), .count = static_cast<int64_t>(predictions.size())};
  const auto n = static_cast<double>(predictions.size());
  for (const auto& prediction : predictions) {
    auto& bin = bin_of(prediction.probability, result.bins);
    ++bin.count;
    bin.happened += prediction.happened;
    bin.mean_probability += prediction.probability;
    const double error = prediction.probability - (prediction.happened ? 1 : 0);
    result.log_loss += log_loss_of(prediction) / n;
    result.brier += error * error / n;
  }
  for (auto& bin : result.bins) {
    bin.interval = wilson(bin.happened, bin.count);
    if (bin.count == 0) continue;
    const auto count = static_cast<double>(bin.count);
    bin.mean_probability /= count;
    bin.frequency = static_cast<double>(bin.happened) / count;
    result.expected_error += count / n * std::abs(bin.frequency - bin.mean_probability);
  }
  return result;
}

}  // namespace keel
