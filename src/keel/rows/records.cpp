#include "keel/rows/records.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/rows/csv.h"
#include "keel/rows/fields.h"

namespace keel {
namespace {

using Visit = std::function<void(Json object, int64_t line)>;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

// Builds a record as it is parsed, and refuses what the library's own builder takes: a name twice, of whose
// values it would drop one in silence, and so many fields that Json's objects, which look through them one by
// one, are slow.
class RecordBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit RecordBuilder(const std::string& where) : where_(where) {}

  Json result() { return std::move(record_); }
  /// Where parsing failed, in bytes.
  size_t mistake() const { return mistake_; }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    open_.push_back(&place(Json::object()));
    if (open_.size() > names_.size()) names_.emplace_back();
    names_[open_.size() - 1].clear();
    return true;
  }
  bool start_array(std::size_t) override {
    open_.push_back(&place(Json::array()));
    if (open_.size() > names_.size()) names_.emplace_back();
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    constexpr size_t kMost = 4096;
    auto& names = names_[open_.size() - 1];
    if (!names.insert(name).second)
      throw Error(where_, "expected each field once, got " + quoted_start(name) + " twice");
    if (names.size() > kMost)
      throw Error(where_, "expected an object of at most " + std::to_string(kMost) + " fields, got more");
    field_ = &open_.back()->emplace(std::move(name), nullptr).first.value();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    mistake_ = position;
    return false;
  }

 private:
  Json& place(Json value) {
    if (open_.empty()) return record_ = std::move(value);
    if (!open_.back()->is_array()) return *field_ = std::move(value);
    open_.back()->push_back(std::move(value));
    return open_.back()->back();
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& where_;
  Json record_;
  std::vector<Json*> open_;                             // lists and objects around what comes next
  Json* field_ = nullptr;                               // of the innermost object
  std::vector<std::unordered_set<std::string>> names_;  // of the open object at each depth
  size_t mistake_ = 0;
};

// `line` is where `text` starts in the file.
Json parse_record(std::string_view text, const std::string& path, int64_t line) {
  const std::string where = at_line(path, line);
  check_nesting(text, where);
  RecordBuilder builder(where);
  if (Json::sax_parse(text, &builder)) return builder.result();
  const size_t byte = std::min(builder.mistake(), text.size());
  const std::string_view before = text.substr(0, byte);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0: the first line
  throw Error(at_line(path, line + std::count(before.begin(), before.end(), '\n')),
              "expected JSON, got " +
                  quoted_start(text.substr(line_start, text.find('\n', line_start) - line_start)) +
                  " with a mistake at byte " + std::to_string(byte - line_start));
}

void visit_text(std::string_view text, const std::string& path, int64_t line, const Visit& visit) {
  Json object = parse_record(text, path, line);
  if (!object.is_object())
    throw Error(at_line(path, line), "expected a JSON object a row, got " + shown(object));
  visit(std::move(object), line);
}

void visit_lines(std::string_view content, const std::string& path, const Visit& visit) {
  for (int64_t line = 1; !content.empty(); ++line) {
    const size_t end = std::min(content.find('\n'), content.size());
    if (!is_blank(content.substr(0, end))) visit_text(content.substr(0, end), path, line, visit);
    content.remove_prefix(std::min(end + 1, content.size()));
  }
}

// Cuts an array at its top-level commas, so that each element has its line and one damaged element is named.
class ArrayCutter {
 public:
  ArrayCutter(std::string_view content, const std::string& path) : content_(content), path_(path) {
    position_ = content_.find('[') + 1;
    line_ += std::count(content_.begin(), content_.begin() + static_cast<std::ptrdiff_t>(position_), '\n');
  }

  // Sets `element` and the line it starts on; false after the last one.
  bool next(std::string_view& element, int64_t& line) {
    if (done_) return false;
    skip_space();
    const size_t begin = position_;
    line = line_;
    const char end = find_end();
    element = content_.substr(begin, position_ - begin);
    ++position_;
    done_ = end == ']';
    if (done_) check_nothing_follows();
    const bool empty_array = done_ && first_ && is_blank(element);
    first_ = false;
    return !empty_array;
  }

 private:
  void skip_space() {
    while (position_ < content_.size() && is_blank(content_.substr(position_, 1)))
      line_ += content_[position_++] == '\n';
  }

