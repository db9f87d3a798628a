// The records of a data file: the objects of JSON lines or of a JSON array, or the lines of a CSV table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "keel/base/json.h"

namespace keel {

/// Calls `visit(object, line)` for each, in order; lines count from 1. Blank lines are skipped. In CSV the
/// cells of lists, objects and `label` are read as JSON, others are text. Errors: [file] another name than
/// .jsonl, .ndjson, .json, .csv, each with or without .gz; [file:line] not JSON, not an object, a field
/// twice, an object of more than 4096 fields, a CSV record of another width than the header.
void for_each_record(const std::filesystem::path& path,
                     const std::function<void(Json object, int64_t line)>& visit);

}  // namespace keel
