#include "keel/feedback/schema_text.h"

#include <array>
#include <utility>
#include <vector>

namespace keel::feedback {

// An event is written for every row that is added, in the order of commits; its id is what a training stage
// pins. ids and logps are JSON lists. A prompt's hash is over text and ids, a completion's over what an
// annotator sees. leases alone is not append-only.
const char* const kSqliteTables1 = R"sql(
CREATE TABLE store (identity TEXT NOT NULL) STRICT;
INSERT INTO store VALUES (lower(hex(randomblob(16))));
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject INTEGER NOT NULL,
  at INTEGER NOT NULL DEFAULT (unixepoch()),
  UNIQUE (kind, subject)
) STRICT;
CREATE TABLE prompts (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL,
  ids TEXT,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE completions (
  id INTEGER PRIMARY KEY,
  prompt INTEGER NOT NULL REFERENCES prompts,
  text TEXT NOT NULL,
  ids TEXT,
  hash TEXT NOT NULL,
  model TEXT NOT NULL,
  sampling TEXT NOT NULL,
  logps TEXT
) STRICT;
CREATE INDEX completions_of_prompt ON completions (prompt, hash);
CREATE TABLE annotators (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('human', 'simulated', 'ai')),
  name TEXT NOT NULL,
  parameters TEXT NOT NULL,
  UNIQUE (kind, name, parameters)
) STRICT;
CREATE TABLE judgements (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  annotator INTEGER NOT NULL REFERENCES annotators,
  prompt INTEGER NOT NULL REFERENCES prompts,
  type TEXT NOT NULL CHECK (type IN ('ranking', 'label', 'skip')),
  label INTEGER CHECK (label IN (0, 1)),
  shown INTEGER NOT NULL CHECK (shown IN (0, 1)),
  corrects INTEGER UNIQUE REFERENCES judgements,
  CHECK ((type = 'label') = (label IS NOT NULL))
) STRICT;
CREATE INDEX judgements_of_annotator ON judgements (annotator);
CREATE TABLE judged (
  judgement INTEGER NOT NULL REFERENCES judgements,
  position INTEGER NOT NULL,
  completion INTEGER NOT NULL REFERENCES completions,
  rank INTEGER CHECK (rank >= 1),
  PRIMARY KEY (judgement, position),
  UNIQUE (judgement, completion)
) STRICT, WITHOUT ROWID;
CREATE INDEX judged_completion ON judged (completion);
CREATE TABLE leases (
  annotator INTEGER NOT NULL REFERENCES annotators,
  prompt INTEGER NOT NULL REFERENCES prompts,
  holder TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (annotator, prompt)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER prompt_event AFTER INSERT ON prompts
  BEGIN INSERT INTO events (kind, subject) VALUES ('prompt', NEW.id); END;
CREATE TRIGGER completion_event AFTER INSERT ON completions
  BEGIN INSERT INTO events (kind, subject) VALUES ('completion', NEW.id); END;
CREATE TRIGGER annotator_event AFTER INSERT ON annotators
  BEGIN INSERT INTO events (kind, subject) VALUES ('annotator', NEW.id); END;
CREATE TRIGGER judgement_event AFTER INSERT ON judgements
  BEGIN INSERT INTO events (kind, subject) VALUES ('judgement', NEW.id); END;
)sql";

// No program may change or remove a row, SQLite's shell included. The triggers before an insertion are for
// INSERT OR REPLACE, which removes the old row without a trigger of its own.
#define KEEL_NO_CHANGE(table)                                                                 \
  "CREATE TRIGGER " table "_no_update BEFORE UPDATE ON " table                                \
  " BEGIN SELECT RAISE(ABORT, 'the store is append-only: a correction is a new row'); END;\n" \
  "CREATE TRIGGER " table "_no_delete BEFORE DELETE ON " table                                \
  " BEGIN SELECT RAISE(ABORT, 'the store is append-only: a correction is a new row'); END;\n"