  // Moves to the comma or bracket that ends the element.
  char find_end() {
    int64_t depth = 0;
    bool quoted = false;
    for (; position_ < content_.size(); ++position_) {
      const char c = content_[position_];
      line_ += c == '\n';
      if (quoted && c == '\\') {
        ++position_;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (!quoted) {
        if (depth == 0 && (c == ',' || c == ']')) return c;
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
      }
    }
    throw Error(at_line(path_, line_), "expected \"]\" at the end of the array, got the end of the file");
  }

  void check_nothing_follows() {
    skip_space();
    if (position_ < content_.size())
      throw Error(at_line(path_, line_),
                  "expected nothing after the array, got " + quoted_start(content_.substr(position_)));
  }

  std::string_view content_;
  const std::string& path_;
  size_t position_;
  int64_t line_ = 1;
  bool first_ = true, done_ = false;
};

void visit_array(std::string_view content, const std::string& path, const Visit& visit) {
  ArrayCutter cutter(content, path);
  std::string_view element;
  int64_t line = 0;
  while (cutter.next(element, line)) visit_text(element, path, line, visit);
}

Json csv_value(const std::string& name, std::string cell, const std::string& path, int64_t line) {
  static const std::set<std::string> kJson = {"completions", "messages", "ranks",
                                              "ratings",     "scale",    "weight"};
  const bool json = kJson.contains(name) || name.ends_with("_ids");
  if ((json || name == "label") && is_blank(cell)) return nullptr;
  if (json) return parse_record(cell, path, line);
  if (name == "label" && (cell == "1" || cell == "true" || cell == "True")) return true;
  if (name == "label" && (cell == "0" || cell == "false" || cell == "False")) return false;
  return Json(std::move(cell));
}

// Json does not write bytes that are no UTF-8, and so tells them.
bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

void check_utf8(const CsvRecord& record, const std::string& path) {
  for (const std::string& cell : record.cells)
    if (!is_utf8(cell))
      throw Error(at_line(path, record.line),
                  "expected UTF-8, got other bytes in " + quoted_start(cell) + ": save the table as UTF-8");
}

void visit_csv(std::string_view content, const std::string& path, const Visit& visit) {
  std::vector<CsvRecord> records = parse_csv(content, path);
  if (records.empty()) throw Error(path, "expected a header line, got an empty file");
  const CsvRecord header = std::move(records.front());
  check_utf8(header, path);
  const std::set<std::string> names(header.cells.begin(), header.cells.end());
  if (names.size() != header.cells.size())
    throw Error(at_line(path, header.line), "expected each column's name once, got one twice");
  for (size_t r = 1; r < records.size(); ++r) {
    CsvRecord& record = records[r];
    if (record.cells.size() != header.cells.size())
      throw Error(at_line(path, record.line), "expected " + std::to_string(header.cells.size()) +
                                                  " cells as in the header, got " +
                                                  std::to_string(record.cells.size()));
    check_utf8(record, path);
    Json object = Json::object();
    for (size_t i = 0; i < record.cells.size(); ++i)
      object[header.cells[i]] = csv_value(header.cells[i], std::move(record.cells[i]), path, record.line);
    visit(std::move(object), record.line);
  }
}

}  // namespace

void for_each_record(const std::filesystem::path& path, const Visit& visit) {
  std::filesystem::path name = path;
  if (name.extension() == ".gz") name = name.stem();
  const std::string extension = name.extension().string();
  if (extension != ".jsonl" && extension != ".ndjson" && extension != ".json" && extension != ".csv")
    throw Error(path.string(),
                "expected a name that ends in .jsonl, .ndjson, .json or .csv (also with .gz), got " +
                    (extension.empty() ? "none of these" : quoted_start(extension)));
  const std::string bytes = read_file(path);
  std::string_view content = bytes;
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);  // the byte order mark of spreadsheets
  const size_t first = content.find_first_not_of(" \t\r\n");
  if (extension == ".csv") {
    visit_csv(content, path.string(), visit);
  } else if (first != content.npos && content[first] == '[') {
    visit_array(content, path.string(), visit);
  } else {
    visit_lines(content, path.string(), visit);
  }
}

}  // namespace keel
