#include "keel/statistics/bradley_terry.h"

#include <cmath>
#include <string>
#include <utility>

#include "keel/base/error.h"
#include "keel/statistics/comparability.h"
#include "keel/statistics/paired_likelihood.h"
#include "keel/statistics/resampling.h"

namespace keel {
namespace {

void check_options(const BradleyTerryOptions& options, const Comparability& who) {
  if (!(options.prior_deviation > 0)) {
    throw Error("bradley_terry",
                "expected a prior's deviation above 0, got " + std::to_string(options.prior_deviation));
  }
  if (std::isfinite(options.prior_deviation) || who.finite()) return;
  throw Error("bradley_terry", "expected every contestant to have won and lost against the others, got " +
                                   std::to_string(who.tiers) +
                                   " groups of which one never lost to another: "
                                   "collect battles between them, or give a prior");
}

void check_davidson(std::span<const Battle> battles) {
  bool decided = false;
  for (const auto& [first, second, outcome, annotator, prompt] : battles) {
    if (outcome != 0 && outcome != 0.5 && outcome != 1) {
      throw Error("bradley_terry",
                  "expected outcomes of 0, 0.5 or 1 where ties are modelled, got " + std::to_string(outcome));
    }
    decided |= outcome != 0.5;
  }
  if (!decided) throw Error("bradley_terry", "expected battles that somebody won, got ties alone");
}

Comparability checked(std::span<const Battle> battles, const BradleyTerryOptions& options) {
  check_battles("bradley_terry", battles);
  if (options.ties == Ties::davidson) check_davidson(battles);
  auto who = comparability(battles);
  check_options(options, who);
  return who;
}

PairedLikelihood likelihood_of(std::span<const Battle> battles, const BradleyTerryOptions& options,
                               const Comparability& who) {
  return PairedLikelihood(battles, who, options.prior_deviation, options.ties == Ties::davidson);
}

std::vector<double> outcomes_of(std::span<const Battle> battles) {
  std::vector<double> outcomes;
  for (const auto& battle : battles) outcomes.push_back(battle.outcome);
  return outcomes;
}

BradleyTerry fit_of(const PairedLikelihood& likelihood, const Comparability& who) {
  return {.names = who.names,
          .strengths = likelihood.strengths(),
          .components = who.component,
          .tie_parameter = likelihood.nu(),
          .log_likelihood = likelihood.log_likelihood()};
}

// The unit of each battle, and how many units there are.
std::pair<std::vector<size_t>, size_t> units_of(std::span<const Battle> battles, Resample unit) {
  std::vector<int64_t> names;
  for (const auto& battle : battles) {
    names.push_back(unit == Resample::prompts ? battle.prompt : static_cast<int64_t>(names.size()));
  }
  const Names different(names);
  std::vector<size_t> units;
  for (const int64_t name : names) units.push_back(different.position(name));
  return {units, different.size()};
}

// The strengths, then the differences of those that are named.
std::vector<double> with_contrasts(std::vector<double> values, const std::vector<int64_t>& names,
                                   std::span<const Contrast> contrasts) {
  const Names by_name(names);
  for (const auto& [first, second] : contrasts)
    values.push_back(values[by_name.position(first)] - values[by_name.position(second)]);
  return values;
}

}  // namespace

double BradleyTerry::win_probability(size_t first, size_t second) const {
  const auto p = paired_chances(strengths[first] - strengths[second], tie_parameter);
  return p.win + p.tie / 2;
}

double WinCell::observed() const {
  return (static_cast<double>(wins) + static_cast<double>(ties) / 2) / static_cast<double>(battles());
}

BradleyTerry bradley_terry(std::span<const Battle> battles, const BradleyTerryOptions& options) {
  const auto who = checked(battles, options);
  auto likelihood = likelihood_of(battles, options, who);
  likelihood.observe(outcomes_of(battles), std::vector<double>(battles.size(), 1.0));
  likelihood.maximise();
  return fit_of(likelihood, who);
}

BradleyTerryEstimate bootstrap_bradley_terry(std::span<const Battle> battles,
                                             const BradleyTerryOptions& options, const Bootstrap& bootstrap,
                                             Resample unit, std::span<const Contrast> contrasts) {
  const auto who = checked(battles, options);
  const auto outcomes = outcomes_of(battles);
  const auto [units, count] = units_of(battles, unit);
  auto likelihood = likelihood_of(battles, options, who);
  likelihood.observe(outcomes, std::vector<double>(battles.size(), 1.0));
  likelihood.maximise();
  BradleyTerryEstimate result{.fit = fit_of(likelihood, who)};
  const auto drawn = resampled(bootstrap, [&](int64_t resample) {
    const auto of_units = drawn_weights(count, resample, bootstrap);
    std::vector<double> weights;
    for (const size_t of : units) weights.push_back(of_units[of]);
    auto again = likelihood;  // from the same start, so that no resample depends on another
    again.observe(outcomes, weights);
    again.maximise();
    return with_contrasts(again.strengths(), result.fit.names, contrasts);
  });
  const auto values = with_contrasts(result.fit.strengths, result.fit.names, contrasts);
  for (size_t i = 0; i < values.size(); ++i) {
    auto& estimates = i < result.fit.names.size() ? result.strengths : result.contrasts;
    estimates.push_back(percentile_estimate(values[i], static_cast<int64_t>(count), drawn[i], bootstrap));
  }
  return result;
}

std::vector<WinCell> win_matrix(std::span<const Battle> battles, const BradleyTerry& fit) {
  const Names names(fit.names);
  const size_t n = names.size();
  std::vector<WinCell> cells(n * n);
  for (const auto& battle : battles) {
    const size_t first = names.position(battle.first), second = names.position(battle.second);
    WinCell &row = cells[first * n + second], &column = cells[second * n + first];
    const bool won = battle.outcome > 0.5, lost = battle.outcome < 0.5;
    row.wins += won, row.losses += lost, row.ties += !won && !lost;
    column.wins += lost, column.losses += won, column.ties += !won && !lost;
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) cells[i * n + j].expected = fit.win_probability(i, j);
  }
  return cells;
}

}  // namespace keel
