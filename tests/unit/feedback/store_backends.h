// The databases that a store's conformance tests run on: a SQLite file, and a PostgreSQL schema of its own
// where KEEL_TEST_POSTGRES names a server (tests/postgres.py starts one).
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "keel/feedback/store.h"
#include "temporary_folder.h"

namespace keel::feedback {

enum class Backend { sqlite, postgres };

inline std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return info.param == Backend::sqlite ? "Sqlite" : "Postgres";
}

/// A place for stores that vanishes behind the test.
class StorePlace {
 public:
  explicit StorePlace(Backend backend) : backend_(backend) {
    const char* address = std::getenv("KEEL_TEST_POSTGRES");
    if (address != nullptr) server_ = address;
  }
  ~StorePlace() {
    for (const std::string& name : made_) on_server("DROP SCHEMA " + name + " CASCADE");
  }
  StorePlace(const StorePlace&) = delete;
  StorePlace& operator=(const StorePlace&) = delete;

  bool missing() const { return backend_ == Backend::postgres && server_.empty(); }

  /// Where a new store may be made.
  std::string fresh() {
    if (backend_ == Backend::sqlite) return folder_ / ("store-" + std::to_string(made_files_++) + ".db");
    static int number = 0;
    const std::string name = "keel_test_" + std::to_string(getpid()) + "_" + std::to_string(number++);
    made_.push_back(name);
    on_server("CREATE SCHEMA " + name);
    return server_ + (server_.find('?') == std::string::npos ? "?" : "&") + "options=-csearch_path%3D" + name;
  }
  /// An error's text, or "": SQL as another program would run it.
  std::string run_on(const std::string& where, const std::string& sql) const {
    return backend_ == Backend::postgres ? run(where, sql) : run_sqlite(where, sql);
  }

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

 private:
  void on_server(const std::string& sql) const { ASSERT_EQ(run(server_, sql), ""); }
  static std::string run(const std::string& where, const std::string& sql) {
    PGconn* connection = PQconnectdb(where.c_str());
    PQsetNoticeProcessor(
        connection, [](void*, const char*) {}, nullptr);
    PGresult* result = PQexec(connection, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    const std::string message =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? "" : PQerrorMessage(connection);
    PQclear(result);
    PQfinish(connection);
    return message;
  }

  static std::string run_sqlite(const std::string& where, const std::string& sql) {
    sqlite3* connection = nullptr;
    sqlite3_open(where.c_str(), &connection);
    char* message = nullptr;
    sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &message);
    const std::string result = message == nullptr ? "" : message;
    sqlite3_free(message);
    sqlite3_close(connection);
    return result;
  }

  Backend backend_;
  std::string server_;
  TemporaryFolder folder_;
  std::vector<std::string> made_;  // schemas
  int made_files_ = 0;
};

}  // namespace keel::feedback
