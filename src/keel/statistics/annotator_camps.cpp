#include "keel/statistics/annotator_camps.h"

#include <algorithm>
#include <cmath>

#include "keel/base/error.h"
#include "keel/statistics/missing_labels.h"

namespace keel {
namespace {

constexpr double kSmoothing = 1;       // one right and one wrong label more than there are
constexpr double kChanceBelow = 0.65;  // an accuracy that a coin nearly has
constexpr double kGoldWrong = 0.05;    // how often a known answer is itself wrong: no single item decides
const double kGoldEnough = std::log(100.0);  // nats

DawidSkene fit_of(std::span<const Label> labels, const CampOptions& options,
                  const std::map<int64_t, int64_t>& gold, bool against_majority) {
  return dawid_skene(labels, {.confusion = Confusion::one_coin,
                              .even_prior = options.even_prior,
                              .smoothing = kSmoothing,
                              .gold = gold,
                              .against_majority = against_majority,
                              .categories = {options.sides.begin(), options.sides.end()}});
}

// ln of how much likelier the known answers are than their contraries, in a fit that did not know them.
// Turned around, the fit would say the negative of it.
double gold_evidence(const DawidSkene& fit, const std::map<int64_t, int64_t>& gold) {
  const Names categories(fit.categories);
  double sum = 0;
  for (size_t item = 0; item < fit.items.size(); ++item) {
    const auto answer = gold.find(fit.items[item]);
    if (answer == gold.end()) continue;
    const double p = fit.probability(item, categories.position(answer->second));
    sum += std::log(p * (1 - kGoldWrong) + (1 - p) * kGoldWrong) -
           std::log(p * kGoldWrong + (1 - p) * (1 - kGoldWrong));
  }
  return sum;
}

Side side_of(const Interval& interval) {
  if (interval.low > 0.5) return Side::with;
  if (interval.high < 0.5) return Side::against;
  return interval.high < kChanceBelow ? Side::chance : Side::unclear;
}

// How often each annotator is right, and about how many labels that is known of.
std::vector<AnnotatorAccuracy> accuracies(std::span<const Label> labels, const DawidSkene& fit,
                                          const std::map<int64_t, int64_t>& gold) {
  const Names annotators(fit.annotators), items(fit.items), categories(fit.categories);
  std::vector<int64_t> labels_of(items.size());
  for (const Label& label : labels) ++labels_of[items.position(label.item)];
  std::vector<MissingLabels> known(annotators.size());
  std::vector<AnnotatorAccuracy> result(annotators.size());
  for (const Label& label : labels) {
    const size_t who = annotators.position(label.annotator), item = items.position(label.item);
    AnnotatorAccuracy& of = result[who];
    const auto answer = gold.find(label.item);
    ++of.labels;
    of.shared += labels_of[item] > 1 || answer != gold.end();
    of.gold += answer != gold.end();
    of.gold_right += answer != gold.end() && answer->second == label.category;
    known[who].add(fit.probability(item, categories.position(label.category)));
  }
  for (size_t i = 0; i < result.size(); ++i) {
    result[i].annotator = annotators[i];
    result[i].accuracy = fit.accuracy(i);
    result[i].interval = known[i].interval(kSmoothing);
    result[i].side = side_of(result[i].interval);
  }
  return result;
}

Belief belief_in(const Camps& camps, const CampOptions& options) {
  if (camps.gold_evidence >= kGoldEnough) return Belief::gold;
  if (camps.gold_evidence < 0) return Belief::none;
  if (camps.against == 0) return Belief::uncontradicted;
  const double share = static_cast<double>(camps.with) / static_cast<double>(camps.with + camps.against);
  return share > options.most_hostile ? Belief::majority : Belief::none;
}

void check(std::span<const Label> labels, const CampOptions& options) {
  if (labels.empty()) throw Error("annotator_camps", "expected at least one label, got none");
  if (!(options.most_hostile >= 0.5 && options.most_hostile <= 1))
    throw Error("annotator_camps", "expected a share of hostile annotators from 0.5 to 1, got " +
                                       std::to_string(options.most_hostile));
  const auto is_side = [&](int64_t category) {
    return category == options.sides[0] || category == options.sides[1];
  };
  for (const Label& label : labels)
    if (!is_side(label.category))
      throw Error("annotator_camps",
                  "expected labels of two sides, got another one: " + std::to_string(label.category));
  for (const auto& [item, category] : options.gold)
    if (!is_side(category))
      throw Error("annotator_camps",
                  "expected known answers of two sides, got another one: " + std::to_string(category));
}

}  // namespace

const char* belief_name(Belief belief) {
  switch (belief) {
    case Belief::uncontradicted:
      return "uncontradicted";
    case Belief::majority:
      return "majority";
    case Belief::gold:
      return "gold";
    case Belief::none:
      break;
  }
  return "none";
}

Interval annotator_interval(std::span<const Label> labels, int64_t annotator) {
  MissingLabels known;
  if (labels.empty()) return known.interval(kSmoothing);
  const DawidSkene fit = dawid_skene(
      labels,
      {.confusion = Confusion::one_coin, .even_prior = true, .smoothing = kSmoothing, .tolerance = 1e-3});
  const Names items(fit.items), categories(fit.categories);
  for (const Label& label : labels)
    if (label.annotator == annotator)
      known.add(fit.probability(items.position(label.item), categories.position(label.category)));
  return known.interval(kSmoothing);
}

Camps annotator_camps(std::span<const Label> labels, const CampOptions& options) {
  check(labels, options);
  Camps camps{.fit = fit_of(labels, options, {}, false)};
  camps.gold_evidence = gold_evidence(camps.fit, options.gold);
  for (const int64_t item : camps.fit.items) camps.gold_items += options.gold.contains(item);
  const bool turned = camps.gold_evidence <= -kGoldEnough;
  if (turned) camps.gold_evidence = -camps.gold_evidence;
  if (camps.gold_items > 0) camps.fit = fit_of(labels, options, options.gold, turned);
  camps.annotators = accuracies(labels, camps.fit, options.gold);
  for (const AnnotatorAccuracy& one : camps.annotators) {
    camps.with += one.side == Side::with;
    camps.against += one.side == Side::against;
  }
  camps.belief = belief_in(camps, options);
  return camps;
}

}  // namespace keel
