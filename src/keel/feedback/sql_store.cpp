#include "keel/feedback/sql_store.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>

#include "keel/base/files.h"
#include "keel/feedback/judgement_rules.h"

namespace keel::feedback {
namespace {

constexpr size_t kLongestNote = 4096;
constexpr std::array<const char*, 3> kKindNames = {"human", "simulated", "ai"};
constexpr std::array<const char*, 8> kTypeNames = {"ranking", "rating", "label",   "demonstration",
                                                   "edit",    "flag",   "comment", "skip"};
constexpr std::array<const char*, 5> kTaskNames = {"ranking", "rating", "label", "demonstration", "edit"};

// The place of a name that may come out of the store, which another program may have written.
template <class Enum, size_t N>
Enum value_named(const std::array<const char*, N>& names, const std::string& name, const std::string& where) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Error(where, "expected a known kind of row, got \"" + name + "\"");
  return static_cast<Enum>(found - names.begin());
}

std::optional<std::string> ids_json(const Passage& passage) {
  return passage.has_ids ? std::optional(json_text(Json(passage.ids))) : std::nullopt;
}

// A JSON list out of the store, which another program may have written.
template <class T>
std::vector<T> list_in(const std::string& text) {
  try {
    return parse_json(text, "store").get<std::vector<T>>();
  } catch (const Json::exception&) {
    throw Error("store", "expected a list of numbers, got " + text.substr(0, 40));
  }
}

// From columns `column` (text) and `column` + 1 (ids).
Passage passage_at(const Rows& row, int column) {
  Passage passage{.text = row.text(column)};
  if (const auto ids = row.optional_text(column + 1)) {
    passage.has_ids = true;
    passage.ids = list_in<int64_t>(*ids);
  }
  return passage;
}

Completion completion_at(const Rows& row) {
  Completion result{.id = row.integer(0), .prompt = row.integer(1), .passage = passage_at(row, 2)};
  result.model = row.text(4);
  result.sampling = parse_json(row.text(5), "store");
  if (const auto logps = row.optional_text(6)) result.logps = list_in<double>(*logps);
  return result;
}

std::string prompt_hash(const Passage& prompt) {
  return sha256(prompt.text + '\0' + ids_json(prompt).value_or(""));
}

// Annotators see the text; where there is none, the ids stand for it.
std::string seen_hash(const Passage& completion) {
  return sha256(completion.text.empty() ? '\0' + ids_json(completion).value_or("") : completion.text);
}

bool is_empty(const Passage& passage) {
  return passage.has_ids ? passage.ids.empty() : passage.text.empty();
}

}  // namespace

void refuse_id(const char* what, int64_t id) {
  throw Refused(what, "expected one that is in the store, got number " + std::to_string(id));
}

std::string SqlStore::identity() {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query("SELECT identity FROM store");
  return row->step() ? row->text(0) : "";
}

Size SqlStore::size() {
  return reading([&] {
    return Size{.prompts = database_->integer("SELECT count(*) FROM prompts"),
                .completions = database_->integer("SELECT count(*) FROM completions"),
                .annotators = database_->integer("SELECT count(*) FROM annotators"),
                .tasks = database_->integer("SELECT count(*) FROM tasks"),
                .judgements = database_->integer("SELECT count(*) FROM judgements"),
                .last_event = newest_event(),
                .open_tasks = database_->integer("SELECT count(*) FROM queue")};
  });
}

void SqlStore::add_event(const char* kind, int64_t subject) {
  database_->run("INSERT INTO events (id, kind, subject, at) VALUES (?1, ?2, ?3, ?4)", newest_event() + 1,
                 std::string_view(kind), subject, int64_t{std::time(nullptr)});
}

int64_t SqlStore::newest_event() {
  return database_->integer("SELECT coalesce(max(id), 0) FROM events");
}

void SqlStore::require(const char* what, const char* count_sql, int64_t id) {
  if (database_->integer(count_sql, id) == 0) refuse_id(what, id);
}

std::vector<int64_t> SqlStore::integers(std::unique_ptr<Rows> rows) {
  std::vector<int64_t> result;
  while (rows->step()) result.push_back(rows->integer(0));
  return result;
}

