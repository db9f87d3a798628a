#include "keel/feedback/schema.h"

#include <array>
#include <chrono>
#include <thread>

#include "keel/base/error.h"

namespace keel::feedback {
namespace {

// "Keel" in ASCII: tells a store from any other SQLite file.
#define KEEL_APPLICATION_ID "1264936300"
constexpr int64_t kApplicationId = 0x4b65656c;
static_assert(kApplicationId == 1264936300);

// An event is written for every row that is added, in the order of commits; its id is what a training stage
// pins. ids and logps are JSON lists. A prompt's hash is over text and ids, a completion's over what an
// annotator sees. leases alone is not append-only.
constexpr const char* kTables = R"sql(
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

constexpr const char* kAppendOnly = KEEL_NO_CHANGE("store") KEEL_NO_CHANGE("events") KEEL_NO_REPLACE(
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

constexpr std::array<const char*, 2> kMigrations = {kTables, kAppendOnly};

// PRAGMA takes no parameters: the number of each version is written out.
constexpr std::array<const char*, 2> kSetVersion = {"PRAGMA user_version = 1", "PRAGMA user_version = 2"};
static_assert(kMigrations.size() == kSetVersion.size());

constexpr int64_t kVersion = static_cast<int64_t>(kMigrations.size());

[[noreturn]] void fail_with_version(const std::filesystem::path& path, int64_t version, const char* advice) {
  throw Error(path.string(), "expected a feedback store of schema " + std::to_string(kVersion) +
                                 ", got schema " + std::to_string(version) + ": " + advice);
}

// The version of the file: 0 for an empty one. Inside a transaction: another program may be making the
// tables.
int64_t checked_version(Database& database, const std::filesystem::path& path, Access access) {
  const int64_t application = database.integer("PRAGMA application_id");
  const int64_t version = database.integer("PRAGMA user_version");
  const bool empty =
      database.integer("SELECT count(*) FROM sqlite_master") == 0 && application == 0 && version == 0;
  if (application != kApplicationId && !(empty && access == Access::create))
    throw Error(path.string(), "expected a feedback store, got " +
                                   std::string(empty ? "an empty file" : "another program's SQLite file"));
  if (version > kVersion) fail_with_version(path, version, "it was written by a newer Keel; use that one");
  if (version < 0 || (application == kApplicationId && version == 0))
    fail_with_version(path, version, "the file is damaged");
  if (version < kVersion && access == Access::read)
    fail_with_version(path, version,
                      "open it once for writing (keel feedback import) to bring it up to date");
  return version;
}

// Two programs that open a new file at once meet here, and SQLite's own waiting does not cover the change of
// mode.
void use_write_ahead_log(Database& database) {
  for (int attempt = 0;; ++attempt) {
    try {
      return database.run("PRAGMA journal_mode = WAL");
    } catch (const Busy&) {
      if (attempt == 1000) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

}  // namespace

std::span<const char* const> migrations() {
  return kMigrations;
}

void prepare_schema(Database& database, const std::filesystem::path& path, Access access) {
  // Before the journal mode is touched: it may be someone else's file.
  database.read([&] { checked_version(database, path, access); });
  database.script("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;");
  if (access == Access::read) return;
  use_write_ahead_log(database);
  for (int64_t version = 0; version < kVersion; ++version) {
    database.write([&] {
      // Again, inside: another program may have migrated the file meanwhile.
      if (checked_version(database, path, access) != version) return;
      const auto index = static_cast<size_t>(version);
      database.script(kMigrations[index]);
      database.script(kSetVersion[index]);
      database.script("PRAGMA application_id = " KEEL_APPLICATION_ID);
    });
  }
}

}  // namespace keel::feedback
