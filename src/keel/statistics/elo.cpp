#include "keel/statistics/elo.h"

#include <cmath>
#include <string>

#include "keel/base/error.h"
#include "keel/statistics/resampling.h"

namespace keel {
namespace {

void check(const EloOptions& options) {
  const auto& [scale, base, initial] = options.scale;
  if (options.k > 0 && scale > 0 && base > 1 && std::isfinite(initial)) return;
  throw Error("elo", "expected K and a scale above 0 and a base above 1, got " + std::to_string(options.k) +
                         ", " + std::to_string(scale) + " and " + std::to_string(base));
}

struct Contest {
  size_t first, second;
  double outcome;
};

std::vector<Contest> numbered(std::span<const Battle> battles, const Names& names) {
  std::vector<Contest> contests;
  for (const auto& battle : battles) {
    contests.push_back({names.position(battle.first), names.position(battle.second), battle.outcome});
  }
  return contests;
}

void play(const Contest& contest, const EloOptions& options, std::vector<double>& ratings) {
  const double difference = ratings[contest.first] - ratings[contest.second];
  const double expected =
      1 / (1 + std::exp(-std::log(options.scale.base) / options.scale.scale * difference));
  const double change = options.k * (contest.outcome - expected);
  ratings[contest.first] += change;
  ratings[contest.second] -= change;
}

}  // namespace

std::vector<EloRating> elo_ratings(std::span<const Battle> battles, const EloOptions& options) {
  check_battles("elo", battles);
  check(options);
  const Names names = contestants(battles);
  std::vector<double> ratings(names.size(), options.scale.initial);
  std::vector<int64_t> played(names.size());
  for (const auto& contest : numbered(battles, names)) {
    play(contest, options, ratings);
    ++played[contest.first], ++played[contest.second];
  }
  std::vector<EloRating> result;
  for (size_t i = 0; i < names.size(); ++i) result.push_back({names[i], ratings[i], played[i]});
  return result;
}

std::vector<EloEstimate> bootstrap_elo(std::span<const Battle> battles, const EloOptions& options,
                                       const Bootstrap& bootstrap) {
  const auto in_order = elo_ratings(battles, options);
  const auto contests = numbered(battles, contestants(battles));
  const auto drawn = resampled(bootstrap, [&](int64_t resample) {
    std::vector<double> ratings(in_order.size(), options.scale.initial);
    for (const size_t unit : drawn_units(contests.size(), resample, bootstrap)) {
      play(contests[unit], options, ratings);
    }
    return ratings;
  });
  std::vector<EloEstimate> result;
  const auto count = static_cast<int64_t>(battles.size());
  for (size_t i = 0; i < in_order.size(); ++i) {
    result.push_back({.name = in_order[i].name,
                      .rating = percentile_estimate(in_order[i].rating, count, drawn[i], bootstrap),
                      .median = quantile(drawn[i], 0.5)});
  }
  return result;
}

double elo_points(double strength, const EloScale& scale) {
  return scale.initial + scale.scale * strength / std::log(scale.base);
}

Estimate elo_points(const Estimate& strength, const EloScale& scale) {
  return {elo_points(strength.value, scale),
          strength.standard_error * scale.scale / std::log(scale.base),
          {elo_points(strength.interval.low, scale), elo_points(strength.interval.high, scale)},
          strength.count};
}

}  // namespace keel
