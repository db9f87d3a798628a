// What the board gives as files: judgements as rows, measures, the whole record.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "keel/feedback/store.h"

namespace keel {

/// judgements.jsonl   the rows of `keel feedback export`
/// summary.json       counts, agreement and position bias (`keel feedback stats`)
/// agreement.json     `keel feedback agreement`
/// reliability.json   `keel feedback reliability`
/// leaderboard.json   `keel feedback elo`
/// archive.jsonl      all records of the store
std::span<const std::string_view> export_names();

/// A file of that name. `pseudonyms`: people in judgements.jsonl stand under names that tell them apart and
/// no more. Errors: feedback::Refused for a measure of judgements that are not there.
std::string exported(feedback::Store& store, std::string_view name, feedback::Kinds kinds, bool pseudonyms);

}  // namespace keel
