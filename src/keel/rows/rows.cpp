#include "keel/rows/rows.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/rows/formats.h"
#include "keel/rows/records.h"

namespace keel {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

const Format& format_for(const Json& record, RowFormat named) {
  return *std::find_if(formats().begin(), formats().end(), [&](const Format& format) {
    return named == RowFormat::automatic ? format.recognises(record) : format.format == named;
  });
}

}  // namespace

RowFormat row_format(const std::string& name, const std::string& where) {
  if (name == "auto") return RowFormat::automatic;
  for (const Format& format : formats())
    if (name == format.name) return format.format;
  throw UsageError(where, "expected one of " + joined(row_format_names()) + ", got " + quoted_start(name));
}

std::vector<std::string> row_format_names() {
  std::vector<std::string> names = {"auto"};
  for (const Format& format : formats()) names.emplace_back(format.name);
  return names;
}

RowFile read_rows(const std::filesystem::path& path, RowFormat named) {
  RowSink rows(path.string());
  for_each_record(path, [&](Json object, int64_t line) {
    const Format& format = format_for(object, named);
    Fields record(std::move(object), rows.path(), line);
    if (!format.recognises(record.object()))
      record.fail("expected the fields of " + std::string(format.name) + ", " + format.fields + ", got " +
                  record.names());
    rows.begin_record();
    format.read(std::move(record), rows);
  });
  return rows.result();
}

void reverse_ranks(std::vector<int64_t>& ranks) {
  if (ranks.empty()) return;
  const auto [lowest, highest] = std::ranges::minmax(ranks);
  for (int64_t& rank : ranks) rank = lowest + highest - rank;
}

const char* row_kind_name(RowKind kind) {
  static constexpr const char* kNames[] = {"text",    "prompt", "completion", "preference",
                                           "ranking", "label",  "rating"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace keel
