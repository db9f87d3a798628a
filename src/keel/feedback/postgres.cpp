#include "keel/feedback/postgres.h"

#include <bit>
#include <cstring>
#include <vector>

namespace keel::feedback {
namespace {

// Types by their fixed numbers (pg_type.dat).
constexpr Oid kBoolean = 16, kBytes = 17, kInteger64 = 20, kInteger32 = 23, kReal64 = 701;
constexpr int kBinary = 1;

// libpq's messages have several lines; an error of Keel is one.
std::string one_line(std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  for (char& c : message)
    if (c == '\n' || c == '\t') c = ' ';
  return message;
}

// postgresql://user:secret@host/name → postgresql://user@host/name; what follows "?" may hold a password,
// too.
std::string without_secrets(std::string address) {
  address = address.substr(0, address.find('?'));
  const size_t user = address.find("://") + 3, at = address.rfind('@');
  const size_t colon = address.find(':', user);
  if (at != std::string::npos && colon < at) address.erase(colon, at - colon);
  return address;
}

// ?1 → $1. No statement of the store has a question mark anywhere else.
std::string with_dollars(std::string sql) {
  for (char& c : sql)
    if (c == '?') c = '$';
  return sql;
}

uint64_t big_endian(uint64_t value) {
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

// Parameters in PostgreSQL's binary format; the bytes of texts stay where they are.
struct Parameters {
  explicit Parameters(std::span<const SqlValue> values) : words(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) add(values[i], words[i]);
  }
  void add(const SqlValue& value, uint64_t& word) {
    const auto put = [&](const char* bytes, size_t size) {
      pointers.push_back(bytes);
      lengths.push_back(static_cast<int>(size));
      formats.push_back(kBinary);
    };
    if (const auto* text = std::get_if<std::string_view>(&value))
      return put(text->data() == nullptr ? "" : text->data(), text->size());
    if (const auto* integer = std::get_if<int64_t>(&value))
      word = big_endian(static_cast<uint64_t>(*integer));
    if (const auto* real = std::get_if<double>(&value)) word = big_endian(std::bit_cast<uint64_t>(*real));
    put(value.index() == 0 ? nullptr : reinterpret_cast<const char*>(&word), sizeof word);
  }

  std::vector<uint64_t> words;
  std::vector<const char*> pointers;
  std::vector<int> lengths, formats;
};

Oid type_of(const SqlValue& value) {
  static constexpr Oid kTypes[] = {0, kInteger64, kReal64, kBytes};
  return kTypes[value.index()];
}

// All rows, fetched at once.
class Fetched : public Rows {
 public:
  explicit Fetched(PGresult* result) : result_(result, &PQclear) {}
  bool step() override { return ++row_ < PQntuples(result_.get()); }
  bool is_null(int column) const override { return PQgetisnull(result_.get(), row_, column) == 1; }
  int64_t integer(int column) const override {
    if (is_null(column)) return 0;
    const std::string_view bytes = cell(column);
    switch (PQftype(result_.get(), column)) {
      case kBoolean:
        return bytes[0];
      case kInteger32:
        return static_cast<int32_t>(word(bytes) >> 32);
      default:
        return static_cast<int64_t>(word(bytes));
    }
  }
  double real(int column) const override {
    return is_null(column) ? 0 : std::bit_cast<double>(word(cell(column)));
  }
  std::string text(int column) const override { return std::string(cell(column)); }

 private:
  std::string_view cell(int column) const {
    return {PQgetvalue(result_.get(), row_, column),
            static_cast<size_t>(PQgetlength(result_.get(), row_, column))};
  }
  // The bytes as the high end of a word.
  static uint64_t word(std::string_view bytes) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return big_endian(value);
  }

  std::unique_ptr<PGresult, void (*)(PGresult*)> result_;
  int row_ = -1;
};

}  // namespace

PostgresDatabase::PostgresDatabase(const std::string& address) : name_(without_secrets(address)) {
  connection_ = PQconnectdb(address.c_str());
  if (PQstatus(connection_) != CONNECTION_OK) {
    const std::string message = one_line(PQerrorMessage(connection_));
    PQfinish(connection_);
    throw Error(name_, "cannot connect: " + message);
  }
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
}

PostgresDatabase::~PostgresDatabase() {
  PQfinish(connection_);
}

std::unique_ptr<Rows> PostgresDatabase::start(const char* sql, std::span<const SqlValue> values) {
  const std::string& name = prepared(sql, values);
  const Parameters parameters(values);
  return std::make_unique<Fetched>(checked(
      PQexecPrepared(connection_, name.c_str(), static_cast<int>(values.size()), parameters.pointers.data(),
                     parameters.lengths.data(), parameters.formats.data(), kBinary)));
}

void PostgresDatabase::script(const std::string& sql) {
  PQclear(checked(PQexec(connection_, sql.c_str())));
}

void PostgresDatabase::write(const std::function<void()>& work) {
  // "Keel" in ASCII names the lock.
  transaction("BEGIN; SELECT pg_advisory_xact_lock(1264936300)", work);
}

void PostgresDatabase::read(const std::function<void()>& work) {
  transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work);
}

void PostgresDatabase::transaction(const char* begin, const std::function<void()>& work) {
  if (PQtransactionStatus(connection_) == PQTRANS_INTRANS) return work();
  if (PQstatus(connection_) != CONNECTION_OK) connect_again();
  script(begin);
  try {
    work();
    script("COMMIT");
  } catch (...) {
    PQclear(PQexec(connection_, "ROLLBACK"));
    throw;
  }
}

// The server was restarted: between transactions nothing of ours is lost with a connection.
void PostgresDatabase::connect_again() {
  PQreset(connection_);
  prepared_.clear();
}

// A statement is prepared once a connection, with the types that its first use had: NULL takes the type that
// the statement wants there, so a parameter that may be NULL is compared or inserted somewhere.
const std::string& PostgresDatabase::prepared(const char* sql, std::span<const SqlValue> values) {
  if (PQstatus(connection_) != CONNECTION_OK) connect_again();
  const auto found = prepared_.find(sql);
  if (found != prepared_.end()) return found->second;
  std::vector<Oid> types;
  for (const SqlValue& value : values) types.push_back(type_of(value));
  const std::string name = "keel_" + std::to_string(prepared_.size());
  PQclear(checked(PQprepare(connection_, name.c_str(), with_dollars(sql).c_str(),
                            static_cast<int>(types.size()), types.data())));
  return prepared_[sql] = name;
}

PGresult* PostgresDatabase::checked(PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return result;
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string message = one_line(primary != nullptr ? primary : PQerrorMessage(connection_));
  PQclear(result);
  throw Error(name_, "the store failed: " + message);
}

}  // namespace keel::feedback
