// How far annotators agree, and how far beyond what chance would give. Cohen 1960, "A Coefficient of
// Agreement for Nominal Scales", and 1968 (weighted); Fleiss 1971, "Measuring Nominal Scale Agreement Among
// Many Raters"; Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability". Intervals are bootstraps
// over items: annotators are taken as they are. Resamples that have no value (all labels equal, say) are left
// out. `count` is the number of items that say something.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "keel/statistics/intervals.h"
#include "keel/statistics/judgements.h"

namespace keel {

/// What an annotator and another said of one item.
struct LabelPair {
  int64_t first = 0, second = 0;
};

/// How bad a disagreement is: every one alike, or the distance between the two numbers, or its square.
enum class KappaWeights { none, linear, quadratic };

/// 1 - observed / expected disagreement of two annotators; 1 is perfect, 0 is chance. Empty where chance
/// cannot disagree: no pairs, or both always say the same one thing.
std::optional<Estimate> cohen_kappa(std::span<const LabelPair> pairs, KappaWeights weights,
                                    const Bootstrap& bootstrap);

/// Two annotators on the items that both labelled.
struct PairwiseAgreement {
  int64_t first = 0, second = 0;  // annotators
  Estimate agreement;             // the share of items with equal labels
  std::optional<Estimate> kappa;  // Cohen's
};

/// All two annotators that have items in common, by name.
/// Errors, here and below: [agreement] an annotator labelled an item twice.
std::vector<PairwiseAgreement> pairwise_agreement(std::span<const Label> labels, KappaWeights weights,
                                                  const Bootstrap& bootstrap);

/// The share of equal labels among all pairs of labels of one item. Empty without such pairs.
std::optional<Estimate> percent_agreement(std::span<const Label> labels, const Bootstrap& bootstrap);

/// Fleiss' kappa of items that were labelled equally often, by whomever. Empty where all labels are equal, or
/// there are none. Errors: [fleiss_kappa] items labelled unequally often: Krippendorff's alpha has a place
/// for missing labels.
std::optional<Estimate> fleiss_kappa(std::span<const Label> labels, const Bootstrap& bootstrap);

/// What categories are: names, points in an order, or numbers whose differences count.
enum class Scale { nominal, ordinal, interval };

/// Krippendorff's alpha: any number of annotators, and any labels may be missing; items with one label say
/// nothing and do not count. Empty where the labels that count are all equal.
std::optional<Estimate> krippendorff_alpha(std::span<const Label> labels, Scale scale,
                                           const Bootstrap& bootstrap);

}  // namespace keel
