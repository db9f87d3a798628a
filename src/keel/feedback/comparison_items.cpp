#include "keel/feedback/comparison_items.h"

namespace keel::feedback {

Content content_of(const Passage& passage) {
  return passage.text.empty() ? Content{"", passage.ids} : Content{passage.text, {}};
}

std::optional<ComparedPair> ComparisonItems::number(int64_t prompt, const Passage& first,
                                                    const Passage& second) {
  Content a = content_of(first), b = content_of(second);
  if (a == b) return std::nullopt;
  const bool ordered = a < b;
  if (!ordered) std::swap(a, b);
  const auto found =
      items_.try_emplace({prompt, std::move(a), std::move(b)}, static_cast<int64_t>(items_.size())).first;
  return ComparedPair{found->second, ordered ? 1 : -1};
}

std::optional<ComparedPair> StrictComparisons::number(const JudgedRow& row, size_t first, size_t second) {
  return items_.number(row.judgement.prompt, row.completions[first].passage, row.completions[second].passage);
}

void StrictComparisons::add(const JudgedRow& row) {
  const auto& ranks = row.judgement.ranks;
  for (size_t i = 0; i < ranks.size(); ++i)
    for (size_t j = i + 1; j < ranks.size(); ++j) {
      const auto pair = number(row, i, j);
      if (!pair) continue;
      const int64_t first = (ranks[i] < ranks[j]) - (ranks[i] > ranks[j]);
      words_[pair->item][row.judgement.annotator] = first * pair->first_is_better;
    }
}

std::vector<Label> StrictComparisons::labels() const {
  std::vector<Label> labels;
  for (const auto& [item, words] : words_)
    for (const auto& [annotator, word] : words)
      if (word != 0) labels.push_back({annotator, item, word});
  return labels;
}

int64_t StrictComparisons::votes_of_others(int64_t item, int64_t annotator) const {
  int64_t votes = 0;
  const auto found = words_.find(item);
  if (found == words_.end()) return 0;
  for (const auto& [who, word] : found->second) votes += who == annotator ? 0 : word;
  return votes;
}

}  // namespace keel::feedback