#define KEEL_NO_REPLACE(table, condition)                                                            \
  "CREATE TRIGGER " table "_no_replace BEFORE INSERT ON " table " WHEN EXISTS (SELECT 1 FROM " table \
  " WHERE " condition                                                                                \
  ") BEGIN SELECT RAISE(ABORT, 'the store is append-only: a correction is a new row'); END;\n"

const char* const kSqliteAppendOnly2 = KEEL_NO_CHANGE("store") KEEL_NO_CHANGE("events") KEEL_NO_REPLACE(
    "events", "id = NEW.id OR (kind = NEW.kind AND subject = NEW.subject)") KEEL_NO_CHANGE("prompts")
    KEEL_NO_REPLACE("prompts", "id = NEW.id OR hash = NEW.hash") KEEL_NO_CHANGE("completions")
        KEEL_NO_REPLACE("completions", "id = NEW.id") KEEL_NO_CHANGE("annotators") KEEL_NO_REPLACE(
            "annotators",
            "id = NEW.id OR (kind = NEW.kind AND name = NEW.name AND parameters = NEW.parameters)")
            KEEL_NO_CHANGE("judgements") KEEL_NO_REPLACE(
                "judgements", "id = NEW.id OR key = NEW.key OR corrects = NEW.corrects")
                KEEL_NO_CHANGE("judged") KEEL_NO_REPLACE(
                    "judged",
                    "judgement = NEW.judgement AND (position = NEW.position OR completion = NEW.completion)");

namespace {

// What PostgreSQL has of the first migration; judged comes behind the judgements that it names.
constexpr const char* kRecords = R"sql(
CREATE TABLE store (identity TEXT NOT NULL) STRICT;
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject INTEGER NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (kind, subject)
) STRICT;
CREATE TABLE prompts (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL,
  ids TEXT,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE completions (
  id INTEGER PRIMARY KEY,
  prompt INTEGER NOT NULL REFERENCES prompts,
  text TEXT NOT NULL,
  ids TEXT,
  hash TEXT NOT NULL,
  model TEXT NOT NULL,
  sampling TEXT NOT NULL,
  logps TEXT
) STRICT;
CREATE INDEX completions_of_prompt ON completions (prompt, hash);
CREATE TABLE annotators (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('human', 'simulated', 'ai')),
  name TEXT NOT NULL,
  parameters TEXT NOT NULL,
  UNIQUE (kind, name, parameters)
) STRICT;
)sql";
constexpr const char* kJudged = R"sql(
CREATE TABLE judged (
  judgement INTEGER NOT NULL REFERENCES judgements,
  position INTEGER NOT NULL,
  completion INTEGER NOT NULL REFERENCES completions,
  rank INTEGER CHECK (rank >= 1),
  PRIMARY KEY (judgement, position),
  UNIQUE (judgement, completion)
) STRICT, WITHOUT ROWID;
CREATE INDEX judged_completion ON judged (completion);
)sql";

