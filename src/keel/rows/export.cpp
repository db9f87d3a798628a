#include "keel/rows/export.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/rows/messages.h"

namespace keel {
namespace {

bool has_text(const Passage& passage) {
  return !passage.text.empty();
}

Json text_json(const Passage& passage) {
  if (!passage.messages.empty()) return messages_json(passage.messages);
  return passage.text.empty() ? Json() : Json(passage.text);
}

// What the passage has of both.
void put_passage(Json& object, const Passage& passage, const std::string& text_name,
                 const std::string& ids_name) {
  if (has_text(passage)) object[text_name] = text_json(passage);
  if (passage.has_ids) object[ids_name] = passage.ids;
}

// A list in which nobody has an element is left out; elsewhere null stands for "in the other list".
void put_passages(Json& object, const std::vector<Passage>& passages) {
  Json texts = Json::array(), ids = Json::array();
  for (const Passage& passage : passages) {
    texts.push_back(text_json(passage));
    ids.push_back(passage.has_ids ? Json(passage.ids) : Json());
  }
  const auto has_ids = [](const Passage& passage) { return passage.has_ids; };
  if (std::any_of(passages.begin(), passages.end(), has_text)) object["completions"] = std::move(texts);
  if (std::any_of(passages.begin(), passages.end(), has_ids)) object["completions_ids"] = std::move(ids);
}

void put_completion(Json& object, const Row& row) {
  const Passage& passage = row.completions.front();
  const bool conversation = !row.has_prompt && !passage.messages.empty();
  const char* name = row.has_prompt ? "completion" : conversation ? "messages" : "text";
  const bool drawn = row.sampled && passage.text.empty() && passage.ids == *row.sampled;
  if (!drawn) put_passage(object, passage, name, row.has_prompt ? "completion_ids" : "input_ids");
  if (row.sampled) object["tokens"] = *row.sampled;
}

void put_judgement(Json& object, const Row& row) {
  if (row.label) object["label"] = *row.label;
  for (const Rating& rating : row.ratings) object["ratings"][rating.dimension] = rating.value;
  if (row.scale) object["scale"] = {row.scale->first, row.scale->second};
  if (row.weight != 1) object["weight"] = row.weight;
}

void put_extra(Json& object, const Json& extra) {
  for (const auto& [name, value] : extra.items()) object.emplace(name, Json(value));
}

// The extra fields of a pair out of K completions.
Json extra_of_pair(const Row& row, size_t chosen, size_t rejected) {
  Json extra = row.extra;
  const size_t count = row.completions.size();
  for (const char* name : {"models", "scores"}) {
    const auto list = extra.find(name);
    if (list != extra.end() && list->is_array() && list->size() == count)
      *list = Json::array({(*list)[chosen], (*list)[rejected]});
  }
  const auto key = extra.find("key");
  if (count > 2 && key != extra.end() && key->is_string())
    *key = key->get<std::string>() + ":" + std::to_string(chosen) + "-" + std::to_string(rejected);
  return extra;
}

bool is_compared(const Row& row) {
  return row.kind == RowKind::preference || row.kind == RowKind::ranking;
}

bool is_written(const Row& row) {
  return (!row.has_prompt || has_text(row.prompt)) &&
         std::all_of(row.completions.begin(), row.completions.end(), has_text);
}

// TRL finds the prompt that conversations share as it was found here, and takes an empty text for a prompt.
void put_prompt(Json& pair, const Row& row) {
  const bool conversations = !row.completions.front().messages.empty();
  if (row.has_prompt)
    pair["prompt"] = text_json(row.prompt);
  else if (!conversations)
    pair["prompt"] = "";
}

}  // namespace

Json k_wise_json(const Row& row) {
  Json object = Json::object();
  if (row.has_prompt) put_passage(object, row.prompt, "prompt", "prompt_ids");
  if (is_compared(row)) {
    put_passages(object, row.completions);
    object["ranks"] = row.ranks;
  } else if (row.kind != RowKind::prompt) {
    put_completion(object, row);
  }
  put_judgement(object, row);
  put_extra(object, row.extra);
  return object;
}

std::vector<Json> preference_json(const Row& row) {
  std::vector<Json> pairs;
  if (!is_compared(row) || !is_written(row)) return pairs;
  for (size_t i = 0; i < row.ranks.size(); ++i)
    for (size_t j = i + 1; j < row.ranks.size(); ++j) {
      if (row.ranks[i] == row.ranks[j] || row.completions[i] == row.completions[j]) continue;
      const size_t chosen = row.ranks[i] < row.ranks[j] ? i : j, rejected = i + j - chosen;
      Json pair = Json::object();
      put_prompt(pair, row);
      pair["chosen"] = text_json(row.completions[chosen]);
      pair["rejected"] = text_json(row.completions[rejected]);
      put_judgement(pair, row);
      put_extra(pair, extra_of_pair(row, chosen, rejected));
      pairs.push_back(std::move(pair));
    }
  return pairs;
}

RowsWritten write_rows(std::span<const Row> rows, RowFormat format, const std::filesystem::path& path) {
  if (format != RowFormat::keel && format != RowFormat::trl)
    throw UsageError("format", "expected keel or trl to write, got another one");
  RowsWritten written;
  AtomicFile file(path);
  for (const Row& row : rows) {
    const std::vector<Json> lines =
        format == RowFormat::keel ? std::vector<Json>{k_wise_json(row)} : preference_json(row);
    for (const Json& line : lines) file.write(json_text(line) + "\n");
    written.lines += std::ssize(lines);
    if (lines.empty())
      ++written.left_out[!is_compared(row)  ? "no comparison"
                         : !is_written(row) ? "token ids without their texts"
                                            : "ties alone"];
  }
  file.commit();
  return written;
}

}  // namespace keel
