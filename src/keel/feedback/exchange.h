// Judgements in and out of files, as rows that keel/rows/rows.h reads: rankings in the K-wise form, labels in
// theirs, a demonstration as the completion that was written, an edit as a preference of the text that it
// made over the one that it found.
//
// Beside the fields of its kind, a row names who judged: `annotator`, `kind` (human, simulated, ai) and,
// where there are any, `parameters`; `models` of the completions; `shown`: true when the annotator saw them
// in this order; `strength`, `none_acceptable`, `seconds` (of work) and `guideline` where they were given;
// and `key`, so that a file read twice, or read by the store that wrote it, adds nothing. Export, import into
// an empty store and export again give the same bytes. Sampling settings and log-probabilities stay in the
// store; so do flags, comments, skips, tasks and what was corrected: an archive holds them (store.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "keel/feedback/store.h"

namespace keel::feedback {

struct ImportCounts {
  int64_t read = 0;
  int64_t taken = 0;
  int64_t already_there = 0;               // the same row came in before
  std::map<std::string, int64_t> refused;  // reason → rows
};

/// Takes rankings, preferences (as rankings of two), ratings, labels, demonstrations and edits, in one
/// commit: all of the file or nothing. `otherwise` is the annotator of rows that name none; a row's own kind
/// is never overridden. Errors: those of read_rows; [file:line] a row without `kind` when `otherwise` is
/// empty, or with an unknown one.
ImportCounts import_judgements(Store& store, const std::filesystem::path& path,
                               const std::optional<Annotator>& otherwise,
                               RowFormat format = RowFormat::automatic);

struct ExportCounts {
  std::map<JudgementType, int64_t> written = {}, left_out = {};
};

/// What a judgement counts; below 0: turned around, so much.
using JudgementWeight = std::function<double(const JudgedRow&)>;

/// Whether people stand in an export under their names, or under names that tell them apart and no more.
enum class Names { own, pseudonyms };

struct ExportOptions {
  JudgementWeight weight = {};  // nothing: none is written, which is 1
  Names names = Names::own;
};

/// Writes JSON lines in the order of events, atomically: of all types that have rows.
ExportCounts export_judgements(Store& store, Kinds kinds, int64_t last_event,
                               const std::filesystem::path& path, const ExportOptions& options = {});

/// A person's pseudonym in the exports of one store, the same each time: a hash over the store's identity,
/// which no export holds, and the name. Who has the store can tell who it is. What else is known of them is
/// left out.
Annotator pseudonym_of(const Annotator& person, const std::string& store_identity);

/// One row of an export; nothing for a judgement that has none: flags, comments, skips, and what speaks of a
/// text that was redacted.
std::optional<Json> judgement_json(const JudgedRow& row);

/// The same with its weight, to six digits. Below 0 the row says the contrary, "turned": true: a label's
/// other value, a ranking from the other end.
std::optional<Json> judgement_json(JudgedRow row, double weight);

}  // namespace keel::feedback
