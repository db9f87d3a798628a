#include "keel/tokenizer/post_processor.h"

namespace keel {
namespace {

struct Surroundings {
  std::vector<int64_t> before, after;
};

// The ids that the template gives one of its special tokens.
std::vector<int64_t> special_ids(const Component& component, const std::string& name) {
  const Component defined = component.child("special_tokens").child(name.c_str());
  const TokenizerJson& ids = defined.member("ids");
  std::vector<int64_t> list;
  if (!ids.is_array()) defined.fail("expected a list for \"ids\", got " + quoted_excerpt(ids));
  for (const TokenizerJson& id : ids) {
    if (!id.is_number_integer()) defined.fail("expected whole numbers in \"ids\", got " + quoted_excerpt(id));
    list.push_back(id.get<int64_t>());
  }
  return list;
}

Surroundings template_of(const Component& component) {
  Surroundings result;
  int sequences = 0;
  for (const Component& piece : component.children("single")) {
    if (piece.has("Sequence")) {
      if (piece.child("Sequence").text("id") == "A")
        ++sequences;
      else
        piece.fail("expected only the sequence A in \"single\"");
      continue;
    }
    const auto ids = special_ids(component, piece.child("SpecialToken").text("id"));
    std::vector<int64_t>& side = sequences == 0 ? result.before : result.after;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (sequences != 1)
    component.fail("expected the sequence A once in \"single\", got it " + std::to_string(sequences) +
                   " times");
  return result;
}

}  // namespace

PostProcessor::PostProcessor(const Component& post_processor,
                             const std::function<const std::string*(int64_t)>& token_of) {
  static const StepMakers<Surroundings> makers = {
      {"TemplateProcessing", template_of}, {"ByteLevel", [](const Component&) { return Surroundings{}; }}};
  std::vector<Surroundings> steps;
  append_steps(post_processor, "processors", makers, steps);
  for (const Surroundings& step : steps) {  // each goes around what the ones before it made
    before_.insert(before_.begin(), step.before.begin(), step.before.end());
    after_.insert(after_.end(), step.after.begin(), step.after.end());
  }
  for (const auto* ids : {&before_, &after_})
    for (const int64_t id : *ids)
      if (token_of(id) == nullptr) post_processor.fail("expected ids of tokens, got " + std::to_string(id));
}

}  // namespace keel
