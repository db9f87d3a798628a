#include "keel/feedback/database.h"

#include <stdexcept>

#include "keel/feedback/postgres.h"
#include "keel/feedback/schema.h"
#include "keel/feedback/sqlite.h"

namespace keel::feedback {

int64_t Database::fail_without_row(const char* sql) {
  throw std::logic_error("no row from: " + std::string(sql));
}

bool is_postgres(const std::string& where) {
  return where.starts_with("postgres://") || where.starts_with("postgresql://");
}

std::unique_ptr<Database> open_database(const std::string& where, Access access) {
  if (is_postgres(where)) {
    auto database = std::make_unique<PostgresDatabase>(where);
    prepare_schema(*database, access);
    return database;
  }
  auto database = std::make_unique<SqliteDatabase>(where, access);
  prepare_schema(*database, where, access);
  return database;
}

}  // namespace keel::feedback
