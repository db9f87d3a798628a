// What the store asks of a database: statements with bound parameters, and transactions. SQLite and
// PostgreSQL stand behind it (sqlite.h, postgres.h); the SQL is written once, in what both understand, its
// parameters as ?1, ?2, ...
//
// Text is bytes: a model may write any, a zero byte too. It reaches SQL only through parameters; the SQL
// itself is always a constant of the program.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "keel/base/error.h"
#include "keel/feedback/access.h"

namespace keel::feedback {

/// Another program held the store for longer than this one waits.
class Busy : public Error {
 public:
  using Error::Error;
};

/// A parameter of a statement; the first one is NULL.
using SqlValue = std::variant<std::monostate, int64_t, double, std::string_view>;

/// The rows of a statement, one at a time. Lives shorter than its database.
class Rows {
 public:
  virtual ~Rows() = default;
  /// True while there is a row to read.
  virtual bool step() = 0;
  virtual bool is_null(int column) const = 0;
  virtual int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string text(int column) const = 0;

  std::optional<int64_t> optional_integer(int column) const {
    return is_null(column) ? std::nullopt : std::optional(integer(column));
  }
  std::optional<std::string> optional_text(int column) const {
    return is_null(column) ? std::nullopt : std::optional(text(column));
  }
};

/// One connection. Not thread-safe: its owner locks.
class Database {
 public:
  virtual ~Database() = default;

  /// The rows of a statement, its ?1, ?2, ... bound to `values`: integers, reals, texts, optionals of these.
  /// `sql` is a string constant.
  template <class... Values>
  std::unique_ptr<Rows> query(const char* sql, const Values&... values) {
    const std::array<SqlValue, sizeof...(Values)> bound = {sql_value(values)...};
    return start(sql, bound);
  }
  /// Steps to the end.
  template <class... Values>
  void run(const char* sql, const Values&... values) {
    const std::unique_ptr<Rows> rows = query(sql, values...);
    while (rows->step()) {
    }
  }
  /// The first column of the first row, which must be there.
  template <class... Values>
  int64_t integer(const char* sql, const Values&... values) {
    const std::unique_ptr<Rows> rows = query(sql, values...);
    return rows->step() ? rows->integer(0) : fail_without_row(sql);
  }
  virtual std::unique_ptr<Rows> start(const char* sql, std::span<const SqlValue> values) = 0;
  /// Several statements without parameters.
  virtual void script(const std::string& sql) = 0;

  /// Runs `work` in one transaction that others cannot write into; when it returns, all is on the disk, and
  /// when it or the commit throws, nothing is. Inside another write() it is a part of that one.
  virtual void write(const std::function<void()>& work) = 0;
  /// Runs `work` on one unchanging state of the store.
  virtual void read(const std::function<void()>& work) = 0;

 private:
  static SqlValue sql_value(int64_t value) { return value; }
  static SqlValue sql_value(double value) { return value; }
  static SqlValue sql_value(std::string_view value) { return value; }
  template <class T>
  static SqlValue sql_value(const std::optional<T>& value) {
    return value ? sql_value(*value) : SqlValue();
  }
  [[noreturn]] static int64_t fail_without_row(const char* sql);
};

/// `where` names a file, or a PostgreSQL database: postgresql://user@host:port/name. Its tables are made or
/// brought up to date unless `access` is read. Errors: [where] not there, not a store, of a newer schema, not
/// readable or writable.
std::unique_ptr<Database> open_database(const std::string& where, Access access);

/// True for postgres:// and postgresql:// addresses.
bool is_postgres(const std::string& where);

}  // namespace keel::feedback
