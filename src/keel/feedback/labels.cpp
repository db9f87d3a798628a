#include "keel/feedback/labels.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "keel/feedback/comparison_items.h"

namespace keel::feedback {
namespace {

// Numbers items as they come, and keeps the last category that an annotator put each into.
template <class Item>
class Labels {
 public:
  void put(int64_t annotator, const Item& item, int64_t category) {
    const auto [found, is_new] = items_.emplace(item, std::ssize(items_));
    categories_[{found->second, annotator}] = category;
  }
  std::vector<Label> result() const {
    std::vector<Label> labels;
    for (const auto& [who, category] : categories_) labels.push_back({who.second, who.first, category});
    return labels;
  }

 private:
  std::map<Item, int64_t> items_;
  std::map<std::pair<int64_t, int64_t>, int64_t> categories_;  // item, annotator
};

using Single = std::pair<int64_t, Content>;  // of a prompt

void put_pairs(ComparisonItems& items, Labels<int64_t>& labels, const JudgedRow& row) {
  const auto& ranks = row.judgement.ranks;
  for (size_t i = 0; i < ranks.size(); ++i)
    for (size_t j = i + 1; j < ranks.size(); ++j) {
      const auto pair =
          items.number(row.judgement.prompt, row.completions[i].passage, row.completions[j].passage);
      if (!pair) continue;
      const int64_t first = (ranks[i] < ranks[j]) - (ranks[i] > ranks[j]);
      labels.put(row.judgement.annotator, pair->item, first * pair->first_is_better);
    }
}

// Items that several annotators labelled, and how many labels each of them has if all have the same number.
struct Overlap {
  int64_t items = 0, labels_each = 0;
};

Overlap overlap_of(const std::vector<Label>& labels) {
  std::map<int64_t, int64_t> counts;
  for (const Label& label : labels) ++counts[label.item];
  std::set<int64_t> different;
  Overlap overlap;
  for (const auto& [item, count] : counts) {
    overlap.items += count >= 2;
    different.insert(count);
  }
  if (different.size() == 1) overlap.labels_each = *different.begin();
  return overlap;
}

Json estimate_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value},
          {"low", estimate->interval.low},
          {"high", estimate->interval.high},
          {"items", estimate->count}};
}

Json set_json(const LabelSet& set, const std::map<int64_t, std::string>& names, const Bootstrap& bootstrap) {
  std::set<int64_t> annotators;
  for (const Label& label : set.labels) annotators.insert(label.annotator);
  const Overlap overlap = overlap_of(set.labels);
  Json object = {{"of", set.name},
                 {"annotators", annotators.size()},
                 {"labels", set.labels.size()},
                 {"items_of_several", overlap.items}};
  object["percent_agreement"] = estimate_json(percent_agreement(set.labels, bootstrap));
  object["krippendorff_alpha"] = estimate_json(krippendorff_alpha(set.labels, set.scale, bootstrap));
  object["fleiss_kappa"] =
      overlap.labels_each >= 2 ? estimate_json(fleiss_kappa(set.labels, bootstrap)) : Json();
  const KappaWeights weights = set.scale == Scale::nominal ? KappaWeights::none : KappaWeights::quadratic;
  Json pairs = Json::array();
  for (const PairwiseAgreement& pair : pairwise_agreement(set.labels, weights, bootstrap))
    pairs.push_back({{"between", {names.at(pair.first), names.at(pair.second)}},
                     {"agreement", estimate_json(pair.agreement)},
                     {"cohen_kappa", estimate_json(pair.kappa)}});
  object["pairs"] = pairs;
  return object;
}

}  // namespace

std::vector<LabelSet> label_sets(const std::vector<JudgedRow>& rows) {
  ComparisonItems items;
  Labels<int64_t> comparisons;
  Labels<Single> labels;
  std::map<std::string, Labels<Single>> ratings;
  for (const JudgedRow& row : rows) {
    const Judgement& judgement = row.judgement;
    if (judgement.type == JudgementType::ranking) put_pairs(items, comparisons, row);
    if (row.completions.empty()) continue;
    const Single single = {judgement.prompt, content_of(row.completions[0].passage)};
    if (judgement.type == JudgementType::label) labels.put(judgement.annotator, single, *judgement.label);
    for (const auto& [dimension, value] : judgement.ratings)
      ratings[dimension].put(judgement.annotator, single, std::llround(100 * value));
  }
  std::vector<LabelSet> sets = {{"comparisons", Scale::ordinal, comparisons.result()},
                                {"labels", Scale::nominal, labels.result()}};
  for (const auto& [dimension, values] : ratings)
    sets.push_back({"ratings of " + dimension, Scale::ordinal, values.result()});
  std::erase_if(sets, [](const LabelSet& set) { return set.labels.empty(); });
  return sets;
}

Json agreement_json(const std::vector<JudgedRow>& rows, const Bootstrap& bootstrap) {
  std::map<int64_t, std::string> names;
  for (const JudgedRow& row : rows) names[row.judgement.annotator] = row.annotator.name;
  Json sets = Json::array();
  for (const LabelSet& set : label_sets(rows)) sets.push_back(set_json(set, names, bootstrap));
  return {{"agreement", sets}};
}

}  // namespace keel::feedback
