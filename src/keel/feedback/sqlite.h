// SQLite behind the store's Database: one file, a write-ahead log, every commit synced.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <unordered_map>
#include <vector>

#include "keel/feedback/database.h"

namespace keel::feedback {

class SqliteDatabase : public Database {
 public:
  /// Errors: [path] no such file, a folder, no right to read or write it, not SQLite.
  SqliteDatabase(const std::filesystem::path& path, Access access);
  ~SqliteDatabase() override;
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  std::unique_ptr<Rows> start(const char* sql, std::span<const SqlValue> values) override;
  void script(const std::string& sql) override;
  void write(const std::function<void()>& work) override;
  void read(const std::function<void()>& work) override;

 private:
  class Statement;
  void transaction(const char* begin, const std::function<void()>& work);
  void check(int result) const;
  [[noreturn]] void fail(int result) const;

  std::filesystem::path path_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<const char*, std::vector<sqlite3_stmt*>> idle_statements_;
};

}  // namespace keel::feedback