// A model's completions name it. A task's hash is over all that it asks. details, answer: JSON objects
// (store.h). An account's password is Argon2id's string, a session's and an invite's hash is of the secret
// that the browser holds (accounts.h).
constexpr const char* kTasks = R"sql(
CREATE TABLE models (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  version INTEGER,
  parent INTEGER REFERENCES models,
  details TEXT NOT NULL
) STRICT;
CREATE TABLE guidelines (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  prompt INTEGER NOT NULL REFERENCES prompts,
  copies INTEGER NOT NULL CHECK (copies >= 0),
  details TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX tasks_of_prompt ON tasks (prompt);
CREATE TABLE task_completions (
  task INTEGER NOT NULL REFERENCES tasks,
  position INTEGER NOT NULL,
  completion INTEGER NOT NULL REFERENCES completions,
  PRIMARY KEY (task, position),
  UNIQUE (task, completion)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_of_completion ON task_completions (completion);
CREATE TABLE redactions (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('prompt', 'completion', 'judgement')),
  subject INTEGER NOT NULL,
  reason TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  UNIQUE (kind, subject)
) STRICT;
CREATE TABLE queue (
  task INTEGER PRIMARY KEY REFERENCES tasks,
  priority REAL NOT NULL,
  place INTEGER NOT NULL
) STRICT;
CREATE INDEX queue_order ON queue (priority DESC, place);
CREATE TABLE leases (
  task INTEGER NOT NULL REFERENCES tasks,
  annotator INTEGER NOT NULL REFERENCES annotators,
  holder TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (task, annotator)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_of_annotator ON leases (annotator);
CREATE TABLE accounts (
  folded TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  annotator INTEGER NOT NULL UNIQUE REFERENCES annotators,
  role TEXT NOT NULL CHECK (role IN ('annotator', 'lead')),
  password TEXT NOT NULL,
  closed INTEGER NOT NULL CHECK (closed IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE TABLE invites (
  hash TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('annotator', 'lead')),
  expires INTEGER NOT NULL,
  uses_left INTEGER NOT NULL CHECK (uses_left >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY,
  account TEXT NOT NULL REFERENCES accounts,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// The name of the table stands in place of NAME.
constexpr const char* kJudgements = R"sql(
CREATE TABLE NAME (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  annotator INTEGER NOT NULL REFERENCES annotators,
  prompt INTEGER NOT NULL REFERENCES prompts,
  task INTEGER REFERENCES tasks,
  type TEXT NOT NULL CHECK (type IN ('ranking', 'rating', 'label', 'demonstration', 'edit', 'flag', 'comment', 'skip')),
  label INTEGER CHECK (label IN (0, 1)),
  shown INTEGER NOT NULL CHECK (shown IN (0, 1)),
  corrects INTEGER UNIQUE REFERENCES judgements,
  guideline INTEGER REFERENCES guidelines,
  answer TEXT NOT NULL,
  CHECK ((type = 'label') = (label IS NOT NULL))
) STRICT;
)sql";
// A judgement in returns waits for its annotator to look at it again.
constexpr const char* kBehindJudgements = R"sql(
CREATE INDEX judgements_of_annotator ON judgements (annotator);
CREATE INDEX judgements_of_task ON judgements (task, annotator);
CREATE TABLE returns (
  judgement INTEGER PRIMARY KEY REFERENCES judgements,
  note TEXT NOT NULL,
  returned_by TEXT NOT NULL
) STRICT;
)sql";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::string named(const char* table, const std::string& name) {
  return replaced(table, "NAME", name);
}

// Tables of which no row changes, and what makes a row of each the same as another.
struct Appended {
  const char* table;
  const char* same;
};
constexpr std::array<Appended, 6> kNewTables = {
    Appended{"models", "id = NEW.id OR name = NEW.name"},
    Appended{"guidelines", "id = NEW.id"},
    Appended{"tasks", "id = NEW.id OR hash = NEW.hash"},
    Appended{"task_completions",
             "task = NEW.task AND (position = NEW.position OR completion = NEW.completion)"},
    Appended{"redactions", "id = NEW.id OR (kind = NEW.kind AND subject = NEW.subject)"},
    Appended{"judgements", "id = NEW.id OR key = NEW.key OR corrects = NEW.corrects"},
};
// Of these, texts may be taken out once a redaction says so.
constexpr std::array<std::pair<const char*, const char*>, 3> kRedacted = {
    std::pair{"prompts", "prompt"}, {"completions", "completion"}, {"judgements", "judgement"}};

constexpr const char* kRefusal = "the store is append-only: a correction is a new row";

std::string sqlite_trigger(const std::string& table, const std::string& change, const std::string& unless) {
  return "CREATE TRIGGER " + table + "_no_" + change + " BEFORE " +
         (change == "replace"  ? "INSERT"
          : change == "update" ? "UPDATE"
                               : "DELETE") +
         " ON " + table + (unless.empty() ? "" : " WHEN " + unless) + " BEGIN SELECT RAISE(ABORT, '" +
         kRefusal + "'); END;\n";
}

std::string sqlite_triggers() {
  std::string text;
  for (const Appended& table : kNewTables) {
    const std::string name = table.table;
    if (name != "judgements") text += sqlite_trigger(name, "update", "");
    text += sqlite_trigger(name, "delete", "");
    text += sqlite_trigger(name, "replace", "EXISTS (SELECT 1 FROM " + name + " WHERE " + table.same + ")");
  }
  for (const auto& [table, kind] : kRedacted)
    text += sqlite_trigger(
        table, "update",
        std::string("NEW.id <> OLD.id OR NOT EXISTS (SELECT 1 FROM redactions WHERE kind = '") + kind +
            "' AND subject = OLD.id)");
  return text;
}

// Models and their events out of the names that completions had; judgements in the wider table.
constexpr const char* kSqliteMove3 = R"sql(
DROP TRIGGER prompt_event;
DROP TRIGGER completion_event;
DROP TRIGGER annotator_event;
DROP TRIGGER judgement_event;
DROP TRIGGER prompts_no_update;
DROP TRIGGER completions_no_update;
INSERT INTO models (name, details) SELECT model, '{}' FROM completions WHERE model <> '' GROUP BY model ORDER BY min(id);
INSERT INTO events (kind, subject) SELECT 'model', id FROM models ORDER BY id;
INSERT INTO judgements_3 (id, key, annotator, prompt, type, label, shown, corrects, answer)
  SELECT id, key, annotator, prompt, type, label, shown, corrects, '{}' FROM judgements ORDER BY id;
DROP TABLE judgements;
ALTER TABLE judgements_3 RENAME TO judgements;
)sql";

std::string for_postgres(std::string text) {
  const std::vector<std::pair<std::string, std::string>> words = {{" STRICT, WITHOUT ROWID", ""},
                                                                  {" STRICT", ""},
                                                                  {"INTEGER", "BIGINT"},
                                                                  {"TEXT", "BYTEA"},
                                                                  {"REAL", "DOUBLE PRECISION"}};
  for (const auto& [from, to] : words) text = replaced(std::move(text), from, to);
  return text;
}

constexpr const char* kPostgresFunctions = R"sql(
CREATE TABLE keel_schema (version BIGINT NOT NULL);
INSERT INTO keel_schema VALUES (1);
INSERT INTO store VALUES (convert_to(replace(gen_random_uuid()::text, '-', ''), 'UTF8'));
CREATE FUNCTION keel_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
    IF NEW.id = OLD.id AND EXISTS (SELECT 1 FROM redactions
                                   WHERE kind = convert_to(TG_ARGV[0], 'UTF8') AND subject = OLD.id) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the store is append-only: a correction is a new row';
END $$;
)sql";

