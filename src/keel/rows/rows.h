// Typed rows out of data files: JSON lines, a JSON array, or CSV, each also gzipped.
//
// The fields of a row say what it is; what they do not use is kept in `extra`.
//   text                       a document
//   prompt                     a prompt to be continued
//   prompt completion          a demonstration
//   prompt chosen rejected     a preference; its prompt, when missing, is what both sides begin with
//   prompt completions ranks   a ranking of K completions: 1 is best, equal numbers tie
//   prompt completion label    a yes/no judgement: true, false, 1, 0; also text label
//   prompt completion ratings  numbers by dimension, {"helpful": 4, "honest": 5}; also text ratings. With
//                              `scale`, [lowest, highest], they must lie within it
//   messages                   a conversation: its last message, when that is the assistant's, is the
//                              completion, and what comes before it the prompt; also messages label,
//                              messages ratings
//   prompt completion tokens finish_reason
//                              what keel sample writes: a demonstration whose ids were drawn
// Each text may come as token ids instead (or beside it, and then the ids count): input_ids for text,
// prompt_ids, completion_ids, chosen_ids, rejected_ids, and a list of lists completions_ids. In CSV a list is
// written as JSON. A preference or ranking may do without a prompt; an empty `prompt` says so.
//
// Each text but `text` may come as messages, [{"role": ..., "content": ...}, ...], in all texts of a row or
// in none. Their text is derived, as Bai et al. (2022) write dialogues, for people and for models that know
// no chat template:
//   "\n\nHuman: Hi\n\nAssistant: Hello"
// System and Tool speak likewise. A prompt ends with "\n\nAssistant:", its completion is " Hello". A `prompt`
// that is text beside two conversations is one of the messages that both begin with, as TRL takes it.
//
// Judgements and demonstrations may have a `weight`, a number of at least 0: how far they are relied on. In
// `extra` travel, under the names that all readers here give them:
//   annotator, kind   who judged, and whether that is human, simulated or ai; without `kind` nobody knows
//   models, scores    lists beside completions: who wrote each, what a judge gave each
//   comment           what was said beside a judgement
//   lead_time         the seconds that a judgement took
//   edit_of           the completion that a demonstration corrects
//   record, metadata, fields
//                     of a labelling tool's record: its id, its metadata, its texts that are not judged
//
// Other formats are translated into these sets of fields; formats.h names them and what each becomes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keel/base/json.h"

namespace keel {

/// A turn of a conversation.
struct Message {
  std::string role = {};  // system, user, assistant, tool
  std::string content = {};
  bool operator==(const Message&) const = default;
};

/// A text, its ids, or both. With has_ids the ids are what is trained on and scored.
struct Passage {
  std::string text = {};
  std::vector<int64_t> ids = {};
  bool has_ids = false;
  std::vector<Message> messages = {};  // where it came as messages: `text` is derived from them
  bool operator==(const Passage&) const = default;
};

struct Rating {
  std::string dimension = {};  // helpful, honest, ...
  double value = 0;
  bool operator==(const Rating&) const = default;
};

enum class RowKind { text, prompt, completion, preference, ranking, label, rating };

struct Row {
  int64_t line = 0;  // in the file, from 1
  RowKind kind = RowKind::text;
  bool has_prompt = false;  // false for a text
  Passage prompt = {};
  std::vector<Passage> completions = {};  // a text is its one completion; a preference is {chosen, rejected}
  std::vector<int64_t> ranks = {};        // beside completions; a preference has {1, 2}
  std::optional<bool> label = {};
  std::vector<Rating> ratings = {};
  std::optional<std::pair<double, double>> scale = {};  // the lowest and the highest rating
  double weight = 1;
  // The ids that keel sample drew for the completion, its end-of-text id among them. They say more than the
  // text, and are meant where the reader's tokenizer decodes them to it.
  std::optional<std::vector<int64_t>> sampled = {};
  Json extra = Json::object();  // the fields that are not used: gold scores, names, ...
};

struct RowFile {
  std::string path;
  std::vector<Row> rows;  // in the order of the file
  std::map<std::string, int64_t>
      refused;          // reason → rows left out: sound, but without anything to learn from
  int64_t records = 0;  // objects in the file; one may hold several rows
};

/// The order turned around: ranks from the same lowest to the same highest.
void reverse_ranks(std::vector<int64_t>& ranks);

/// How a file says what its rows are. `automatic` looks at the fields of each row.
enum class RowFormat { automatic, keel, hh, qa_feedback, alpacaeval, label_studio, argilla, trl };

/// Errors: UsageError [where] for anything but a name in row_format_names().
RowFormat row_format(const std::string& name, const std::string& where = "format");
/// "auto", "keel", "hh", "qa_feedback", "alpacaeval", "label_studio", "argilla", "trl".
std::vector<std::string> row_format_names();

/// Reads a .jsonl, .ndjson, .json or .csv file, with or without .gz behind it. A .json file may hold an array
/// or lines. Blank lines are skipped. Left out and counted: preferences whose two sides are equal, labels and
/// ratings that are null, and what the format's reader finds nothing to learn from.
/// Errors: [file:line] not JSON, a field twice, no known set of fields, a field of the wrong type, an empty
/// text, a negative id, ranks that do not fit the completions.
RowFile read_rows(const std::filesystem::path& path, RowFormat format = RowFormat::automatic);

/// "text", "prompt", "completion", "preference", "ranking", "label", "rating".
const char* row_kind_name(RowKind kind);

}  // namespace keel
