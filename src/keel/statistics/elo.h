// Elo's ratings, updated battle by battle. Elo 1978, "The Rating of Chessplayers, Past and Present"; the
// defaults are those of FastChat's rating_systems.py (Zheng et al. 2023; Chiang et al. 2024, Chatbot Arena).
#pragma once

#include <span>
#include <vector>

#include "keel/statistics/intervals.h"
#include "keel/statistics/judgements.h"

namespace keel {

/// How differences become points: `scale` points more are odds of `base` to 1.
struct EloScale {
  double scale = 400;
  double base = 10;
  double initial = 1000;  // the rating of who has not played; the mean of all
};

struct EloOptions {
  double k = 4;  // the most points that one battle can move
  EloScale scale = {};
};

struct EloRating {
  int64_t name = 0;
  double rating = 0;
  int64_t battles = 0;
};

/// Ratings after the battles in their order, by name. The winner of a battle gains k · (outcome - expected),
/// with expected = 1 / (1 + base^(-difference / scale)), and the loser loses it. The order matters: late
/// battles count more. Errors: [elo] battles out of range, or k, scale or base that are none.
std::vector<EloRating> elo_ratings(std::span<const Battle> battles, const EloOptions& options = {});

struct EloEstimate {
  int64_t name = 0;
  Estimate rating;    // the value is of the battles in their order; `count` battles were resampled
  double median = 0;  // of the resamples, which come in random order: what FastChat reports
};

/// Resamples the battles, drawn in any order. Who is not drawn keeps the initial rating.
std::vector<EloEstimate> bootstrap_elo(std::span<const Battle> battles, const EloOptions& options,
                                       const Bootstrap& bootstrap);

/// A Bradley-Terry strength (log-odds in nats) in points: initial + scale · strength / ln(base).
double elo_points(double strength, const EloScale& scale = {});
Estimate elo_points(const Estimate& strength, const EloScale& scale = {});

}  // namespace keel