// Prompts, completions, annotators, models, guidelines.

int64_t SqlStore::add_prompt(const Passage& prompt) {
  if (prompt.has_ids && prompt.ids.empty())
    throw Refused("prompt", "expected at least one id, got an empty list");
  const std::string hash = prompt_hash(prompt);
  return writing([&] {
    if (const int64_t known =
            database_->integer("SELECT coalesce(max(id), 0) FROM prompts WHERE hash = ?1", hash);
        known != 0)
      return known;
    const int64_t id = database_->integer(
        "INSERT INTO prompts (id, text, ids, hash) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM prompts), ?1, ?2, ?3) RETURNING id",
        prompt.text, ids_json(prompt), hash);
    add_event("prompt", id);
    return id;
  });
}

int64_t SqlStore::add_completion(const Completion& completion) {
  const Passage& passage = completion.passage;
  if (is_empty(passage)) throw Refused("completion", "expected text or ids, got neither");
  const auto logps =
      completion.logps.empty() ? std::nullopt : std::optional(json_text(Json(completion.logps)));
  return writing([&] {
    require("prompt", "SELECT count(*) FROM prompts WHERE id = ?1", completion.prompt);
    if (!completion.model.empty()) add_model({.name = completion.model});
    const int64_t id = database_->integer(
        "INSERT INTO completions (id, prompt, text, ids, hash, model, sampling, logps) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM completions), ?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING "
        "id",
        completion.prompt, passage.text, ids_json(passage), seen_hash(passage), completion.model,
        json_text(completion.sampling), logps);
    add_event("completion", id);
    return id;
  });
}

int64_t SqlStore::add_annotator(const Annotator& annotator) {
  const std::string kind = annotator_kind_name(annotator.kind), parameters = json_text(annotator.parameters);
  return writing([&] {
    if (const int64_t known = database_->integer("SELECT coalesce(max(id), 0) FROM annotators "
                                                 "WHERE kind = ?1 AND name = ?2 AND parameters = ?3",
                                                 kind, annotator.name, parameters);
        known != 0)
      return known;
    const int64_t id = database_->integer(
        "INSERT INTO annotators (id, kind, name, parameters) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM annotators), ?1, ?2, ?3) RETURNING id",
        kind, annotator.name, parameters);
    add_event("annotator", id);
    return id;
  });
}

int64_t SqlStore::add_model(const Model& model) {
  if (model.name.empty()) throw Refused("model", "expected a name, got an empty one");
  return writing([&] {
    if (const int64_t known =
            database_->integer("SELECT coalesce(max(id), 0) FROM models WHERE name = ?1", model.name);
        known != 0)
      return known;
    std::optional<int64_t> parent;
    if (!model.parent.empty()) {
      parent = database_->integer("SELECT coalesce(max(id), 0) FROM models WHERE name = ?1", model.parent);
      if (*parent == 0)
        throw Refused("model", "expected a parent that is in the store, got \"" + model.parent + "\"");
    }
    const int64_t id = database_->integer(
        "INSERT INTO models (id, name, version, parent, details) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM models), ?1, ?2, ?3, ?4) RETURNING id",
        model.name, model.version, parent, json_text(model.details));
    add_event("model", id);
    return id;
  });
}

std::vector<Model> SqlStore::models() {
  return reading([&] {
    std::vector<Model> result;
    const auto row = database_->query(
        "SELECT m.name, m.version, p.name, m.details FROM models m LEFT JOIN models p ON p.id = m.parent "
        "ORDER BY m.id");
    while (row->step())
      result.push_back({row->text(0), row->optional_integer(1), row->optional_text(2).value_or(""),
                        parse_json(row->text(3), "store")});
    return result;
  });
}

int64_t SqlStore::add_guidelines(const std::string& text) {
  if (text.empty()) throw Refused("guidelines", "expected a text, got an empty one");
  return writing([&] {
    const auto [newest, newest_text] = guidelines();
    if (newest != 0 && newest_text == text) return newest;
    const int64_t id = database_->integer(
        "INSERT INTO guidelines (id, text) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM guidelines), ?1) "
        "RETURNING id",
        text);
    add_event("guidelines", id);
    return id;
  });
}

