#include "keel/feedback/schema.h"

#include <array>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "keel/base/error.h"
#include "keel/feedback/schema_text.h"

namespace keel::feedback {
namespace {

// "Keel" in ASCII: tells a store from any other SQLite file.
constexpr int64_t kApplicationId = 0x4b65656c;

const std::string& name_of(const std::filesystem::path& path) {
  return path.native();
}

[[noreturn]] void fail_with_version(const std::string& where, int64_t newest, int64_t version,
                                    const char* advice) {
  throw Error(where, "expected a feedback store of schema " + std::to_string(newest) + ", got schema " +
                         std::to_string(version) + ": " + advice);
}

// 0: there is no store yet.
void check_version(const std::string& where, int64_t newest, int64_t version, Access access) {
  if (version > newest)
    fail_with_version(where, newest, version, "it was written by a newer Keel; use that one");
  if (version < 0) fail_with_version(where, newest, version, "the store is damaged");
  if (version < newest && access == Access::read)
    fail_with_version(where, newest, version,
                      "open it once for writing (keel feedback import) to bring it up to date");
}

// The version of the file: 0 for an empty one. Inside a transaction: another program may be making the
// tables.
int64_t checked_version(SqliteDatabase& database, const std::filesystem::path& path, Access access) {
  const auto newest = static_cast<int64_t>(sqlite_migrations().size());
  const int64_t application = database.integer("PRAGMA application_id");
  const int64_t version = database.integer("PRAGMA user_version");
  const bool empty =
      database.integer("SELECT count(*) FROM sqlite_master") == 0 && application == 0 && version == 0;
  if (application != kApplicationId && !(empty && access == Access::create))
    throw Error(path.string(), "expected a feedback store, got " +
                                   std::string(empty ? "an empty file" : "another program's SQLite file"));
  check_version(name_of(path), newest, application == kApplicationId && version == 0 ? -1 : version, access);
  return version;
}

// Two programs that open a new file at once meet here, and SQLite's own waiting does not cover the change of
// mode.
void use_write_ahead_log(SqliteDatabase& database) {
  for (int attempt = 0;; ++attempt) {
    try {
      return database.run("PRAGMA journal_mode = WAL");
    } catch (const Busy&) {
      if (attempt == 1000) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

std::vector<std::string> make_sqlite_migrations() {
  return {kSqliteTables1, kSqliteAppendOnly2, sqlite_migration_3()};
}

int64_t postgres_version(PostgresDatabase& database) {
  if (database.integer("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
                       "AND tablename = 'keel_schema'") == 0)
    return 0;
  return database.integer("SELECT version FROM keel_schema");
}

}  // namespace

std::span<const std::string> sqlite_migrations() {
  static const std::vector<std::string> migrations = make_sqlite_migrations();
  return migrations;
}

void prepare_schema(SqliteDatabase& database, const std::filesystem::path& path, Access access) {
  // Before the journal mode is touched: it may be someone else's file.
  database.read([&] { checked_version(database, path, access); });
  database.script("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;");
  if (access == Access::read) return;
  use_write_ahead_log(database);
  const auto migrations = sqlite_migrations();
  if (database.integer("PRAGMA user_version") == std::ssize(migrations)) return;
  database.script("PRAGMA foreign_keys = OFF");  // a migration may exchange a table that others refer to
  for (int64_t version = 0; version < std::ssize(migrations); ++version) {
    database.write([&] {
      // Again, inside: another program may have migrated the file meanwhile.
      if (checked_version(database, path, access) != version) return;
      database.script(migrations[static_cast<size_t>(version)]);
      database.script("PRAGMA user_version = " + std::to_string(version + 1) +
                      "; PRAGMA application_id = " + std::to_string(kApplicationId));
    });
  }
  database.script("PRAGMA foreign_keys = ON");
}

void prepare_schema(PostgresDatabase& database, Access access) {
  const auto newest = static_cast<int64_t>(postgres_migrations().size());
  const int64_t found = postgres_version(database);
  if (found == 0 && access != Access::create)
    throw Error(database.name(), "expected a feedback store, got a database without one");
  check_version(database.name(), newest, found, access);
  if (found == newest) return;
  database.write([&] {
    // Again, inside: another program may have made the tables meanwhile.
    for (int64_t version = postgres_version(database); version < newest; ++version)
      database.script(postgres_migrations()[static_cast<size_t>(version)]);
  });
}

}  // namespace keel::feedback
