#include "keel/feedback/sqlite.h"

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

// A prepared statement; its database keeps it for the next use.
class SqliteDatabase::Statement : public Rows {
 public:
  Statement(SqliteDatabase& database, const char* sql, std::span<const SqlValue> values)
      : database_(database), sql_(sql) {
    std::vector<sqlite3_stmt*>& idle = database_.idle_statements_[sql];
    if (idle.empty()) {
      database_.check(sqlite3_prepare_v3(database_.connection_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                         &statement_, nullptr));
    } else {
      statement_ = idle.back();
      idle.pop_back();
    }
    for (size_t i = 0; i < values.size(); ++i) bind(static_cast<int>(i) + 1, values[i]);
  }

  ~Statement() override {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    database_.idle_statements_[sql_].push_back(statement_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  bool step() override {
    const int result = sqlite3_step(statement_);
    if (result != SQLITE_ROW && result != SQLITE_DONE) database_.check(result);
    return result == SQLITE_ROW;
  }
  bool is_null(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  double real(int column) const override { return sqlite3_column_double(statement_, column); }
  std::string text(int column) const override {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes == nullptr
               ? std::string()
               : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  void bind(int index, const SqlValue& value) {
    if (const auto* integer = std::get_if<int64_t>(&value))
      return database_.check(sqlite3_bind_int64(statement_, index, *integer));
    if (const auto* real = std::get_if<double>(&value))
      return database_.check(sqlite3_bind_double(statement_, index, *real));
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      const char* bytes = text->data() == nullptr ? "" : text->data();  // a null pointer would be NULL
      database_.check(
          sqlite3_bind_text64(statement_, index, bytes, text->size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    }
  }

  SqliteDatabase& database_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
};

SqliteDatabase::SqliteDatabase(const std::filesystem::path& path, Access access) : path_(path) {
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

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statements] : idle_statements_)
    for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
  sqlite3_close(connection_);
}

std::unique_ptr<Rows> SqliteDatabase::start(const char* sql, std::span<const SqlValue> values) {
  return std::make_unique<Statement>(*this, sql, values);
}

void SqliteDatabase::script(const std::string& sql) {
  check(sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr));
}

void SqliteDatabase::write(const std::function<void()>& work) {
  transaction("BEGIN IMMEDIATE", work);
}

void SqliteDatabase::read(const std::function<void()>& work) {
  transaction("BEGIN", work);
}

void SqliteDatabase::transaction(const char* begin, const std::function<void()>& work) {
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

void SqliteDatabase::check(int result) const {
  if (result != SQLITE_OK) fail(result);
}

void SqliteDatabase::fail(int result) const {
  const std::string message = explain(result, sqlite3_errmsg(connection_));
  if ((result & 0xff) == SQLITE_BUSY) throw Busy(path_.string(), message);
  throw Error(path_.string(), message);
}

}  // namespace keel::feedback
