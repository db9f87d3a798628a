#include "keel/rows/formats.h"

#include <algorithm>
#include <array>

namespace keel {
namespace {

bool has_a_field_of_trl(const Json& record) {
  static constexpr const char* kNames[] = {"text", "prompt", "messages", "chosen", "rejected", "completion"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* name) { return record.contains(name); });
}

bool any(const Json&) {
  return true;
}

constexpr std::array<Format, 7> kFormats = {{
    {RowFormat::label_studio, "label_studio", "data and annotations", is_label_studio, read_label_studio},
    {RowFormat::argilla, "argilla", "fields and responses or suggestions", is_argilla, read_argilla},
    {RowFormat::qa_feedback, "qa_feedback",
     "question, passages, \"prediction 1\" to 4, preference and feedback", is_qa_feedback, read_qa_feedback},
    {RowFormat::alpacaeval, "alpacaeval", "prompt, and candidates or responses with gpt4_preference_over_ref",
     is_alpacaeval, read_alpacaeval},
    {RowFormat::hh, "hh", "chosen and rejected, dialogues with an \"Assistant:\" in both, and no prompt",
     is_hh, read_hh},
    {RowFormat::keel, "keel", "those of rows.h", any, read_keel},
    {RowFormat::trl, "trl", "text, prompt, messages, completion, or chosen and rejected", has_a_field_of_trl,
     read_trl},
}};

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

std::vector<int64_t> ranks_of_scores(const std::vector<double>& scores) {
  std::vector<int64_t> ranks;
  for (const double score : scores)
    ranks.push_back(1 +
                    std::count_if(scores.begin(), scores.end(), [&](double other) { return other > score; }));
  return ranks;
}

}  // namespace keel