std::pair<int64_t, std::string> SqlStore::guidelines() {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query("SELECT id, text FROM guidelines ORDER BY id DESC LIMIT 1");
  if (!row->step()) return {0, ""};
  return {row->integer(0), row->text(1)};
}

Annotator SqlStore::annotator(int64_t id) {
  const std::lock_guard lock(mutex_);
  return annotator_at(id);
}

Passage SqlStore::prompt(int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query("SELECT text, ids FROM prompts WHERE id = ?1", id);
  if (!row->step()) refuse_id("prompt", id);
  return passage_at(*row, 0);
}

Completion SqlStore::completion(int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query(
      "SELECT id, prompt, text, ids, model, sampling, logps FROM completions WHERE id = ?1", id);
  if (!row->step()) refuse_id("completion", id);
  return completion_at(*row);
}

std::vector<int64_t> SqlStore::prompts() {
  const std::lock_guard lock(mutex_);
  return integers(database_->query("SELECT id FROM prompts ORDER BY id"));
}

std::vector<Completion> SqlStore::completions_of(int64_t prompt) {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query(
      "SELECT id, prompt, text, ids, model, sampling, logps FROM completions WHERE prompt = ?1 ORDER BY id",
      prompt);
  std::vector<Completion> result;
  while (row->step()) result.push_back(completion_at(*row));
  return result;
}

// Judgements.

Receipt SqlStore::submit(const Judgement& judgement, const std::string& key) {
  check_shape(judgement, key);
  return writing([&] {
    if (const std::optional<Receipt> earlier = receipt_of(key)) {
      if (judgement_at(earlier->judgement) != judgement)
        throw Refused("judgement", "expected a new key, got one that was used for another judgement");
      return *earlier;
    }
    check_against_store(judgement);
    const int64_t id = insert(judgement, key);
    add_event("judgement", id);
    if (judgement.corrects) database_->run("DELETE FROM returns WHERE judgement = ?1", *judgement.corrects);
    if (judgement.task) {
      database_->run("DELETE FROM leases WHERE task = ?1 AND annotator = ?2", *judgement.task,
                     judgement.annotator);
      queue_if_wanted(*judgement.task);
    }
    return Receipt{id, newest_event()};
  });
}

void SqlStore::return_judgement(int64_t judgement, const std::string& note, const std::string& returned_by) {
  if (note.empty() || note.size() > kLongestNote)
    throw Refused("return", "expected a note of 1 to 4096 bytes, got another length");
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    require("judgement", "SELECT count(*) FROM judgements WHERE id = ?1 AND task IS NOT NULL", judgement);
    if (database_->integer("SELECT count(*) FROM judgements WHERE corrects = ?1", judgement) != 0)
      throw Refused("judgement", "expected one that stands, got one that was corrected");
    database_->run(
        "INSERT INTO returns (judgement, note, returned_by) VALUES (?1, ?2, ?3) ON CONFLICT (judgement) "
        "DO UPDATE SET note = excluded.note, returned_by = excluded.returned_by",
        judgement, note, returned_by);
  });
}

std::optional<Returned> SqlStore::returned_to(int64_t annotator) {
  return reading([&]() -> std::optional<Returned> {
    const auto row = database_->query(
        "SELECT r.judgement, r.note, r.returned_by FROM returns r JOIN judgements j ON j.id = r.judgement "
        "WHERE j.annotator = ?1 ORDER BY r.judgement LIMIT 1",
        annotator);
    if (!row->step()) return std::nullopt;
    return Returned{row->integer(0), row->text(1), row->text(2), judgement_at(row->integer(0))};
  });
}

void SqlStore::keep_returned(int64_t judgement, int64_t annotator) {
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    if (database_->integer("SELECT count(*) FROM judgements WHERE id = ?1 AND annotator = ?2", judgement,
                           annotator) == 0)
      throw Refused("judgement", "expected one of your own, got number " + std::to_string(judgement));
    database_->run("DELETE FROM returns WHERE judgement = ?1", judgement);
  });
}

void SqlStore::in_one_commit(const std::function<void()>& work) {
  const std::lock_guard lock(mutex_);
  database_->write(work);
}

int64_t SqlStore::last_event() {
  const std::lock_guard lock(mutex_);
  return newest_event();
}

