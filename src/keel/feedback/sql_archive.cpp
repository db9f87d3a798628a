// A store as JSON lines and back: one line an event, in the order of events, with the row that it is about.
//
//   {"keel_archive": 1}
//   {"event": 7, "at": 1764000000, "kind": "completion", "row": {"id": 3, "prompt": 1, "text": "...", ...}}
//
// A text that is not UTF-8 is {"bytes": "<hexadecimal>"}. A task's and a judgement's row holds "completions",
// each with its place and, if ranked, its rank.
#include <sodium.h>

#include <array>
#include <span>
#include <variant>

#include "keel/base/files.h"
#include "keel/feedback/sql_store.h"

namespace keel::feedback {
namespace {

constexpr int64_t kArchiveVersion = 1;

struct Column {
  const char* name;
  bool text;
};
using Columns = std::span<const Column>;

constexpr std::array kPromptColumns = {Column{"id", false}, Column{"text", true}, Column{"ids", true},
                                       Column{"hash", true}};
constexpr std::array kCompletionColumns = {
    Column{"id", false},  Column{"prompt", false}, Column{"text", true},     Column{"ids", true},
    Column{"hash", true}, Column{"model", true},   Column{"sampling", true}, Column{"logps", true}};
constexpr std::array kAnnotatorColumns = {Column{"id", false}, Column{"kind", true}, Column{"name", true},
                                          Column{"parameters", true}};
constexpr std::array kModelColumns = {Column{"id", false}, Column{"name", true}, Column{"version", false},
                                      Column{"parent", false}, Column{"details", true}};
constexpr std::array kGuidelinesColumns = {Column{"id", false}, Column{"text", true}};
constexpr std::array kTaskColumns = {Column{"id", false},     Column{"kind", true},
                                     Column{"prompt", false}, Column{"copies", false},
                                     Column{"details", true}, Column{"hash", true}};
constexpr std::array kJudgementColumns = {
    Column{"id", false},        Column{"key", true},    Column{"annotator", false},
    Column{"prompt", false},    Column{"task", false},  Column{"type", true},
    Column{"label", false},     Column{"shown", false}, Column{"corrects", false},
    Column{"guideline", false}, Column{"answer", true}};
constexpr std::array kRedactionColumns = {Column{"id", false}, Column{"kind", true}, Column{"subject", false},
                                          Column{"reason", true}, Column{"requested_by", true}};
constexpr std::array kTaskItems = {Column{"position", false}, Column{"completion", false}};
constexpr std::array kJudgedItems = {Column{"position", false}, Column{"completion", false},
                                     Column{"rank", false}};

// What is kept of one kind of event: the SQL that reads and adds its row, and the completions behind it.
struct Record {
  const char* kind;
  Columns columns;
  const char* select;
  const char* insert;
  Columns items = {};
  const char* select_items = nullptr;
  const char* insert_item = nullptr;
};

const std::array kRecords = {
    Record{"prompt", kPromptColumns, "SELECT id, text, ids, hash FROM prompts WHERE id = ?1",
           "INSERT INTO prompts (id, text, ids, hash) VALUES (?1, ?2, ?3, ?4)"},
    Record{"completion", kCompletionColumns,
           "SELECT id, prompt, text, ids, hash, model, sampling, logps FROM completions WHERE id = ?1",
           "INSERT INTO completions (id, prompt, text, ids, hash, model, sampling, logps) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
    Record{"annotator", kAnnotatorColumns, "SELECT id, kind, name, parameters FROM annotators WHERE id = ?1",
           "INSERT INTO annotators (id, kind, name, parameters) VALUES (?1, ?2, ?3, ?4)"},
    Record{"model", kModelColumns, "SELECT id, name, version, parent, details FROM models WHERE id = ?1",
           "INSERT INTO models (id, name, version, parent, details) VALUES (?1, ?2, ?3, ?4, ?5)"},
    Record{"guidelines", kGuidelinesColumns, "SELECT id, text FROM guidelines WHERE id = ?1",
           "INSERT INTO guidelines (id, text) VALUES (?1, ?2)"},
    Record{"task", kTaskColumns, "SELECT id, kind, prompt, copies, details, hash FROM tasks WHERE id = ?1",
           "INSERT INTO tasks (id, kind, prompt, copies, details, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
           kTaskItems, "SELECT position, completion FROM task_completions WHERE task = ?1 ORDER BY position",
           "INSERT INTO task_completions (task, position, completion) VALUES (?1, ?2, ?3)"},
    Record{
        "judgement", kJudgementColumns,
        "SELECT id, key, annotator, prompt, task, type, label, shown, corrects, guideline, answer "
        "FROM judgements WHERE id = ?1",
        "INSERT INTO judgements (id, key, annotator, prompt, task, type, label, shown, corrects, guideline, "
        "answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        kJudgedItems, "SELECT position, completion, rank FROM judged WHERE judgement = ?1 ORDER BY position",
        "INSERT INTO judged (judgement, position, completion, rank) VALUES (?1, ?2, ?3, ?4)"},
    Record{"redaction", kRedactionColumns,
           "SELECT id, kind, subject, reason, requested_by FROM redactions WHERE id = ?1",
           "INSERT INTO redactions (id, kind, subject, reason, requested_by) VALUES (?1, ?2, ?3, ?4, ?5)"},
};

const Record* record_named(const std::string& kind) {
  for (const Record& record : kRecords)
    if (kind == record.kind) return &record;
  return nullptr;
}

Json text_json(const std::string& text) {
  try {
    (void)Json(text).dump();  // throws where it is not UTF-8
    return text;
  } catch (const Json::exception&) {
    std::string hex(2 * text.size() + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    hex.pop_back();
    return {{"bytes", hex}};
  }
}

std::string text_of(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) throw Error(where, "expected a text or its bytes, got " + json_text(value));
  const std::string hex = json_get<std::string>(value, "bytes", "", where);
  std::string text(hex.size() / 2, '\0');
  size_t size = 0;
  if (sodium_hex2bin(reinterpret_cast<unsigned char*>(text.data()), text.size(), hex.data(), hex.size(),
                     nullptr, &size, nullptr) != 0 ||
      2 * size != hex.size())
    throw Error(where, "expected bytes in hexadecimal, got something else");
  return text;
}

Json row_json(const Rows& row, Columns columns) {
  Json object = Json::object();
  for (size_t i = 0; i < columns.size(); ++i) {
    const int at = static_cast<int>(i);
    if (row.is_null(at)) continue;
    object[columns[i].name] = columns[i].text ? text_json(row.text(at)) : Json(row.integer(at));
  }
  return object;
}

// The values of a row behind `first` (a parent's id), their texts kept alive beside them.
struct BoundRow {
  BoundRow(const Json& object, Columns columns, std::optional<int64_t> first, const std::string& where) {
    if (!object.is_object()) throw Error(where, "expected an object as row, got " + json_text(object));
    texts.reserve(columns.size());
    if (first) values.emplace_back(*first);
    for (const Column& column : columns) {
      const auto found = object.find(column.name);
      if (found == object.end()) {
        values.emplace_back();
      } else if (column.text) {
        texts.push_back(text_of(*found, where));
        values.emplace_back(std::string_view(texts.back()));
      } else {
        values.emplace_back(json_get<int64_t>(object, column.name, 0, where));
      }
    }
  }
  std::vector<std::string> texts;
  std::vector<SqlValue> values;
};

void add_row(Database& database, const char* sql, const BoundRow& row) {
  const auto rows = database.start(sql, row.values);
  while (rows->step()) {
  }
}

Json record_json(Database& database, const Record& record, int64_t subject) {
  const auto row = database.query(record.select, subject);
  if (!row->step()) refuse_id(record.kind, subject);
  Json object = row_json(*row, record.columns);
  if (record.select_items == nullptr) return object;
  Json items = Json::array();
  const auto item = database.query(record.select_items, subject);
  while (item->step()) items.push_back(row_json(*item, record.items));
  object["completions"] = items;
  return object;
}

void add_record(Database& database, const Json& line, const std::string& where) {
  const std::string kind = json_get<std::string>(line, "kind", "", where);
  const Record* record = record_named(kind);
  if (record == nullptr) throw Error(where, "expected a row of a known kind, got \"" + kind + "\"");
  const Json row = json_get<Json>(line, "row", Json(), where);
  add_row(database, record->insert, BoundRow(row, record->columns, {}, where));
  const auto id = json_get<int64_t>(row, "id", 0, where);
  if (record->insert_item != nullptr)
    for (const Json& item : json_get<Json>(row, "completions", Json::array(), where))
      add_row(database, record->insert_item, BoundRow(item, record->items, id, where));
  database.run("INSERT INTO events (id, kind, subject, at) VALUES (?1, ?2, ?3, ?4)",
               json_get<int64_t>(line, "event", 0, where), kind, id, json_get<int64_t>(line, "at", 0, where));
}

void check_first_line(const Json& line, const std::string& where) {
  const auto version = json_get<int64_t>(line, "keel_archive", 0, where);
  if (version != kArchiveVersion)
    throw Error(where, "expected an archive that `keel feedback archive` wrote" +
                           (version == 0 ? std::string() : ", got version " + std::to_string(version)));
}

}  // namespace

void SqlStore::write_archive(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  AtomicFile file(path);
  file.write(json_text({{"keel_archive", kArchiveVersion}}) + "\n");
  database_->read([&] {
    const auto event = database_->query("SELECT id, at, kind, subject FROM events ORDER BY id");
    while (event->step()) {
      const std::string kind = event->text(2);
      const Record* record = record_named(kind);
      if (record == nullptr) throw Error("store", "expected a known kind of event, got \"" + kind + "\"");
      Json line = {{"event", event->integer(0)}, {"at", event->integer(1)}, {"kind", kind}};
      line["row"] = record_json(*database_, *record, event->integer(3));
      file.write(json_text(line) + "\n");
    }
  });
  file.commit();
}

void SqlStore::read_archive(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    if (newest_event() != 0)
      throw Refused("archive", "expected an empty store to read it into, got one with rows");
    for_each_line(path, [&](std::string_view text, int64_t number) {
      const std::string where = path.string() + ":" + std::to_string(number);
      const Json line = parse_json(text, where);
      if (number == 1) return check_first_line(line, where);
      add_record(*database_, line, where);
    });
    for (const int64_t task : integers(database_->query("SELECT id FROM tasks ORDER BY id")))
      queue_if_wanted(task);
  });
}

}  // namespace keel::feedback
