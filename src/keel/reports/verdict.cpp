#include "keel/reports/verdict.h"

#include <algorithm>
#include <cmath>

#include "keel/reports/html.h"

namespace keel {
namespace {

Outcome outcome_of(const Estimate& difference) {
  const Interval& interval = difference.interval;
  if (!std::isfinite(difference.value) || std::isnan(interval.low) || std::isnan(interval.high)) {
    return Outcome::not_measured;
  }
  if (interval.low > 0) return Outcome::improved;
  return interval.high <= 0 ? Outcome::did_not_improve : Outcome::cannot_be_told;
}

// "from 3.64 to 5.12, a difference of 1.48 (95 % interval 1.21 to 1.75) over 256 held-out prompts"
std::string evidence(const Comparison& comparison) {
  const Estimate& difference = comparison.gold_difference;
  const double scale =
      std::max({std::abs(comparison.before), std::abs(comparison.after), html::scale_of(difference)});
  const auto shown = [&](double value) { return html::number(value, scale); };
  return "from " + shown(comparison.before) + " to " + shown(comparison.after) + ", a difference of " +
         shown(difference.value) + " (95 % interval " + shown(difference.interval.low) + " to " +
         shown(difference.interval.high) + ") over " + html::number(difference.count) + " held-out prompts";
}

std::string sentence_of(Outcome outcome, const Comparison& comparison) {
  const std::string by = "by the gold judge, its mean score went " + evidence(comparison);
  switch (outcome) {
    case Outcome::improved:
      return comparison.policy + " improved the model: " + by + ".";
    case Outcome::did_not_improve:
      return comparison.policy + " did not improve the model: " + by + ".";
    case Outcome::cannot_be_told:
      return comparison.policy + " did not improve the model by anything that can be told from noise: " + by +
             ".";
    case Outcome::not_measured:
      break;
  }
  return "This run has no verdict: the gold judge's difference is not a number.";
}

}  // namespace

Verdict judge(const std::optional<Comparison>& comparison) {
  if (!comparison) {
    return {Outcome::not_measured,
            "This run has no verdict: PPO and SFT were not both measured by the gold judge.", ""};
  }
  const Outcome outcome = outcome_of(comparison->gold_difference);
  Verdict verdict{outcome, sentence_of(outcome, *comparison), ""};
  const auto& proxy = comparison->proxy_difference;
  if (proxy && proxy->interval.low > 0 && outcome != Outcome::improved && outcome != Outcome::not_measured) {
    verdict.warning =
        "The reward model's score rose by " + html::with_interval(*proxy) +
        " while the gold judge's did not: the policy learned to please the reward model, not the judge.";
  }
  return verdict;
}

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::improved:
      return "improved";
    case Outcome::did_not_improve:
      return "did_not_improve";
    case Outcome::cannot_be_told:
      return "cannot_be_told";
    case Outcome::not_measured:
      break;
  }
  return "not_measured";
}

}  // namespace keel
