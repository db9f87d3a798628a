#include "keel/rows/rows.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/rows/csv.h"

namespace keel {
namespace {

constexpr const char* kKnownFields =
    "text | prompt | prompt, completion | prompt, chosen, rejected | prompt, completions, ranks | "
    "prompt, completion, label | text, label (each text also as ids: input_ids, prompt_ids, completion_ids, "
    "chosen_ids, rejected_ids, completions_ids)";

std::string at_line(const std::string& path, int64_t line) {
  return path + ":" + std::to_string(line);
}

// At most 40 bytes, cut between two characters.
std::string beginning(std::string_view text) {
  size_t length = std::min<size_t>(text.size(), 40);
  while (length > 0 && length < text.size() && (text[length] & 0xC0) == 0x80) --length;
  return std::string(text.substr(0, length));
}

// A piece of what was found, quoted, so that it is one printable line.
std::string quoted_start(std::string_view text) {
  return json_text(Json(beginning(text)));
}
std::string shown(const Json& value) {
  return std::string(value.type_name()) + " " + beginning(json_text(value));
}

// `line` is where `text` starts in the file.
Json parse_row(std::string_view text, const std::string& path, int64_t line) {
  check_nesting(text, at_line(path, line));
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    const auto* parse_error = dynamic_cast<const Json::parse_error*>(&error);
    const size_t byte = parse_error ? std::min(parse_error->byte, text.size()) : 0;
    const std::string_view before = text.substr(0, byte);
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0: the first line
    throw Error(at_line(path, line + std::count(before.begin(), before.end(), '\n')),
                "expected JSON, got " +
                    quoted_start(text.substr(line_start, text.find('\n', line_start) - line_start)) +
                    " with a mistake at byte " + std::to_string(byte - line_start));
  }
}

// One row's fields; each is taken out as it is used, and what stays is the row's `extra`.
class Fields {
 public:
  Fields(Json object, std::string where) : object_(std::move(object)), where_(std::move(where)) {}

  bool has(const std::string& name) const { return object_.contains(name) && !object_[name].is_null(); }
  bool is_null(const std::string& name) const { return object_.contains(name) && object_[name].is_null(); }
  bool has_passage(const std::string& name) const { return has(name) || has(ids_name(name)); }
  Json take_rest() { return std::move(object_); }

  Passage take_passage(const std::string& name) {
    if (!has_passage(name)) fail("expected a `" + name + "` beside the other fields of its row, got none");
    const Json text = take(name), ids = take(ids_name(name));
    return passage(text, ids, name);
  }

  // `completions` and `completions_ids`: an element may be null in one list when the other one gives it.
  std::vector<Passage> take_passages(const std::string& name) {
    if (!has_passage(name)) fail("expected `" + name + "` beside `ranks`, got none");
    const Json texts = take(name), ids = take(ids_name(name));
    for (const Json* list : {&texts, &ids})
      if (!list->is_null() && !list->is_array())
        fail("expected a list for `" + name + "`, got " + shown(*list));
    if (texts.is_array() && ids.is_array() && texts.size() != ids.size())
      fail("expected as many `" + ids_name(name) + "` as `" + name + "`, got " + std::to_string(ids.size()) +
           " and " + std::to_string(texts.size()));
    std::vector<Passage> result;
    for (size_t i = 0; i < std::max(texts.size(), ids.size()); ++i)
      result.push_back(passage(texts.is_null() ? Json() : texts[i], ids.is_null() ? Json() : ids[i],
                               name + "[" + std::to_string(i) + "]"));
    return result;
  }

  std::vector<int64_t> take_ranks(size_t count) {
    if (!has("ranks")) fail("expected `ranks` beside `completions`, got none");
    const std::vector<int64_t> ranks = integers(take("ranks"), "ranks", 1);
    if (ranks.size() != count)
      fail("expected a rank for each of the " + std::to_string(count) + " completions, got " +
           std::to_string(ranks.size()));
    return ranks;
  }

  /// A row of keel sample. Without a tokenizer its `tokens` are the completion itself.
  bool is_sample() const { return has("tokens") && has("finish_reason"); }
  bool has_text(const std::string& name) const { return has(name) && object_[name] != ""; }
  std::vector<int64_t> take_tokens() { return integers(take("tokens"), "tokens", 0); }

  bool take_label() {
    const Json label = take("label");
    if (label.is_boolean()) return label.get<bool>();
    if (label == Json(0) || label == Json(1)) return label == Json(1);
    fail("expected true, false, 0 or 1 for `label`, got " + shown(label));
  }

  [[noreturn]] void fail(const std::string& message) const { throw Error(where_, message); }

