#include "keel/statistics/paired_likelihood.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "keel/statistics/cholesky.h"

namespace keel {
namespace {

double product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

// Gradient and curvature (the negated second derivative) of one component's log-posterior. `border` is the
// curvature between strengths and ln ν.
struct PairedLikelihood::Derivatives {
  std::vector<double> gradient, curvature, border;
  double nu_gradient = 0, nu_curvature = 0;
};

PairedChances paired_chances(double d, double nu) {
  const double largest = std::abs(d) / 2;
  const double win = std::exp(d / 2 - largest), loss = std::exp(-d / 2 - largest),
               tie = nu * std::exp(-largest);
  const double sum = win + loss + tie;
  return {win / sum, loss / sum, tie / sum, largest + std::log(sum)};
}

PairedLikelihood::PairedLikelihood(std::span<const Battle> battles, const Comparability& who,
                                   double prior_deviation, bool model_ties)
    : precision_(1 / (prior_deviation * prior_deviation)),
      model_ties_(model_ties),
      components_(who.components),
      at_{.strengths = std::vector<double>(who.names.size())} {
  for (size_t i = 0; i < who.names.size(); ++i) {
    auto& members = components_[who.component[i]].members;
    place_in_component_.push_back(members.size());
    members.push_back(i);
  }
  const Names names(who.names);
  std::map<std::pair<size_t, size_t>, size_t> numbers;
  for (const auto& battle : battles) {
    size_t first = names.position(battle.first), second = names.position(battle.second);
    const bool swapped = first > second;
    if (swapped) std::swap(first, second);
    const auto [found, is_new] = numbers.try_emplace({first, second}, pairs_.size());
    if (is_new) {
      components_[who.component[first]].pairs.push_back(pairs_.size());
      pairs_.push_back({.first = first, .second = second});
    }
    places_.push_back({found->second, swapped});
  }
}

void PairedLikelihood::observe(std::span<const double> outcomes, std::span<const double> weights) {
  for (auto& pair : pairs_) pair.wins = pair.losses = pair.ties = 0;
  ties_ = false;
  for (size_t i = 0; i < places_.size(); ++i) {
    Pair& pair = pairs_[places_[i].pair];
    const double won = places_[i].swapped ? 1 - outcomes[i] : outcomes[i];
    const bool tie = model_ties_ && won == 0.5;
    ties_ |= tie;
    pair.ties += tie ? weights[i] : 0;
    pair.wins += tie ? 0 : weights[i] * won;
    pair.losses += tie ? 0 : weights[i] * (1 - won);
  }
  at_.nu = ties_ ? std::exp(at_.log_nu) : 0;
}

double PairedLikelihood::log_likelihood(const Parameters& parameters) const {
  double sum = 0;
  for (const auto& pair : pairs_) {
    const double d = parameters.strengths[pair.first] - parameters.strengths[pair.second];
    sum += (pair.wins - pair.losses) * d / 2 + pair.ties * parameters.log_nu -
           pair.battles() * paired_chances(d, parameters.nu).log_sum;
  }
  return sum;
}

double PairedLikelihood::log_posterior(const Parameters& parameters) const {
  return log_likelihood(parameters) - precision_ / 2 * product(parameters.strengths, parameters.strengths);
}

void PairedLikelihood::add_pair(const Pair& pair, size_t size, Derivatives& sum) const {
  const auto p = paired_chances(at_.strengths[pair.first] - at_.strengths[pair.second], at_.nu);
  const size_t i = place_in_component_[pair.first], j = place_in_component_[pair.second];
  const double lead = (p.win - p.loss) / 2, battles = pair.battles();
  const double slope = (pair.wins - pair.losses) / 2 - battles * lead;
  const double curvature = battles * ((p.win + p.loss) / 4 - lead * lead);
  const double border = -battles * lead * p.tie;
  sum.gradient[i] += slope, sum.gradient[j] -= slope;
  sum.border[i] += border, sum.border[j] -= border;
  sum.curvature[i * size + i] += curvature, sum.curvature[j * size + j] += curvature;
  sum.curvature[i * size + j] -= curvature, sum.curvature[j * size + i] -= curvature;
  sum.nu_gradient += pair.ties - battles * p.tie;
  sum.nu_curvature += battles * p.tie * (1 - p.tie);
}

PairedLikelihood::Derivatives PairedLikelihood::derivatives(const Component& component) const {
  const size_t n = component.members.size();
  // Without a prior only differences count. The ones fix the mean: it stays 0, since gradients sum to 0.
  Derivatives sum{.gradient = std::vector<double>(n),
                  .curvature = std::vector<double>(n * n, precision_ > 0 ? 0.0 : 1.0),
                  .border = std::vector<double>(n)};
  for (size_t i = 0; i < n; ++i) {
    sum.gradient[i] = -precision_ * at_.strengths[component.members[i]];
    sum.curvature[i * n + i] += precision_;
  }
  for (const size_t pair : component.pairs) add_pair(pairs_[pair], n, sum);
  return sum;
}

// ln ν is common to all components, so it is solved for first (Schur's complement).
PairedLikelihood::Parameters PairedLikelihood::newton_step() const {
  std::vector<double> along(at_.strengths.size()), across(at_.strengths.size());
  double gradient = 0, curvature = 0;
  for (const auto& component : components_) {
    auto [of_strengths, matrix, border, of_nu, nu_curvature] = derivatives(component);
    const Cholesky factor(std::move(matrix), component.members.size());
    const auto strengths = factor.solve(of_strengths), shared = factor.solve(border);
    for (size_t i = 0; i < strengths.size(); ++i) {
      along[component.members[i]] = strengths[i], across[component.members[i]] = shared[i];
    }
    gradient += of_nu - product(border, strengths);
    curvature += nu_curvature - product(border, shared);
  }
  Parameters step{.strengths = std::move(along), .log_nu = ties_ ? gradient / curvature : 0};
  for (size_t i = 0; i < across.size(); ++i) step.strengths[i] -= across[i] * step.log_nu;
  return step;
}

PairedLikelihood::Parameters PairedLikelihood::moved(const Parameters& step, double length) const {
  Parameters to = at_;
  for (size_t i = 0; i < to.strengths.size(); ++i) to.strengths[i] += length * step.strengths[i];
  to.log_nu += length * step.log_nu;
  to.nu = ties_ ? std::exp(to.log_nu) : 0;
  return to;
}

int PairedLikelihood::maximise() {
  constexpr int kSteps = 200, kHalvings = 40;
  double value = log_posterior(at_);
  int steps = 0;
  for (double largest = 1; steps < kSteps && largest > 1e-9; ++steps) {
    const Parameters step = newton_step();
    largest = std::abs(step.log_nu);
    for (const double change : step.strengths) largest = std::max(largest, std::abs(change));
    double length = 1;
    for (int halved = 0; halved < kHalvings; ++halved, length /= 2) {
      Parameters next = moved(step, length);
      const double next_value = log_posterior(next);
      // Equal up to rounding: the top is flat, and the last steps no longer show.
      if (!(next_value >= value - 1e-13 * std::abs(value))) continue;
      at_ = std::move(next), value = next_value;
      break;
    }
  }
  return steps;
}

}  // namespace keel
