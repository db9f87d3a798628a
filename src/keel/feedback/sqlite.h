// SQLite held by C++ objects: a connection, its statements and its transactions.
// Text reaches SQL only through bound parameters; the SQL itself is always a constant of the program.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "keel/base/error.h"
#include "keel/feedback/access.h"

namespace keel::feedback {

class Database;

/// Another program held the file for longer than this one waits.
class Busy : public Error {
 public:
  using Error::Error;
};

/// A prepared statement with its parameters bound. Lives shorter than its database, which keeps it for the
/// next use.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// True while there is a row to read.
  bool step();
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::optional<int64_t> optional_integer(int column) const;
  std::string text(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  friend class Database;
  Statement(Database& database, const char* sql);
  void bind(int index, int64_t value);
  void bind(int index, std::string_view value);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value) bind(index, *value);  // what is not bound is NULL
  }
  void check(int result) const;

  Database* database_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
};

/// One connection. Not thread-safe: its owner locks.
class Database {
 public:
  /// Errors: [path] no such file, a folder, no right to read or write it, not SQLite.
  Database(const std::filesystem::path& path, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// The statement ready to step, its ?1, ?2, ... bound to `values`. `sql` is a string constant.
  template <class... Values>
  Statement query(const char* sql, const Values&... values) {
    Statement statement(*this, sql);
    int index = 0;
    (statement.bind(++index, values), ...);
    return statement;
  }
  /// Steps to the end.
  template <class... Values>
  void run(const char* sql, const Values&... values) {
    Statement statement = query(sql, values...);
    while (statement.step()) {
    }
  }
  /// The first column of the first row, which must be there.
  template <class... Values>
  int64_t integer(const char* sql, const Values&... values) {
    Statement statement = query(sql, values...);
    return statement.step() ? statement.integer(0) : fail_without_row(sql);
  }
  /// A constant of several statements.
  void script(const char* sql);
  int64_t last_insert() const { return sqlite3_last_insert_rowid(connection_); }

  /// Runs `work` in one transaction that others cannot write into; when it returns, all is on the disk, and
  /// when it or the commit throws, nothing is. Inside another write() it is a part of that one.
  void write(const std::function<void()>& work);
  /// Runs `work` on one unchanging state of the file.
  void read(const std::function<void()>& work);

 private:
  friend class Statement;
  void transaction(const char* begin, const std::function<void()>& work);
  [[noreturn]] void fail(int result) const;
  int64_t fail_without_row(const char* sql) const;

  std::filesystem::path path_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<const char*, std::vector<sqlite3_stmt*>> idle_statements_;
};

}  // namespace keel::feedback