  void refuse_unknown_shape() const {
    std::string names;
    for (const auto& [name, value] : object_.items())
      names += (names.empty() ? "" : ", ") + quoted_start(name);
    fail("expected one of these sets of fields: " + std::string(kKnownFields) + "; got " +
         (names.empty() ? "none" : names.substr(0, 200)));
  }

  void refuse_messages() const {
    for (const auto& [name, value] : object_.items()) {
      const bool conversation = value.is_array() && !value.empty() && value[0].is_object();
      const bool of_text = name == "prompt" || name == "completion" || name == "chosen" || name == "rejected";
      if (name == "messages" || (of_text && conversation))
        fail("expected text or ids, got a list of messages in `" + name +
             "`: chat templates are not there yet; render the messages to text first");
    }
  }

 private:
  static std::string ids_name(const std::string& name) {
    return name == "text" ? "input_ids" : name + "_ids";
  }

  Json take(const std::string& name) {
    const auto found = object_.find(name);
    if (found == object_.end()) return {};
    Json value = std::move(*found);
    object_.erase(found);
    return value;
  }

  Passage passage(const Json& text, const Json& ids, const std::string& name) const {
    Passage result;
    if (text.is_null() && ids.is_null()) fail("expected text or ids for `" + name + "`, got null");
    if (!text.is_null() && !text.is_string()) fail("expected text for `" + name + "`, got " + shown(text));
    if (text.is_string()) result.text = text.get<std::string>();
    if (!ids.is_null()) {
      result.has_ids = true;
      result.ids = integers(ids, "ids of " + name, 0);
    }
    if (result.has_ids ? result.ids.empty() : result.text.empty())
      fail("expected at least one " + std::string(result.has_ids ? "id" : "character") + " for `" + name +
           "`, got an empty " + (result.has_ids ? "list" : "text"));
    return result;
  }

  std::vector<int64_t> integers(const Json& list, const std::string& name, int64_t lowest) const {
    if (!list.is_array()) fail("expected a list of integers for `" + name + "`, got " + shown(list));
    std::vector<int64_t> result;
    for (const Json& value : list) {
      const bool fits = value.is_number_integer() &&
                        (!value.is_number_unsigned() ||
                         value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()});
      if (!fits || value.get<int64_t>() < lowest)
        fail("expected integers of at least " + std::to_string(lowest) + " for `" + name + "`, got " +
             shown(value));
      result.push_back(value.get<int64_t>());
    }
    return result;
  }

  Json object_;
  std::string where_;
};

RowKind kind_of(const Fields& fields) {
  if (fields.has_passage("chosen") || fields.has_passage("rejected")) return RowKind::preference;
  if (fields.has_passage("completions") || fields.has("ranks")) return RowKind::ranking;
  const bool completion = fields.has_passage("completion"), text = fields.has_passage("text");
  if ((completion || text) && (fields.has("label") || fields.is_null("label"))) return RowKind::label;
  if (completion || fields.is_sample()) return RowKind::completion;
  if (text) return RowKind::text;
  if (!fields.has_passage("prompt")) fields.refuse_unknown_shape();
  return RowKind::prompt;
}

void take_completions(Fields& fields, Row& row) {
  switch (row.kind) {
    case RowKind::prompt:
      return;
    case RowKind::preference:
      row.completions.push_back(fields.take_passage("chosen"));
      row.completions.push_back(fields.take_passage("rejected"));
      row.ranks = {1, 2};
      return;
    case RowKind::ranking:
      row.completions = fields.take_passages("completions");
      row.ranks = fields.take_ranks(row.completions.size());
      if (row.completions.size() < 2)
        fields.fail("expected at least two `completions` to rank, got one or none");
      return;
    default:
      row.completions.push_back(fields.take_passage(row.has_prompt ? "completion" : "text"));
  }
}

// How far two texts are the same, back to where a word ends, so that tokens are not torn and each side keeps
// a rest. The space before the next word stays with the completions.
size_t common_beginning(std::string_view a, std::string_view b) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
  size_t size = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  size = std::min(size, std::min(a.size(), b.size()) - 1);
  while (size > 0 && (!is_space(a[size]) || is_space(a[size - 1]))) --size;
  return size;
}

size_t common_beginning(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  const auto size =
      static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  return std::min(size, std::min(a.size(), b.size()) - 1);
}

// Gives a preference whose sides hold whole dialogues (Bai et al. 2022's data) the prompt that they share.
void split_off_prompt(Row& row) {
  Passage &chosen = row.completions[0], &rejected = row.completions[1];
  if (chosen.has_ids != rejected.has_ids) return;
  if (chosen.has_ids) {
    const size_t size = common_beginning(chosen.ids, rejected.ids);
    row.prompt = {.ids = {chosen.ids.begin(), chosen.ids.begin() + static_cast<std::ptrdiff_t>(size)},
                  .has_ids = true};
    for (Passage* side : {&chosen, &rejected})
      side->ids.erase(side->ids.begin(), side->ids.begin() + static_cast<std::ptrdiff_t>(size));
    row.has_prompt = size > 0;
    return;
  }
  const size_t size = common_beginning(chosen.text, rejected.text);
  row.prompt.text = chosen.text.substr(0, size);
  for (Passage* side : {&chosen, &rejected}) side->text.erase(0, size);
  row.has_prompt = size > 0;
}

