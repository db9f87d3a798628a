#include "keel/feedback/sqlite.h"

#include <stdexcept>
#include <utility>

namespace keel::feedback {
namespace {

constexpr int kBusyMilliseconds = 10'000;

// What the user can do about a result of SQLite; the rest keeps SQLite's own words.
std::string explain(int result, const char* message) {
  switch (result & 0xff) {
    case SQLITE_NOTADB:
      return "expected a feedback store (SQLite), got another kind of file";
    case SQLITE_FULL:
      return "cannot write: the disk is full; nothing acknowledged is lost, free some space and try again";
    case SQLITE_READONLY:
      return "cannot write: the file or its folder is read-only";
    case SQLITE_BUSY:
      return "cannot write: another program has held the store for more than 10 s";
    case SQLITE_CORRUPT:
      return "expected a sound feedback store, got a damaged one: " + std::string(message);
    default:
      return "the store failed: " + std::string(message);
  }
}

}  // namespace

Statement::Statement(Database& database, const char* sql) : database_(&database), sql_(sql) {
  std::vector<sqlite3_stmt*>& idle = database_->idle_statements_[sql];
  if (idle.empty()) {
    check(
        sqlite3_prepare_v3(database_->connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
  } else {
    statement_ = idle.back();
    idle.pop_back();
  }
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), sql_(other.sql_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  database_->idle_statements_[sql_].push_back(statement_);
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result != SQLITE_ROW && result != SQLITE_DONE) check(result);
  return result == SQLITE_ROW;
}

std::optional<int64_t> Statement::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr ? std::string()
                          : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

std::optional<std::string> Statement::optional_text(int column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}

void Statement::bind(int index, int64_t value) {
  check(sqlite3_bind_int64(statement_, index, value));
}

void Statement::bind(int index, std::string_view value) {
  const char* bytes = value.data() == nullptr ? "" : value.data();  // SQLite takes a null pointer for NULL
  check(sqlite3_bind_text64(statement_, index, bytes, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::check(int result) const {
  if (result != SQLITE_OK) database_->fail(result);
}

Database::Database(const std::filesystem::path& path, Access access) : path_(path) {
  if (access != Access::create && !std::filesystem::exists(path))
    throw Error(path.string(), "expected a feedback store, got no such file");
  if (std::filesystem::is_directory(path))
    throw Error(path.string(), "expected a feedback store, got a folder");
  const int flags = access == Access::read    ? SQLITE_OPEN_READONLY
                    : access == Access::write ? SQLITE_OPEN_READWRITE
                                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int result = sqlite3_open_v2(path.c_str(), &connection_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (result != SQLITE_OK) {
    const std::string message = explain(result, sqlite3_errmsg(connection_));
    sqlite3_close(connection_);
    throw Error(path.string(), message);
  }
  sqlite3_extended_result_codes(connection_, 1);
  sqlite3_busy_timeout(connection_, kBusyMilliseconds);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

Database::~Database() {
  for (const auto& [sql, statements] : idle_statements_)
    for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
  sqlite3_close(connection_);
}

void Database::script(const char* sql) {
  const int result = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result);
}

void Database::write(const std::function<void()>& work) {
  transaction("BEGIN IMMEDIATE", work);
}

void Database::read(const std::function<void()>& work) {
  transaction("BEGIN", work);
}

void Database::transaction(const char* begin, const std::function<void()>& work) {
  if (!sqlite3_get_autocommit(connection_)) return work();
  run(begin);
  try {
    work();
    run("COMMIT");
  } catch (...) {
    // Some failures have rolled back already.
    if (!sqlite3_get_autocommit(connection_))
      sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

void Database::fail(int result) const {
  const std::string message = explain(result, sqlite3_errmsg(connection_));
  if ((result & 0xff) == SQLITE_BUSY) throw Busy(path_.string(), message);
  throw Error(path_.string(), message);
}

int64_t Database::fail_without_row(const char* sql) const {
  throw std::logic_error("no row from: " + std::string(sql));
}

}  // namespace keel::feedback
