// Rows back into files: Keel's K-wise form, and TRL's preferences.
//
// What was written, read again in the format it was written in, and written once more has the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "keel/rows/rows.h"

namespace keel {

/// One row in the fields of rows.h, a preference as a ranking of two; `extra` behind them.
Json k_wise_json(const Row& row);

/// A row's strictly ordered pairs of unlike completions, in the order of their completions, as TRL reads
/// preferences: an explicit `prompt`, `chosen` and `rejected`, messages where the row has them. Of K > 2
/// completions a pair gets its two `models` and `scores`, and a `key` gets the pair's places behind it, so
/// that keys stay unlike. None: a row without such pairs, or with ids and no texts.
std::vector<Json> preference_json(const Row& row);

struct RowsWritten {
  int64_t lines = 0;
  std::map<std::string, int64_t> left_out;  // reason → rows
};

/// JSON lines, atomically. Errors: UsageError [format] one that is not written (all but keel and trl).
RowsWritten write_rows(std::span<const Row> rows, RowFormat format, const std::filesystem::path& path);

}  // namespace keel
