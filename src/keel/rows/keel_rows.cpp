// Keel's own sets of fields (rows.h), and TRL's, which are some of them.
#include <algorithm>

#include "keel/base/error.h"
#include "keel/rows/formats.h"
#include "keel/rows/messages.h"
#include "keel/rows/shared_prompt.h"

namespace keel {
namespace {

constexpr const char* kKnownFields =
    "text | prompt | prompt, completion | prompt, chosen, rejected | prompt, completions, ranks | "
    "prompt, completion, label | prompt, completion, ratings | text, label | text, ratings | messages "
    "(each text also as ids: input_ids, prompt_ids, completion_ids, chosen_ids, rejected_ids, "
    "completions_ids), or those of a format that is read, too: hh, qa_feedback, alpacaeval, label_studio, "
    "argilla";

constexpr size_t kMostCompletions = 1024;  // of a ranking, which has pairs of each with each

std::string ids_name(const std::string& name) {
  return name == "text" ? "input_ids" : name + "_ids";
}

bool has_passage(const Fields& fields, const std::string& name) {
  return fields.has(name) || fields.has(ids_name(name));
}

/// A row of keel sample. Without a tokenizer its `tokens` are the completion itself.
bool is_sample(const Fields& fields) {
  return fields.has("tokens") && fields.has("finish_reason");
}

Passage passage(const Fields& fields, const Json& text, const Json& ids, const std::string& name) {
  Passage result;
  if (text.is_null() && ids.is_null()) fields.fail("expected text or ids for `" + name + "`, got null");
  if (name != "text" && is_conversation(text))
    result.messages = messages_of(text, name, fields);
  else if (!text.is_null())
    result.text = fields.text_of(text, name);
  if (!ids.is_null()) {
    result.has_ids = true;
    result.ids = fields.integers_of(ids, "ids of " + name, 0);
  }
  if (result.has_ids ? result.ids.empty() : result.text.empty() && result.messages.empty())
    fields.fail("expected at least one " + std::string(result.has_ids ? "id" : "character") + " for `" +
                name + "`, got an empty " + (result.has_ids ? "list" : "text"));
  return result;
}

Passage take_passage(Fields& fields, const std::string& name) {
  if (!has_passage(fields, name))
    fields.fail("expected a `" + name + "` beside the other fields of its row, got none");
  const Json text = fields.take(name), ids = fields.take(ids_name(name));
  return passage(fields, text, ids, name);
}

// `completions` and `completions_ids`: an element may be null in one list when the other one gives it.
std::vector<Passage> take_passages(Fields& fields, const std::string& name) {
  if (!has_passage(fields, name)) fields.fail("expected `" + name + "` beside `ranks`, got none");
  const Json texts = fields.take(name), ids = fields.take(ids_name(name));
  for (const Json* list : {&texts, &ids})
    if (!list->is_null()) fields.list_of(*list, name);
  if (texts.is_array() && ids.is_array() && texts.size() != ids.size())
    fields.fail("expected as many `" + ids_name(name) + "` as `" + name + "`, got " +
                std::to_string(ids.size()) + " and " + std::to_string(texts.size()));
  const size_t count = std::max(texts.size(), ids.size());
  if (count > kMostCompletions)
    fields.fail("expected at most " + std::to_string(kMostCompletions) + " `" + name + "`, got " +
                std::to_string(count));
  std::vector<Passage> result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(passage(fields, texts.is_null() ? Json() : texts[i], ids.is_null() ? Json() : ids[i],
                             name + "[" + std::to_string(i) + "]"));
  return result;
}

std::vector<int64_t> take_ranks(Fields& fields, size_t count) {
  if (!fields.has("ranks")) fields.fail("expected `ranks` beside `completions`, got none");
  std::vector<int64_t> ranks = fields.take_integers("ranks", 1);
  if (ranks.size() != count)
    fields.fail("expected a rank for each of the " + std::to_string(count) + " completions, got " +
                std::to_string(ranks.size()));
  return ranks;
}

bool take_label(Fields& fields) {
  const Json label = fields.take("label");
  if (label.is_boolean()) return label.get<bool>();
  if (label == Json(0) || label == Json(1)) return label == Json(1);
  fields.fail("expected true, false, 0 or 1 for `label`, got " + shown(label));
}

std::vector<Rating> take_ratings(Fields& fields) {
  std::vector<Rating> ratings;
  const Json by_dimension = fields.take_object("ratings");
  for (const auto& [dimension, value] : by_dimension.items())
    if (!value.is_null()) ratings.push_back({dimension, fields.number_of(value, "ratings." + dimension)});
  return ratings;
}

std::optional<std::pair<double, double>> take_scale(Fields& fields, const std::vector<Rating>& ratings) {
  if (!fields.has("scale")) return {};
  const Json list = fields.take_list("scale");
  if (list.size() != 2) fields.fail("expected [lowest, highest] for `scale`, got " + shown(list));
  const double low = fields.number_of(list[0], "scale"), high = fields.number_of(list[1], "scale");
  if (low >= high) fields.fail("expected [lowest, highest] for `scale`, got " + shown(list));
  for (const Rating& rating : ratings)
    if (rating.value < low || rating.value > high)
      fields.fail("expected ratings on the scale " + json_text(list) + ", got " +
                  json_text(Json(rating.value)));
  return std::pair{low, high};
}

double take_weight(Fields& fields) {
  if (!fields.has("weight")) return 1;
  const Json value = fields.take("weight");
  const double weight = fields.number_of(value, "weight");
  if (weight < 0) fields.fail("expected a `weight` of at least 0, got " + shown(value));
  return weight;
}

bool asks_for(const Fields& fields, const char* judgement) {
  return fields.has(judgement) || fields.is_null(judgement);
}

bool is_preference(const Fields& fields) {
  return has_passage(fields, "chosen") || has_passage(fields, "rejected");
}

bool is_ranking(const Fields& fields) {
  return has_passage(fields, "completions") || fields.has("ranks");
}

// `messages` beside another set of fields repeat it, as in several published sets, and stay in `extra`.
bool is_whole_conversation(const Fields& fields) {
  return fields.has("messages") && !is_preference(fields) && !is_ranking(fields) && !is_sample(fields) &&
         !has_passage(fields, "completion") && !has_passage(fields, "text");
}

RowKind kind_of(const Fields& fields) {
  if (is_preference(fields)) return RowKind::preference;
  if (is_ranking(fields)) return RowKind::ranking;
  const bool completion = has_passage(fields, "completion"), text = has_passage(fields, "text");
  const bool messages = is_whole_conversation(fields);
  if (completion || text || messages) {
    if (asks_for(fields, "ratings")) return RowKind::rating;
    if (asks_for(fields, "label")) return RowKind::label;
  }
  if (completion || is_sample(fields)) return RowKind::completion;
  if (text) return RowKind::text;
  if (messages) return RowKind::completion;
  if (!has_passage(fields, "prompt"))
    fields.fail("expected one of these sets of fields: " + std::string(kKnownFields) + "; got " +
                fields.names());
  return RowKind::prompt;
}

// The prompt and the completion of a conversation. One to be continued is a prompt.
void take_conversation(Fields& fields, Row& row) {
  std::vector<Message> messages = messages_of(fields.take("messages"), "messages", fields);
  if (messages.empty()) fields.fail("expected at least one message in `messages`, got none");
  if (messages.back().role == "assistant") {
    row.completions.push_back({.messages = {std::move(messages.back())}});
    messages.pop_back();
  } else if (row.kind == RowKind::completion) {
    row.kind = RowKind::prompt;
  } else {
    fields.fail("expected the assistant's message at the end of `messages`, got " +
                quoted_start(messages.back().role));
  }
  row.has_prompt = !messages.empty();
  row.prompt.messages = std::move(messages);
}

void take_completions(Fields& fields, Row& row) {
  const bool sampled = row.kind == RowKind::completion && is_sample(fields);
  if (sampled) row.sampled = fields.take_integers("tokens", 0);
  switch (row.kind) {
    case RowKind::prompt:
      return;
    case RowKind::preference:
      row.completions.push_back(take_passage(fields, "chosen"));
      row.completions.push_back(take_passage(fields, "rejected"));
      row.ranks = {1, 2};
      return;
    case RowKind::ranking:
      row.completions = take_passages(fields, "completions");
      row.ranks = take_ranks(fields, row.completions.size());
      if (row.completions.size() < 2)
        fields.fail("expected at least two `completions` to rank, got one or none");
      return;
    default:
      if (sampled && !fields.has("completion_ids") &&
          (!fields.has("completion") || fields.look("completion") == ""))
        row.completions.push_back({.ids = *row.sampled, .has_ids = true});
      else
        row.completions.push_back(take_passage(fields, row.has_prompt ? "completion" : "text"));
  }
}

// A prompt that is text beside conversations: TRL leaves it out, since the conversations hold it.
bool is_text_beside_conversations(const Fields& fields) {
  return fields.look("prompt").is_string() && !fields.has("prompt_ids") &&
         is_conversation(fields.look("chosen")) && is_conversation(fields.look("rejected"));
}

void check_one_form(const Fields& fields, const Row& row) {
  bool texts = !row.prompt.text.empty(), messages = !row.prompt.messages.empty();
  for (const Passage& passage : row.completions) {
    texts = texts || !passage.text.empty();
    messages = messages || !passage.messages.empty();
  }
  if (texts && messages) fields.fail("expected messages in all texts of a row or in none, got both");
}

bool all_equal(const std::vector<Passage>& completions) {
  return std::adjacent_find(completions.begin(), completions.end(), std::not_equal_to<>()) ==
         completions.end();
}

// Why there is nothing to learn from a row that is sound; "" for others.
const char* nothing_to_learn(const Row& row) {
  if (row.kind == RowKind::preference && all_equal(row.completions)) return "chosen equals rejected";
  if (row.kind == RowKind::ranking && all_equal(row.completions)) return "all completions are equal";
  if (row.kind == RowKind::label && !row.label) return "label is null";
  if (row.kind == RowKind::rating && row.ratings.empty()) return "ratings are null";
  return "";
}

void take_judgement(Fields& fields, Row& row) {
  if (row.kind == RowKind::label && fields.has("label")) row.label = take_label(fields);
  if (row.kind == RowKind::rating && fields.has("ratings")) {
    row.ratings = take_ratings(fields);
    row.scale = take_scale(fields, row.ratings);
  }
  const bool says = row.kind != RowKind::text || fields.has("score");  // a document alone judges nothing
  if (says && row.kind != RowKind::prompt) row.weight = take_weight(fields);
}

// The prompt where a row has one. A comparison may do without, and says so by none or an empty one.
void take_prompt(Fields& fields, Row& row) {
  const bool compared = row.kind == RowKind::preference || row.kind == RowKind::ranking;
  row.has_prompt =
      !compared || fields.has("prompt_ids") || (fields.has("prompt") && fields.look("prompt") != "");
  if (row.has_prompt)
    row.prompt = take_passage(fields, "prompt");
  else
    fields.take("prompt");
}

// A preference's prompt, when its sides hold it. False when it is not what `prompt` says.
bool find_prompt(Row& row, const std::string& said, PromptEnd end) {
  split_off_prompt(row, end);
  return said.empty() || std::any_of(row.prompt.messages.begin(), row.prompt.messages.end(),
                                     [&](const Message& message) { return message.content == said; });
}

void read_row(Fields fields, RowSink& rows, PromptEnd end) {
  Row row{.line = fields.line(), .kind = kind_of(fields)};
  const bool judged = row.kind == RowKind::label || row.kind == RowKind::rating;
  const bool of_text = row.kind == RowKind::text || (judged && !has_passage(fields, "completion"));
  const bool repeated = row.kind == RowKind::preference && is_text_beside_conversations(fields);
  const bool implied = row.kind == RowKind::preference && (repeated || !has_passage(fields, "prompt"));
  const std::string said = repeated ? fields.take_text("prompt") : "";
  if (is_whole_conversation(fields)) {
    take_conversation(fields, row);
  } else {
    if (!of_text) take_prompt(fields, row);
    take_completions(fields, row);
  }
  take_judgement(fields, row);
  if (const char* reason = nothing_to_learn(row); *reason != 0) return rows.refuse(reason);
  check_one_form(fields, row);
  if (implied && !find_prompt(row, said, end))
    return rows.refuse("prompt is none of the messages that both sides begin with");
  render_messages(row);
  row.extra = fields.take_rest();
  rows.take(std::move(row));
}

}  // namespace

void read_keel(Fields record, RowSink& rows) {
  read_row(std::move(record), rows, PromptEnd::word);
}

void read_trl(Fields record, RowSink& rows) {
  read_row(std::move(record), rows, PromptEnd::character);
}

}  // namespace keel
