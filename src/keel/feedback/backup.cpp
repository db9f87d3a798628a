#include "keel/feedback/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <memory>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/feedback/database.h"
#include "keel/feedback/schema.h"

namespace keel::feedback {
namespace {

using Connection = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

Connection opened(const std::filesystem::path& path, int flags) {
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Connection connection(raw, &sqlite3_close);
  if (result != SQLITE_OK) throw Error(path.string(), std::string("cannot open: ") + sqlite3_errmsg(raw));
  sqlite3_busy_timeout(raw, 10'000);
  return connection;
}

// In one read transaction: with a write-ahead log nobody waits for it.
void copy_pages(const std::string& from, const std::filesystem::path& to) {
  const Connection source = opened(from, SQLITE_OPEN_READONLY);
  const Connection target = opened(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3_backup* backup = sqlite3_backup_init(target.get(), "main", source.get(), "main");
  if (backup == nullptr)
    throw Error(to.string(), std::string("cannot write: ") + sqlite3_errmsg(target.get()));
  sqlite3_backup_step(backup, -1);
  if (sqlite3_backup_finish(backup) != SQLITE_OK)
    throw Error(to.string(), std::string("cannot copy: ") + sqlite3_errmsg(target.get()));
  // One file: without a log beside it until somebody opens it as a store.
  sqlite3_exec(target.get(), "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr);
}

void check_sound(const std::filesystem::path& path, const std::filesystem::path& named) {
  SqliteDatabase copy(path, Access::read);
  const auto row = copy.query("PRAGMA quick_check(1)");
  if (!row->step() || row->text(0) != "ok")
    throw Error(named.string(), "expected a sound copy, got a damaged one: is the store damaged?");
}

void sync_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  if (!synced) throw Error(path.string(), "cannot write: " + system_message(errno));
}

}  // namespace

void back_up(const std::string& where, const std::filesystem::path& to) {
  if (is_postgres(where))
    throw UsageError("store",
                     "expected a SQLite store, got a PostgreSQL one: pg_dump copies it while it is used");
  open_database(where, Access::read);  // a store, and of a known version
  check_writable_file(to);
  const std::filesystem::path temporary = to.string() + ".part-" + std::to_string(getpid());
  try {
    copy_pages(where, temporary);
    check_sound(temporary, to);
    sync_file(temporary);
    std::filesystem::rename(temporary, to);
    sync_file(std::filesystem::absolute(to).parent_path());
  } catch (...) {
    for (const char* suffix : {"", "-journal", "-wal", "-shm"})
      std::filesystem::remove(temporary.string() + suffix);
    throw;
  }
}

}  // namespace keel::feedback
