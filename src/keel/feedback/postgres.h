// PostgreSQL behind the store's Database, by libpq. Texts are columns of bytea, because PostgreSQL's text
// holds neither zero bytes nor what is not UTF-8, and models write both.
//
// Writers go one at a time, as in SQLite (an advisory lock held to the end of the transaction), so that event
// ids grow in the order of commits and a reader who has seen one has seen all before it.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <unordered_map>

#include "keel/feedback/database.h"

namespace keel::feedback {

class PostgresDatabase : public Database {
 public:
  /// Errors: [address without its password] no such server or database, a wrong password.
  explicit PostgresDatabase(const std::string& address);
  ~PostgresDatabase() override;
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  std::unique_ptr<Rows> start(const char* sql, std::span<const SqlValue> values) override;
  void script(const std::string& sql) override;
  void write(const std::function<void()>& work) override;
  void read(const std::function<void()>& work) override;

  /// The address for messages: it may have held a password.
  const std::string& name() const { return name_; }

 private:
  void transaction(const char* begin, const std::function<void()>& work);
  void connect_again();
  const std::string& prepared(const char* sql, std::span<const SqlValue> values);
  PGresult* checked(PGresult* result);

  std::string name_;
  PGconn* connection_ = nullptr;
  std::unordered_map<const char*, std::string> prepared_;  // of this connection
};

}  // namespace keel::feedback