std::vector<JudgedRow> SqlStore::judgements(Kinds kinds, int64_t last_event) {
  return reading([&] {
    const auto kind = kinds == Kinds::all
                          ? std::nullopt
                          : std::optional<std::string_view>(kKindNames.at(static_cast<size_t>(kinds)));
    return judged_rows(database_->query(R"sql(
SELECT j.id, e.id, j.key, e.at FROM events e
JOIN judgements j ON j.id = e.subject JOIN annotators a ON a.id = j.annotator
WHERE e.kind = 'judgement' AND e.id <= ?1 AND (a.kind = ?2 OR ?2 IS NULL)
  AND NOT EXISTS (SELECT 1 FROM judgements n JOIN events ne ON ne.kind = 'judgement' AND ne.subject = n.id
                  WHERE n.corrects = j.id AND ne.id <= ?1)
ORDER BY e.id)sql",
                                        last_event, kind));
  });
}

std::vector<JudgedRow> SqlStore::judgements_of_task(int64_t task) {
  return reading([&] {
    return judged_rows(database_->query(R"sql(
SELECT j.id, e.id, j.key, e.at FROM judgements j JOIN events e ON e.kind = 'judgement' AND e.subject = j.id
WHERE j.task = ?1 AND NOT EXISTS (SELECT 1 FROM judgements n WHERE n.corrects = j.id)
ORDER BY e.id)sql",
                                        task));
  });
}

std::optional<JudgedRow> SqlStore::judgement_of_key(const std::string& key) {
  return reading([&]() -> std::optional<JudgedRow> {
    const auto found = judged_rows(database_->query(R"sql(
SELECT j.id, e.id, j.key, e.at FROM judgements j JOIN events e ON e.kind = 'judgement' AND e.subject = j.id
WHERE j.key = ?1)sql",
                                                    key));
    return found.empty() ? std::nullopt : std::optional(found.front());
  });
}

std::optional<Judgement> SqlStore::first_answer(int64_t task, int64_t annotator) {
  return reading([&]() -> std::optional<Judgement> {
    const auto first = integers(database_->query(
        "SELECT id FROM judgements WHERE task = ?1 AND annotator = ?2 AND type NOT IN ('flag', 'comment') "
        "ORDER BY id LIMIT 1",
        task, annotator));
    return first.empty() ? std::nullopt : std::optional(judgement_at(first[0]));
  });
}

