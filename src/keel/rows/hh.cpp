// Bai et al. (2022), "Training a Helpful and Harmless Assistant": preferences as two whole dialogues.
//
// The prompt is the longest beginning that both sides share and that ends with "\n\nAssistant:"; the
// completions are the rest. TRL's extract_prompt ends it where the sides first differ, often within the
// answers, when these begin alike. Left out and counted: sides that are equal, that share no such beginning,
// or that are different dialogues, of which one goes on with another turn behind it; a side without an
// answer.
#include <algorithm>

#include "keel/rows/formats.h"

namespace keel {
namespace {

constexpr std::string_view kHuman = "\n\nHuman:", kAssistant = "\n\nAssistant:";

bool holds_turn(const Json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_string() &&
         found->get_ref<const std::string&>().find(kAssistant) != std::string::npos;
}

// Where the prompt that both share ends; 0 when there is none.
size_t prompt_end(std::string_view chosen, std::string_view rejected) {
  const auto differ = std::mismatch(chosen.begin(), chosen.end(), rejected.begin(), rejected.end()).first;
  const size_t last = chosen.substr(0, static_cast<size_t>(differ - chosen.begin())).rfind(kAssistant);
  return last == std::string_view::npos ? 0 : last + kAssistant.size();
}

bool goes_on(std::string_view answer) {
  return answer.find(kHuman) != answer.npos || answer.find(kAssistant) != answer.npos;
}

}  // namespace

bool is_hh(const Json& record) {
  return !record.contains("prompt") && holds_turn(record, "chosen") && holds_turn(record, "rejected");
}

void read_hh(Fields record, RowSink& rows) {
  std::string chosen = record.take_text("chosen"), rejected = record.take_text("rejected");
  if (chosen == rejected) return rows.refuse("chosen equals rejected");
  const size_t end = prompt_end(chosen, rejected);
  if (end == 0)
    return rows.refuse("different dialogues: no beginning that ends with \"Assistant:\" is shared");
  Json row = {{"prompt", chosen.substr(0, end)}};
  for (std::string* side : {&chosen, &rejected}) side->erase(0, end);
  if (goes_on(chosen) || goes_on(rejected))
    return rows.refuse("different dialogues: one goes on with another turn");
  if (chosen.empty() || rejected.empty()) return rows.refuse("a side has no answer");
  row["chosen"] = std::move(chosen);
  row["rejected"] = std::move(rejected);
  record.give_rest(row);
  read_keel(record.within(std::move(row)), rows);
}

}  // namespace keel
