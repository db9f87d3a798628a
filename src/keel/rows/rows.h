// Typed rows out of data files: JSON lines, a JSON array, or CSV, each also gzipped.
//
// The fields of a row say what it is; what they do not use is kept in `extra`.
//   text                       a document
//   prompt                     a prompt to be continued
//   prompt completion          a demonstration
//   prompt chosen rejected     a preference; its prompt, when missing, is what both sides begin with
//   prompt completions ranks   a ranking of K completions: 1 is best, equal numbers tie
//   prompt completion label    a yes/no judgement: true, false, 1, 0; also text label
//   prompt completion tokens finish_reason
//                              what keel sample writes: a demonstration whose ids were drawn
// Each text may come as token ids instead (or beside it, and then the ids count): input_ids for text,
// prompt_ids, completion_ids, chosen_ids, rejected_ids, and a list of lists completions_ids. In CSV a list is
// written as JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keel/base/json.h"

namespace keel {

/// A text, its ids, or both. With has_ids the ids are what is trained on and scored.
struct Passage {
  std::string text = {};
  std::vector<int64_t> ids = {};
  bool has_ids = false;
  bool operator==(const Passage&) const = default;
};

enum class RowKind { text, prompt, completion, preference, ranking, label };

struct Row {
  int64_t line = 0;  // in the file, from 1
  RowKind kind = RowKind::text;
  bool has_prompt = false;  // false for a text
  Passage prompt = {};
  std::vector<Passage> completions = {};  // a text is its one completion; a preference is {chosen, rejected}
  std::vector<int64_t> ranks = {};        // beside completions; a preference has {1, 2}
  std::optional<bool> label = {};
  // The ids that keel sample drew for the completion, its end-of-text id among them. They say more than the
  // text, and are meant where the reader's tokenizer decodes them to it.
  std::optional<std::vector<int64_t>> sampled = {};
  Json extra = Json::object();  // the fields that are not used: gold scores, names, ...
};

struct RowFile {
  std::string path;
  std::vector<Row> rows;  // in the order of the file
  std::map<std::string, int64_t>
      refused;  // reason → rows left out: sound, but without anything to learn from
};

/// Reads a .jsonl, .ndjson, .json or .csv file, with or without .gz behind it. A .json file may hold an array
/// or lines. Blank lines are skipped. Left out and counted: preferences whose two sides are equal, labels
/// that are null. Errors: [file:line] not JSON, no known set of fields, a field of the wrong type, an empty
/// text, a negative id, ranks that do not fit the completions, messages (their chat templates are not there
/// yet).
RowFile read_rows(const std::filesystem::path& path);

/// "text", "prompt", "completion", "preference", "ranking", "label".
const char* row_kind_name(RowKind kind);

}  // namespace keel
