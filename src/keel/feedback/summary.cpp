#include "keel/feedback/summary.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "keel/feedback/comparison_items.h"

namespace keel::feedback {
namespace {

// A pair of contents of a prompt, the smaller one first.
using PairKey = std::tuple<int64_t, Content, Content>;

class Summariser {
 public:
  void add(const JudgedRow& row) {
    const size_t index = index_of(row.annotator);
    AnnotatorSummary& annotator = summary_.annotators[index];
    ++annotator.counts[row.judgement.type];
    if (row.judgement.type == JudgementType::label) annotator.positive += *row.judgement.label;
    if (row.judgement.type != JudgementType::ranking) return;
    for (size_t i = 0; i < row.completions.size(); ++i)
      for (size_t j = i + 1; j < row.completions.size(); ++j) add_pair(row, i, j, index);
  }

  Summary result() {
    std::map<std::pair<size_t, size_t>, Agreement> agreements;
    for (const auto& [pair, verdicts] : verdicts_)
      for (auto first = verdicts.begin(); first != verdicts.end(); ++first)
        for (auto second = std::next(first); second != verdicts.end(); ++second) {
          Agreement& agreement = agreements[{first->first, second->first}];
          const bool tie = first->second == 0 || second->second == 0;
          agreement.ties += tie;
          agreement.agree.total += !tie;
          agreement.agree.count += !tie && first->second == second->second;
        }
    for (auto& [indices, agreement] : agreements) {
      std::tie(agreement.first, agreement.second) = indices;
      summary_.agreements.push_back(agreement);
    }
    return std::move(summary_);
  }

 private:
  size_t index_of(const Annotator& annotator) {
    const std::string name =
        json_text(Json{annotator_kind_name(annotator.kind), annotator.name, annotator.parameters});
    const auto [found, is_new] = indices_.emplace(name, summary_.annotators.size());
    if (is_new) summary_.annotators.push_back({.annotator = annotator});
    return found->second;
  }

  // The pair of the i-th and the j-th completion, i before j.
  void add_pair(const JudgedRow& row, size_t i, size_t j, size_t index) {
    Content first = content_of(row.completions[i].passage), second = content_of(row.completions[j].passage);
    if (first == second) return;
    const int64_t first_rank = row.judgement.ranks[i], second_rank = row.judgement.ranks[j];
    int verdict = (first_rank < second_rank) - (first_rank > second_rank);  // 1: the first one is better
    AnnotatorSummary& annotator = summary_.annotators[index];
    ++annotator.pairs;
    annotator.ties += verdict == 0;
    if (row.judgement.shown && verdict != 0) {
      ++annotator.first_wins.total;
      annotator.first_wins.count += verdict == 1;
    }
    if (second < first) {
      std::swap(first, second);
      verdict = -verdict;
    }
    verdicts_[{row.judgement.prompt, std::move(first), std::move(second)}][index] = verdict;
  }

  Summary summary_;
  std::map<std::string, size_t> indices_;
  std::map<PairKey, std::map<size_t, int>> verdicts_;  // pair → annotator → verdict
};

Json share_json(const Share& share) {
  Json object = {{"count", share.count}, {"total", share.total}};
  if (share.total == 0) return object;
  object["share"] = static_cast<double>(share.count) / static_cast<double>(share.total);
  object["low"] = share.interval().low;
  object["high"] = share.interval().high;
  return object;
}

void add_share(Share& sum, const Share& part) {
  sum.count += part.count, sum.total += part.total;
}

// Sums an annotator's counts into those of its kind.
void add_counts(AnnotatorSummary& sum, const AnnotatorSummary& part) {
  for (const auto& [type, count] : part.counts) sum.counts[type] += count;
  sum.pairs += part.pairs, sum.ties += part.ties, sum.positive += part.positive;
  add_share(sum.first_wins, part.first_wins);
}

// Rankings, labels and skips always, the others where there are any.
Json counts_json(const AnnotatorSummary& summary) {
  Json object = {{"rankings", 0}, {"labels", 0}, {"skips", 0}};
  for (const auto& [type, count] : summary.counts)
    object[judgement_type_name(type) + std::string("s")] = count;
  object["pairs"] = summary.pairs;
  object["ties"] = summary.ties;
  object["positive_labels"] = summary.positive;
  object["first_shown_is_better"] = share_json(summary.first_wins);
  return object;
}

Json agreement_json(const Share& agree, int64_t ties, const Json& between) {
  Json object = {{"between", between}};
  object.update(share_json(agree));
  object["ties"] = ties;
  return object;
}

}  // namespace

Summary summarise(const std::vector<JudgedRow>& rows) {
  Summariser summariser;
  for (const JudgedRow& row : rows) summariser.add(row);
  return summariser.result();
}

Json summary_json(const Summary& summary) {
  std::map<std::string, AnnotatorSummary> kinds;
  Json annotators = Json::array(), agreements = Json::array(), kind_agreements = Json::array();
  for (const AnnotatorSummary& annotator : summary.annotators) {
    const std::string kind = annotator_kind_name(annotator.annotator.kind);
    add_counts(kinds[kind], annotator);
    Json object = {{"name", annotator.annotator.name}, {"kind", kind}};
    object.update(counts_json(annotator));
    annotators.push_back(object);
  }
  std::map<std::pair<std::string, std::string>, std::pair<Share, int64_t>> by_kinds;
  for (const Agreement& agreement : summary.agreements) {
    const Annotator& first = summary.annotators[agreement.first].annotator;
    const Annotator& second = summary.annotators[agreement.second].annotator;
    std::pair<std::string, std::string> both = {annotator_kind_name(first.kind),
                                                annotator_kind_name(second.kind)};
    if (both.second < both.first) std::swap(both.first, both.second);
    add_share(by_kinds[both].first, agreement.agree);
    by_kinds[both].second += agreement.ties;
    agreements.push_back(agreement_json(agreement.agree, agreement.ties, Json{first.name, second.name}));
  }
  for (const auto& [both, sum] : by_kinds)
    kind_agreements.push_back(agreement_json(sum.first, sum.second, Json{both.first, both.second}));
  Json by_kind = Json::object();
  for (const auto& [kind, counts] : kinds) by_kind[kind] = counts_json(counts);
  return {{"kinds", by_kind},
          {"annotators", annotators},
          {"agreement_of_kinds", kind_agreements},
          {"agreement_of_annotators", agreements}};
}

}  // namespace keel::feedback
