// Comma-separated values as RFC 4180 describes them: quoted cells hold commas, line ends and doubled quotes.
// Departures: a line may end in LF alone, a blank line between records is skipped, bytes need not be ASCII.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

struct CsvRecord {
  int64_t line;  // where the record starts, from 1; a quoted cell may span lines
  std::vector<std::string> cells;
};

/// All records, the header among them. `where` names the file in an error.
/// Errors: [where:line] a quote that never closes, text beside a quoted cell, a quote inside a bare cell.
std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where);

}  // namespace keel
