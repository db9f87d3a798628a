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

void StrictComparisons::add_pair(const JudgedRow& row, size_t first, size_t second) {
  const auto& ranks = row.judgement.ranks;
  const auto pair = number(row, first, second);
  if (!pair) return;
  const int64_t said = (ranks[first] < ranks[second]) - (ranks[first] > ranks[second]);
  words_[pair->item][row.judgement.annotator] = said * pair->first_is_better;
}

void StrictComparisons::add(const JudgedRow& row) {
  for (size_t i = 0; i < row.judgement.ranks.size(); ++i)
    for (size_t j = i + 1; j < row.judgement.ranks.size(); ++j) add_pair(row, i, j);
}

void StrictComparisons::add_one(const JudgedRow& row) {
  size_t first = 0, last = 0;
  for (size_t i = 1; i < row.judgement.ranks.size(); ++i) {
    const Content content = content_of(row.completions[i].passage);
    if (content < content_of(row.completions[first].passage)) first = i;
    if (content_of(row.completions[last].passage) < content) last = i;
  }
  if (first != last) add_pair(row, first, last);
}

std::vector<Label> StrictComparisons::labels() const {
  std::vector<Label> labels;
  for (const auto& [item, words] : words_)
    for (const auto& [annotator, word] : words)
      if (word != 0) labels.push_back({annotator, item, word});
  return labels;
}

}  // namespace keel::feedback