// Of rows of judgement, event, key and time.
std::vector<JudgedRow> SqlStore::judged_rows(const std::unique_ptr<Rows>& found) {
  std::vector<JudgedRow> rows;
  while (found->step()) {
    const Judgement judgement = judgement_at(found->integer(0));
    JudgedRow row{.receipt = {found->integer(0), found->integer(1)},
                  .at = found->integer(3),
                  .key = found->text(2),
                  .judgement = judgement,
                  .annotator = annotator_at(judgement.annotator),
                  .prompt = prompt(judgement.prompt)};
    for (const int64_t id : judgement.completions) row.completions.push_back(completion(id));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<Receipt> SqlStore::receipt_of(const std::string& key) {
  const auto row = database_->query(
      "SELECT j.id, e.id FROM judgements j JOIN events e ON e.kind = 'judgement' "
      "AND e.subject = j.id WHERE j.key = ?1",
      key);
  return row->step() ? std::optional(Receipt{row->integer(0), row->integer(1)}) : std::nullopt;
}

void SqlStore::check_against_store(const Judgement& judgement) {
  require("annotator", "SELECT count(*) FROM annotators WHERE id = ?1", judgement.annotator);
  require("prompt", "SELECT count(*) FROM prompts WHERE id = ?1", judgement.prompt);
  if (judgement.guideline)
    require("guidelines", "SELECT count(*) FROM guidelines WHERE id = ?1", *judgement.guideline);
  if (judgement.type != JudgementType::label && is_empty(prompt(judgement.prompt)))
    throw Refused("prompt", "expected one with text or ids for a ranking, got an empty one");
  for (const int64_t completion : judgement.completions)
    if (database_->integer("SELECT count(*) FROM completions WHERE id = ?1 AND prompt = ?2", completion,
                           judgement.prompt) == 0)
      throw Refused("completion", "expected one of prompt " + std::to_string(judgement.prompt) +
                                      ", got number " + std::to_string(completion));
  if (judgement.task) check_task(judgement);
  if (judgement.corrects) check_correction(judgement);
}

// What answers a task answers all of it: its prompt and its completions, in any order.
void SqlStore::check_task(const Judgement& judgement) {
  const Task asked = task(*judgement.task);
  std::vector<int64_t> wanted = asked.completions, given = judgement.completions;
  std::sort(wanted.begin(), wanted.end());
  std::sort(given.begin(), given.end());
  const bool same_kind = std::string(judgement_type_name(judgement.type)) == task_kind_name(asked.kind);
  if (judgement.prompt != asked.prompt || (is_answer(judgement.type) && (!same_kind || wanted != given)))
    throw Refused("judgement",
                  "expected an answer to task " + std::to_string(asked.id) + ", got one to another question");
  if (!is_answer(judgement.type) || judgement.corrects) return;
  if (database_->integer("SELECT count(*) FROM judgements WHERE task = ?1 AND annotator = ?2 AND type = ?3",
                         asked.id, judgement.annotator, std::string_view(task_kind_name(asked.kind))) != 0)
    throw Refused("judgement", "expected one answer to task " + std::to_string(asked.id) +
                                   ", got a second one: correct the first");
}

void SqlStore::check_correction(const Judgement& judgement) {
  const int64_t corrected = *judgement.corrects;
  const std::string number = "number " + std::to_string(corrected);
  if (database_->integer("SELECT count(*) FROM judgements WHERE id = ?1 AND annotator = ?2 AND prompt = ?3 "
                         "AND coalesce(task, 0) = ?4",
                         corrected, judgement.annotator, judgement.prompt, judgement.task.value_or(0)) == 0)
    throw Refused("judgement",
                  "expected to correct one of the same annotator, prompt and task, got " + number);
  if (database_->integer("SELECT count(*) FROM judgements WHERE corrects = ?1", corrected) != 0)
    throw Refused("judgement",
                  "expected to correct one that stands, got " + number + ", which was corrected before");
}

int64_t SqlStore::insert(const Judgement& judgement, const std::string& key) {
  const auto label = judgement.label ? std::optional<int64_t>(*judgement.label) : std::nullopt;
  const int64_t id = database_->integer(
      "INSERT INTO judgements (id, key, annotator, prompt, task, type, label, shown, corrects, guideline, "
      "answer) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM judgements), "
      "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
      key, judgement.annotator, judgement.prompt, judgement.task,
      std::string_view(judgement_type_name(judgement.type)), label, int64_t{judgement.shown},
      judgement.corrects, judgement.guideline, json_text(answer_json(judgement)));
  for (size_t i = 0; i < judgement.completions.size(); ++i) {
    const auto rank = judgement.ranks.empty() ? std::nullopt : std::optional(judgement.ranks[i]);
    database_->run("INSERT INTO judged (judgement, position, completion, rank) VALUES (?1, ?2, ?3, ?4)", id,
                   static_cast<int64_t>(i), judgement.completions[i], rank);
  }
  return id;
}

Judgement SqlStore::judgement_at(int64_t id) {
  const auto row = database_->query(
      "SELECT annotator, prompt, task, type, label, shown, corrects, guideline, answer FROM judgements "
      "WHERE id = ?1",
      id);
  if (!row->step()) refuse_id("judgement", id);
  Judgement result{.annotator = row->integer(0), .prompt = row->integer(1), .task = row->optional_integer(2)};
  result.type = value_named<JudgementType>(kTypeNames, row->text(3), "store");
  if (const auto label = row->optional_integer(4)) result.label = *label != 0;
  result.shown = row->integer(5) != 0;
  result.corrects = row->optional_integer(6);
  result.guideline = row->optional_integer(7);
  read_answer(result, parse_json(row->text(8), "store"));
  const auto item =
      database_->query("SELECT completion, rank FROM judged WHERE judgement = ?1 ORDER BY position", id);
  while (item->step()) {
    result.completions.push_back(item->integer(0));
    if (!item->is_null(1)) result.ranks.push_back(item->integer(1));
  }
  return result;
}

Annotator SqlStore::annotator_at(int64_t id) {
  const auto row = database_->query("SELECT kind, name, parameters FROM annotators WHERE id = ?1", id);
  if (!row->step()) refuse_id("annotator", id);
  return {value_named<AnnotatorKind>(kKindNames, row->text(0), "store"), row->text(1),
          parse_json(row->text(2), "store")};
}

void SqlStore::redact(const std::string& kind, int64_t id, const std::string& reason,
                      const std::string& requested_by) {
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    if (kind == "judgement")
      require("judgement", "SELECT count(*) FROM judgements WHERE id = ?1", id);
    else if (kind == "prompt")
      require("prompt", "SELECT count(*) FROM prompts WHERE id = ?1", id);
    else if (kind == "completion")
      require("completion", "SELECT count(*) FROM completions WHERE id = ?1", id);
    else
      throw Refused("redaction", "expected prompt, completion or judgement, got \"" + kind + "\"");
    if (database_->integer("SELECT count(*) FROM redactions WHERE kind = ?1 AND subject = ?2", kind, id) != 0)
      return;
    const int64_t redaction = database_->integer(
        "INSERT INTO redactions (id, kind, subject, reason, requested_by) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM redactions), ?1, ?2, ?3, ?4) RETURNING id",
        kind, id, reason, requested_by);
    add_event("redaction", redaction);
    take_out(kind, id);
  });
}

