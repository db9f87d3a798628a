#include "keel/feedback/reliability_weights.h"

#include <memory>

#include "keel/base/error.h"
#include "keel/base/log.h"

namespace keel::feedback {

void ReliabilityWeights::Fit::learn(const std::vector<Label>& all, const CampOptions& options,
                                    const std::string& what) {
  if (all.empty()) return;
  camps = annotator_camps(all, options);
  if (camps.belief == Belief::none)
    throw Error("reliability",
                "expected to know which annotators are right, got two camps that contradict "
                "each other on " +
                    what + " (" + std::to_string(camps.with) + " and " + std::to_string(camps.against) +
                    " annotators): it cannot be told without gold items, or unless fewer may "
                    "be hostile (--most-hostile)");
  for (size_t i = 0; i < camps.fit.items.size(); ++i) items[camps.fit.items[i]] = i;
  for (size_t c = 0; c < camps.fit.categories.size(); ++c) categories[camps.fit.categories[c]] = c;
}

std::optional<double> ReliabilityWeights::Fit::sign(int64_t item, int64_t category) const {
  const auto place = items.find(item);
  const auto of = categories.find(category);
  if (place == items.end() || of == categories.end()) return std::nullopt;
  return 2 * camps.right(place->second, of->second) - 1;
}

std::optional<int64_t> ReliabilityWeights::labelled_item(const JudgedRow& row, bool is_new) {
  if (row.judgement.type != JudgementType::label || row.completions.empty()) return std::nullopt;
  const std::pair<int64_t, Content> key = {row.judgement.prompt, content_of(row.completions[0].passage)};
  if (is_new) return contents_.try_emplace(key, static_cast<int64_t>(contents_.size())).first->second;
  const auto found = contents_.find(key);
  return found == contents_.end() ? std::nullopt : std::optional(found->second);
}

ReliabilityWeights::ReliabilityWeights(const std::vector<JudgedRow>& rows, const std::vector<JudgedRow>& gold,
                                       const ReliabilityOptions& options) {
  std::map<std::pair<int64_t, int64_t>, int64_t> last_words;  // item, annotator
  for (const JudgedRow& row : rows) {
    if (row.judgement.type == JudgementType::ranking) pairs_.add(row);
    if (const auto item = labelled_item(row, /*is_new=*/true))
      last_words[{*item, row.judgement.annotator}] = *row.judgement.label;
  }
  std::vector<Label> labels;
  for (const auto& [who, category] : last_words) labels.push_back({who.second, who.first, category});
  const std::vector<Label> strict = pairs_.labels();
  comparisons_.learn(strict, {.most_hostile = options.most_hostile, .gold = gold_answers(pairs_, gold)},
                     "comparisons");
  labels_.learn(labels,
                {.most_hostile = options.most_hostile, .gold = {}, .even_prior = false, .sides = {0, 1}},
                "labels");
}

double ReliabilityWeights::operator()(const JudgedRow& row) {
  if (const auto item = labelled_item(row, /*is_new=*/false))
    return labels_.sign(*item, *row.judgement.label).value_or(1);
  if (row.judgement.type != JudgementType::ranking) return 1;
  const auto& ranks = row.judgement.ranks;
  double sum = 0;
  int64_t known = 0;
  for (size_t i = 0; i < ranks.size(); ++i)
    for (size_t j = i + 1; j < ranks.size(); ++j) {
      const auto pair = pairs_.number(row, i, j);
      if (!pair || ranks[i] == ranks[j]) continue;
      const auto sign = comparisons_.sign(pair->item, (ranks[i] < ranks[j] ? 1 : -1) * pair->first_is_better);
      if (sign) sum += *sign, ++known;
    }
  return known > 0 ? sum / static_cast<double>(known) : 1;
}

JudgementWeight weight_by_reliability(Store& store, const std::vector<JudgedRow>& rows, double most_hostile) {
  const std::vector<JudgedRow> gold = gold_rows(store);
  const ReliabilityOptions options{.most_hostile = most_hostile};
  const auto weights = std::make_shared<ReliabilityWeights>(rows, gold, options);
  for (const std::string& sentence : reliability(rows, gold, options).untold) log_warning(sentence);
  return [weights](const JudgedRow& row) { return (*weights)(row); };
}

}  // namespace keel::feedback
