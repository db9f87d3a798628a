// Rows of a store made by hand: pairs that annotators of known behaviour judged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keel/base/random.h"
#include "keel/feedback/store.h"

namespace keel::feedback {

/// Of the prompt's two texts "a…" and "b…" the better is a where the prompt's number is even.
inline JudgedRow judged_pair(int64_t annotator, int64_t prompt, bool right) {
  JudgedRow row{.annotator = {.name = "annotator-" + std::to_string(annotator)}};
  row.key = std::to_string(annotator) + ":" + std::to_string(prompt);
  row.prompt.text = "Question " + std::to_string(prompt);
  row.judgement = {.annotator = annotator, .prompt = prompt, .completions = {2 * prompt, 2 * prompt + 1}};
  const bool first = (prompt % 2 == 0) == right;
  row.judgement.ranks = first ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1};
  row.completions = {
      {.id = 2 * prompt, .prompt = prompt, .passage = {.text = "a, the one"}, .model = "new"},
      {.id = 2 * prompt + 1, .prompt = prompt, .passage = {.text = "b, it is"}, .model = "old"}};
  return row;
}

/// What is right, as a gold row.
inline std::vector<JudgedRow> gold_pairs(int64_t prompts) {
  std::vector<JudgedRow> rows;
  for (int64_t prompt = 0; prompt < prompts; ++prompt) rows.push_back(judged_pair(0, prompt, true));
  return rows;
}

/// The crowd of the issue: of 20 annotators 10 are right 85 % of the time, 6 say the contrary, 4 anything.
inline double issue_crowd(int64_t annotator) {
  return annotator < 10 ? 0.85 : annotator < 16 ? 0.0 : 0.5;
}

/// Each prompt's pair judged by `each` of `annotators`, drawn by chance.
template <class Right>
std::vector<JudgedRow> judged_pairs(int64_t annotators, int64_t prompts, int64_t each, uint64_t seed,
                                    const Right& right) {
  std::vector<JudgedRow> rows;
  for (int64_t prompt = 0; prompt < prompts; ++prompt) {
    RandomSequence draws(
        {.seed = seed, .stream = Stream::annotators, .prompt = static_cast<uint32_t>(prompt)});
    std::vector<bool> asked(static_cast<size_t>(annotators));
    for (int64_t i = 0; i < each;) {
      const int64_t who = draws.below(annotators);
      if (asked[static_cast<size_t>(who)]) continue;
      asked[static_cast<size_t>(who)] = true, ++i;
      rows.push_back(judged_pair(who, prompt, draws.uniform() < right(who)));
    }
  }
  return rows;
}

}  // namespace keel::feedback