// The text and what could tell it: its ids, its log-probabilities, its hash. Nobody is asked about it again.
void SqlStore::take_out(const std::string& kind, int64_t id) {
  const std::string hash = "redacted-" + kind + "-" + std::to_string(id);
  if (kind == "prompt") {
    database_->run("UPDATE prompts SET text = '', ids = NULL, hash = ?2 WHERE id = ?1", id, hash);
    database_->run("DELETE FROM queue WHERE task IN (SELECT id FROM tasks WHERE prompt = ?1)", id);
  } else if (kind == "completion") {
    database_->run("UPDATE completions SET text = '', ids = NULL, logps = NULL, hash = ?2 WHERE id = ?1", id,
                   hash);
    database_->run(
        "DELETE FROM queue WHERE task IN (SELECT task FROM task_completions WHERE completion = ?1)", id);
  } else {
    Judgement judgement = judgement_at(id);
    judgement.text.clear();
    database_->run("UPDATE judgements SET answer = ?2 WHERE id = ?1", id, json_text(answer_json(judgement)));
  }
}

// Names.

const char* annotator_kind_name(AnnotatorKind kind) {
  return kKindNames.at(static_cast<size_t>(kind));
}

AnnotatorKind annotator_kind(const std::string& name, const std::string& where) {
  if (std::find(kKindNames.begin(), kKindNames.end(), name) == kKindNames.end())
    throw UsageError(where, "expected human, simulated or ai, got \"" + name + "\"");
  return value_named<AnnotatorKind>(kKindNames, name, where);
}

Kinds kinds_named(const std::string& name) {
  if (name == "all") return Kinds::all;
  if (std::find(kKindNames.begin(), kKindNames.end(), name) == kKindNames.end())
    throw UsageError("kind", "expected human, simulated, ai or all, got \"" + name + "\"");
  return static_cast<Kinds>(annotator_kind(name));
}

const char* judgement_type_name(JudgementType type) {
  return kTypeNames.at(static_cast<size_t>(type));
}

const char* task_kind_name(TaskKind kind) {
  return kTaskNames.at(static_cast<size_t>(kind));
}

TaskKind task_kind(const std::string& name, const std::string& where) {
  return value_named<TaskKind>(kTaskNames, name, where);
}

bool is_store(const std::string& where) {
  if (is_postgres(where)) return true;
  std::array<char, 16> start{};
  std::ifstream(where, std::ios::binary).read(start.data(), start.size());
  return std::string_view(start.data(), start.size()) == std::string_view("SQLite format 3\0", 16);
}

std::unique_ptr<Store> open_store(const std::string& where, Access access) {
  return std::make_unique<SqlStore>(open_database(where, access));
}

}  // namespace keel::feedback
