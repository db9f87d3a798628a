#include "keel/statistics/annotator_ability.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "keel/base/error.h"
#include "keel/statistics/comparability.h"
#include "keel/statistics/missing_labels.h"
#include "keel/statistics/moments.h"
#include "keel/statistics/paired_likelihood.h"

namespace keel {
namespace {

// Battles by the places of their names.
struct Place {
  size_t first, second, annotator;
};

struct Abilities {
  std::vector<double> straight;  // of each battle: the probability that it was judged as seen
  double log_likelihood = 0;
};

// Whether battles were judged straight, given strengths and abilities.
Abilities judge(std::span<const Battle> battles, const std::vector<Place>& places,
                const std::vector<double>& strengths, const std::vector<double>& ability) {
  Abilities found;
  for (size_t i = 0; i < battles.size(); ++i) {
    const auto& [first, second, annotator] = places[i];
    const double p = paired_chances(strengths[first] - strengths[second], 0).win, won = battles[i].outcome;
    const double seen = won * p + (1 - won) * (1 - p), eta = ability[annotator];
    const double straight = eta * seen, turned = (1 - eta) * (1 - seen);
    found.straight.push_back(straight / (straight + turned));
    found.log_likelihood += std::log(straight + turned);
  }
  return found;
}

std::vector<Place> places_of(std::span<const Battle> battles, const Names& contestants,
                             const Names& annotators) {
  std::vector<Place> places;
  for (const Battle& battle : battles)
    places.push_back({contestants.position(battle.first), contestants.position(battle.second),
                      annotators.position(battle.annotator)});
  return places;
}

// Strengths from battles whose outcome counts as far as it was judged straight.
void learn_strengths(PairedLikelihood& likelihood, std::span<const Battle> battles, const Abilities& seen) {
  std::vector<double> outcomes;
  for (size_t i = 0; i < battles.size(); ++i)
    outcomes.push_back(seen.straight[i] * battles[i].outcome +
                       (1 - seen.straight[i]) * (1 - battles[i].outcome));
  likelihood.observe(outcomes, std::vector<double>(battles.size(), 1.0));
  likelihood.maximise();
}

// By annotator: battles that somebody won, and how many of them were judged straight.
std::vector<MissingLabels> counts_of(std::span<const Battle> battles, const std::vector<Place>& places,
                                     const Abilities& seen, size_t annotators) {
  std::vector<MissingLabels> counts(annotators);
  for (size_t i = 0; i < battles.size(); ++i)
    if (battles[i].outcome != 0.5) counts[places[i].annotator].add(seen.straight[i]);
  return counts;
}

double log_prior(const std::vector<double>& ability, double smoothing) {
  double sum = 0;
  for (const double eta : ability) sum += smoothing * (std::log(eta) + std::log1p(-eta));
  return smoothing > 0 ? sum : 0;
}

}  // namespace

AnnotatorAbility annotator_ability(std::span<const Battle> battles, const AnnotatorAbilityOptions& options) {
  check_battles("annotator_ability", battles);
  if (!(options.prior_deviation > 0) || !std::isfinite(options.prior_deviation) || options.smoothing < 0)
    throw Error("annotator_ability",
                "expected a prior of finite deviation and pseudo-battles of 0 or more, got " +
                    std::to_string(options.prior_deviation) + " and " + std::to_string(options.smoothing));
  const Comparability who = comparability(battles);
  std::vector<int64_t> all;
  for (const Battle& battle : battles) all.push_back(battle.annotator);
  const Names contestants(who.names), annotators(std::move(all));
  const std::vector<Place> places = places_of(battles, contestants, annotators);
  PairedLikelihood likelihood(battles, who, options.prior_deviation, /*model_ties=*/false);
  constexpr int kRounds = 2000;
  constexpr double kNear = 1e-9, kStart = 0.9;
  AnnotatorAbility fit;
  fit.contestants = who.names, fit.annotators = annotators.sorted();
  fit.ability.assign(annotators.size(), kStart);
  Abilities seen;
  seen.straight.assign(battles.size(), kStart);
  for (int round = 0; round < kRounds; ++round) {
    learn_strengths(likelihood, battles, seen);
    seen = judge(battles, places, likelihood.strengths(), fit.ability);
    const auto counts = counts_of(battles, places, seen, annotators.size());
    double largest = 0;
    for (size_t a = 0; a < counts.size(); ++a) {
      const double ability = counts[a].share(options.smoothing);
      largest = std::max(largest, std::abs(ability - fit.ability[a]));
      fit.ability[a] = ability;
    }
    if (largest < kNear) break;
  }
  for (const auto& counts : counts_of(battles, places, seen, annotators.size()))
    fit.intervals.push_back(counts.interval(options.smoothing));
  fit.log_posterior = likelihood.log_posterior() - likelihood.log_likelihood() +
                      judge(battles, places, likelihood.strengths(), fit.ability).log_likelihood +
                      log_prior(fit.ability, options.smoothing);
  const double centre = mean(likelihood.strengths());
  for (const double strength : likelihood.strengths()) fit.strengths.push_back(strength - centre);
  return fit;
}

}  // namespace keel