class RowCollector {
 public:
  explicit RowCollector(std::string path) : file_{.path = std::move(path), .rows = {}, .refused = {}} {}

  const std::string& path() const { return file_.path; }
  RowFile result() { return std::move(file_); }

  void add(Json object, int64_t line) {
    if (!object.is_object())
      throw Error(at_line(path(), line), "expected a JSON object a row, got " + shown(object));
    Fields fields(std::move(object), at_line(path(), line));
    fields.refuse_messages();
    Row row{.line = line, .kind = kind_of(fields)};
    row.has_prompt =
        row.kind != RowKind::text && !(row.kind == RowKind::label && !fields.has_passage("completion"));
    const bool implied = row.kind == RowKind::preference && !fields.has_passage("prompt");
    if (implied) row.has_prompt = false;
    if (row.has_prompt) row.prompt = fields.take_passage("prompt");
    if (row.kind == RowKind::completion && fields.is_sample()) row.sampled = fields.take_tokens();
    if (row.sampled && !fields.has_text("completion") && !fields.has("completion_ids"))
      row.completions.push_back({.ids = *row.sampled, .has_ids = true});
    else
      take_completions(fields, row);
    if (row.kind == RowKind::label && !fields.has("label")) return refuse("label is null");
    if (row.kind == RowKind::label) row.label = fields.take_label();
    if (row.kind == RowKind::preference && row.completions[0] == row.completions[1])
      return refuse("chosen equals rejected");
    if (implied) split_off_prompt(row);
    row.extra = fields.take_rest();
    file_.rows.push_back(std::move(row));
  }

 private:
  void refuse(const char* reason) { ++file_.refused[reason]; }

  RowFile file_;
};

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

void read_lines(std::string_view content, RowCollector& rows) {
  for (int64_t line = 1; !content.empty(); ++line) {
    const size_t end = std::min(content.find('\n'), content.size());
    if (!is_blank(content.substr(0, end)))
      rows.add(parse_row(content.substr(0, end), rows.path(), line), line);
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

void read_array(std::string_view content, RowCollector& rows) {
  ArrayCutter cutter(content, rows.path());
  std::string_view element;
  int64_t line = 0;
  while (cutter.next(element, line)) rows.add(parse_row(element, rows.path(), line), line);
}

Json csv_value(const std::string& name, std::string cell, const std::string& path, int64_t line) {
  const bool list = name == "completions" || name == "ranks" || name.ends_with("_ids");
  if ((list || name == "label") && is_blank(cell)) return nullptr;
  if (list) return parse_row(cell, path, line);
  if (name == "label" && (cell == "1" || cell == "true" || cell == "True")) return true;
  if (name == "label" && (cell == "0" || cell == "false" || cell == "False")) return false;
  return Json(std::move(cell));
}

void read_csv(std::string_view content, RowCollector& rows) {
  std::vector<CsvRecord> records = parse_csv(content, rows.path());
  if (records.empty()) throw Error(rows.path(), "expected a header line, got an empty file");
  const CsvRecord header = std::move(records.front());
  const std::set<std::string> names(header.cells.begin(), header.cells.end());
  if (names.size() != header.cells.size())
    throw Error(at_line(rows.path(), header.line), "expected each column's name once, got one twice");
  for (size_t r = 1; r < records.size(); ++r) {
    CsvRecord& record = records[r];
    if (record.cells.size() != header.cells.size())
      throw Error(at_line(rows.path(), record.line), "expected " + std::to_string(header.cells.size()) +
                                                         " cells as in the header, got " +
                                                         std::to_string(record.cells.size()));
    Json object = Json::object();
    for (size_t i = 0; i < record.cells.size(); ++i)
      object[header.cells[i]] =
          csv_value(header.cells[i], std::move(record.cells[i]), rows.path(), record.line);
    rows.add(std::move(object), record.line);
  }
}

}  // namespace

RowFile read_rows(const std::filesystem::path& path) {
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
  RowCollector rows(path.string());
  const size_t first = content.find_first_not_of(" \t\r\n");
  if (extension == ".csv") {
    read_csv(content, rows);
  } else if (first != content.npos && content[first] == '[') {
    read_array(content, rows);
  } else {
    read_lines(content, rows);
  }
  return rows.result();
}

const char* row_kind_name(RowKind kind) {
  static constexpr const char* kNames[] = {"text", "prompt", "completion", "preference", "ranking", "label"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace keel
