// Strengths of contestants from who beat whom. Bradley and Terry 1952, "Rank Analysis of Incomplete Block
// Designs": i beats j with probability sigmoid(strength i - strength j). Ties are half a win for each side
// (FastChat's choice), or an outcome of their own: Davidson 1970, "On Extending the Bradley-Terry Model to
// Accommodate Ties in Paired Comparison Experiments".
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "keel/statistics/intervals.h"
#include "keel/statistics/judgements.h"

namespace keel {

enum class Ties { half_wins, davidson };

struct BradleyTerryOptions {
  Ties ties = Ties::half_wins;
  /// The deviation, in nats, of a normal prior of mean 0 on each strength. Infinite is plain maximum
  /// likelihood, which has no finite answer where a contestant, or a group of them, never lost to the others.
  double prior_deviation = std::numeric_limits<double>::infinity();
};

/// Indices are places in `names`, which are sorted.
struct BradleyTerry {
  std::vector<int64_t> names;
  std::vector<double> strengths;   // log-odds in nats, of mean 0 in each component
  std::vector<size_t> components;  // strengths of two components have nothing to do with each other
  double tie_parameter = 0;        // Davidson's ν; 0 without ties, or where they are half wins
  double log_likelihood = 0;       // nats, without the prior

  /// The probability that `first` wins plus half of that of a tie.
  double win_probability(size_t first, size_t second) const;
};

/// An outcome may be any share of the win in [0, 1] where ties are half wins.
/// Errors: [bradley_terry] as check_battles; no prior and no finite estimate (`comparability` says where);
/// under davidson an outcome that is not 0, 0.5 or 1, or ties alone.
BradleyTerry bradley_terry(std::span<const Battle> battles, const BradleyTerryOptions& options = {});

enum class Resample { battles, prompts };

/// Two contestants by name.
struct Contrast {
  int64_t first = 0, second = 0;
};

struct BradleyTerryEstimate {
  BradleyTerry fit;
  std::vector<Estimate> strengths = {};  // `count` is the number of battles, or prompts, that were resampled
  std::vector<Estimate> contrasts = {};  // strength of the first minus the second's, in the order asked for
};

/// Intervals by Rubin's bootstrap over battles, or over prompts with all of their battles. Its weights are
/// above 0, so a finite estimate stays finite in every resample. `contrasts` name contestants of one
/// component.
BradleyTerryEstimate bootstrap_bradley_terry(std::span<const Battle> battles,
                                             const BradleyTerryOptions& options, const Bootstrap& bootstrap,
                                             Resample unit = Resample::battles,
                                             std::span<const Contrast> contrasts = {});

/// What happened between two contestants, seen from the one of the row.
struct WinCell {
  int64_t wins = 0, ties = 0, losses = 0;
  double expected = 0;  // of (wins + ties / 2) / battles, by the fit; meaningless between components
  int64_t battles() const { return wins + ties + losses; }
  /// (wins + ties / 2) / battles; NaN without battles.
  double observed() const;
};

/// Row by row in the order of fit.names: names² cells. Outcomes are 0, 0.5 or 1.
std::vector<WinCell> win_matrix(std::span<const Battle> battles, const BradleyTerry& fit);

}  // namespace keel
