// The likelihood of paired comparisons in the strengths of the contestants, and its maximum by Newton's
// method. A difference d of strengths gives win, loss and tie probabilities in proportion to exp(d / 2),
// exp(-d / 2) and ν (Davidson 1970, equation 2.2, with strengths π = exp(strength)); with ν = 0 this is
// Bradley and Terry's sigmoid(d). Concave in the strengths and ln ν. One dense system for each set of
// contestants that were compared with one another.
#pragma once

#include <span>
#include <vector>

#include "keel/statistics/comparability.h"
#include "keel/statistics/judgements.h"

namespace keel {

/// Probabilities of one comparison, and ln(exp(d / 2) + exp(-d / 2) + ν).
struct PairedChances {
  double win, loss, tie, log_sum;
};
PairedChances paired_chances(double d, double nu);

class PairedLikelihood {
 public:
  /// The battles' contestants alone are used: what happened is told by `observe`. A finite prior_deviation
  /// (nats) is that of a normal prior of mean 0 on each strength. Where ties are not modelled they are half
  /// wins.
  PairedLikelihood(std::span<const Battle> battles, const Comparability& who, double prior_deviation,
                   bool model_ties);

  /// outcomes[i]: the first's share of the win of battle i, or 0.5 for a tie; weights[i]: how much it counts.
  void observe(std::span<const double> outcomes, std::span<const double> weights);

  /// Moves to the maximum, from where an earlier one was; the number of steps.
  int maximise();

  const std::vector<double>& strengths() const { return at_.strengths; }  // in the order of who.names
  double nu() const { return at_.nu; }
  double log_likelihood() const { return log_likelihood(at_); }  // nats, without the prior
  double log_posterior() const { return log_posterior(at_); }    // with it, up to a constant

 private:
  // All battles of two contestants.
  struct Pair {
    size_t first, second;
    double wins = 0, losses = 0, ties = 0;
    double battles() const { return wins + losses + ties; }
  };
  struct Component {
    std::vector<size_t> members, pairs;
  };
  struct Place {
    size_t pair;
    bool swapped;  // the pair's first is the battle's second
  };
  struct Parameters {
    std::vector<double> strengths;
    double log_nu = 0;
    double nu = 0;  // exp(log_nu), or 0 where ties have no probability of their own
  };
  struct Derivatives;

  double log_likelihood(const Parameters& parameters) const;
  double log_posterior(const Parameters& parameters) const;
  Derivatives derivatives(const Component& component) const;
  void add_pair(const Pair& pair, size_t size, Derivatives& sum) const;
  Parameters newton_step() const;
  Parameters moved(const Parameters& step, double length) const;

  double precision_;  // of the prior
  bool model_ties_;
  bool ties_ = false;  // modelled, and there are some
  std::vector<Pair> pairs_;
  std::vector<Component> components_;
  std::vector<size_t> place_in_component_;  // of each contestant
  std::vector<Place> places_;               // of each battle
  Parameters at_;
};

}  // namespace keel