std::string postgres_trigger(const std::string& table, const std::string& redacted_as) {
  const std::string call = " EXECUTE FUNCTION keel_append_only(" + redacted_as + ");\n";
  return "CREATE TRIGGER " + table + "_append_only BEFORE UPDATE OR DELETE ON " + table + " FOR EACH ROW" +
         call + "CREATE TRIGGER " + table + "_no_truncate BEFORE TRUNCATE ON " + table +
         " FOR EACH STATEMENT" + call;
}

std::string postgres_migration_1() {
  std::string text = for_postgres(std::string(kRecords) + kTasks + named(kJudgements, "judgements") +
                                  kBehindJudgements + kJudged) +
                     kPostgresFunctions;
  for (const char* table : {"store", "events", "annotators", "models", "guidelines", "tasks",
                            "task_completions", "redactions", "judged"})
    text += postgres_trigger(table, "");
  for (const auto& [table, kind] : kRedacted) text += postgres_trigger(table, "'" + std::string(kind) + "'");
  return text;
}

}  // namespace

std::string sqlite_migration_3() {
  return std::string("DROP TABLE leases;") + kTasks + named(kJudgements, "judgements_3") + kSqliteMove3 +
         kBehindJudgements + sqlite_triggers();
}

std::span<const std::string> postgres_migrations() {
  static const std::vector<std::string> migrations = {postgres_migration_1()};
  return migrations;
}

}  // namespace keel::feedback
