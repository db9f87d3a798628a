#include "keel/feedback/accounts.h"

#include <sodium.h>
#include <utf8proc.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "keel/base/files.h"
#include "keel/base/secret.h"

namespace keel::feedback {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kLongestName = 64, kShortestPassword = 10, kLongestPassword = 256;
constexpr std::array<const char*, 2> kRoleNames = {"annotator", "lead"};
constexpr auto kLongestWait = std::chrono::seconds(5);
constexpr const char* kSelectAccount = "SELECT name, annotator, role, closed FROM accounts WHERE folded = ?1";

// Errors: Refused for what is not UTF-8.
std::string normalized(const std::string& text, bool fold, const char* what) {
  const auto flags = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                                    (fold ? UTF8PROC_CASEFOLD | UTF8PROC_IGNORE : 0));
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &mapped, flags);
  if (size < 0) throw Refused(what, "expected UTF-8, got other bytes");
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, &std::free);
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(size)};
}

// Letters, marks, numbers, punctuation, symbols and single spaces between them; nothing that hides or turns
// the text around it.
bool is_printable(const std::string& text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t code = 0;
    const auto read = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    if (read <= 0) return false;
    const utf8proc_category_t category = utf8proc_category(code);
    if (category == UTF8PROC_CATEGORY_CN || category >= UTF8PROC_CATEGORY_ZL ||
        (category == UTF8PROC_CATEGORY_ZS && code != ' '))
      return false;
    at += static_cast<size_t>(read);
  }
  return true;
}

Account account_at(const Rows& row) {
  return {row.text(0), row.integer(1), row.text(2) == role_name(Role::lead) ? Role::lead : Role::annotator,
          row.integer(3) != 0};
}

// A hashed password that no one has, so that an unknown name takes as long as a known one.
std::string hash_password(const std::string& password, const PasswordCost& cost) {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str_alg(text.data(), password.data(), password.size(), cost.passes, cost.bytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0)
    throw Error("password", "expected enough memory to hash it, got too little");
  return text.data();
}

// One of few that hash at once.
class Turn {
 public:
  explicit Turn(std::counting_semaphore<2>& turns) : turns_(turns) {
    if (!turns_.try_acquire_for(kLongestWait))
      throw Busy("accounts", "expected fewer people to log in at once: try again in a moment");
  }
  ~Turn() { turns_.release(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::counting_semaphore<2>& turns_;
};

}  // namespace

const char* role_name(Role role) {
  return kRoleNames.at(static_cast<size_t>(role));
}

Role role_named(const std::string& name) {
  for (const Role role : {Role::annotator, Role::lead})
    if (name == role_name(role)) return role;
  throw UsageError("role", "expected annotator or lead, got \"" + name + "\"");
}

std::string folded_name(const std::string& name) {
  if (name.empty() || name.size() > kLongestName || name.front() == ' ' || name.back() == ' ' ||
      name.find("  ") != std::string::npos || !is_printable(name))
    throw Refused("name", "expected 1 to 64 bytes of printable text, without spaces around it");
  std::string folded = normalized(name, true, "name");
  if (folded.empty()) throw Refused("name", "expected a name that can be read, got nothing to read");
  return folded;
}

Accounts::Accounts(const std::string& where, Store& store, PasswordCost cost)
    : store_(store), cost_(cost), database_(open_database(where, Access::write)) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot start");
}

std::vector<Account> Accounts::all() {
  const std::lock_guard lock(mutex_);
  std::vector<Account> accounts;
  const auto row = database_->query("SELECT name, annotator, role, closed FROM accounts ORDER BY folded");
  while (row->step()) accounts.push_back(account_at(*row));
  return accounts;
}

std::optional<Account> Accounts::find(const std::string& name) {
  const std::string folded = folded_name(name);
  const std::lock_guard lock(mutex_);
  const auto row = database_->query(kSelectAccount, folded);
  return row->step() ? std::optional(account_at(*row)) : std::nullopt;
}

// Made and changed.

std::string Accounts::hashed(const std::string& password) {
  if (password.size() < kShortestPassword || password.size() > kLongestPassword)
    throw Refused("password", "expected 10 to 256 bytes, got another length");
  const std::string text = normalized(password, false, "password");
  const Turn turn(hashing_);
  return hash_password(text, cost_);
}

void Accounts::check_free(const std::string& name) {
  if (find(name)) throw Refused("name", "expected one that is free, got one that an account has");
}

void Accounts::insert(const Account& account, const std::string& password) {
  const std::string folded = folded_name(account.name);
  if (database_->integer("SELECT count(*) FROM accounts WHERE folded = ?1 OR annotator = ?2", folded,
                         account.annotator) != 0)
    throw Refused("name", "expected one that is free, got one that an account has");
  database_->run(
      "INSERT INTO accounts (folded, name, annotator, role, password, closed) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
      folded, account.name, account.annotator, std::string_view(role_name(account.role)), password);
}

Account Accounts::add(const std::string& name, const std::string& password, Role role) {
  check_free(name);
  const std::string hash = hashed(password);
  const Account account{.name = name, .annotator = store_.add_annotator({.name = name}), .role = role};
  const std::lock_guard lock(mutex_);
  database_->write([&] { insert(account, hash); });
  return account;
}

void Accounts::require(const std::string& name) {
  if (!find(name)) throw Refused("account", "expected the name of an account, got " + json_text(Json(name)));
}

void Accounts::end_sessions(const std::string& folded) {
  database_->run("DELETE FROM sessions WHERE account = ?1", folded);
}

void Accounts::set_role(const std::string& name, Role role) {
  require(name);
  const std::string folded = folded_name(name);
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    database_->run("UPDATE accounts SET role = ?2 WHERE folded = ?1", folded,
                   std::string_view(role_name(role)));
    end_sessions(folded);
  });
}

void Accounts::set_password(const std::string& name, const std::string& password) {
  require(name);
  const std::string folded = folded_name(name), hash = hashed(password);
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    database_->run("UPDATE accounts SET password = ?2 WHERE folded = ?1", folded, hash);
    end_sessions(folded);
  });
}

void Accounts::set_closed(const std::string& name, bool closed) {
  require(name);
  const std::string folded = folded_name(name);
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    database_->run("UPDATE accounts SET closed = ?2 WHERE folded = ?1", folded, int64_t{closed});
    end_sessions(folded);
  });
}

// Invites.

std::string Accounts::invite(Role role, int64_t expires, int64_t uses) {
  if (uses < 1) throw Refused("invite", "expected one use or more, got " + std::to_string(uses));
  const std::string secret = random_hex(kSecretBytes);
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    database_->run("INSERT INTO invites (hash, role, expires, uses_left) VALUES (?1, ?2, ?3, ?4)",
                   sha256(secret), std::string_view(role_name(role)), expires, uses);
  });
  return secret;
}

// The name is looked at again in the transaction, beside the invite: two may come at once.
Account Accounts::accept(const std::string& secret, const std::string& name, const std::string& password,
                         int64_t now) {
  const std::string hash = sha256(secret);
  Account account{.name = name};
  {
    const std::lock_guard lock(mutex_);
    const auto row = database_->query(
        "SELECT role FROM invites WHERE hash = ?1 AND expires > ?2 AND uses_left > 0", hash, now);
    if (!row->step()) throw Refused("invite", "expected one that still counts: ask for a new link");
    account.role = role_named(row->text(0));
  }
  check_free(name);
  {
    const std::lock_guard lock(mutex_);
    if (database_->integer("SELECT count(*) FROM annotators WHERE kind = ?1 AND name = ?2",
                           std::string_view("human"), name) != 0)
      throw Refused("name", "expected one that is free, got one under which judgements are kept");
  }
  const std::string password_hash = hashed(password);
  account.annotator = store_.add_annotator({.name = name});
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    const auto row = database_->query(
        "UPDATE invites SET uses_left = uses_left - 1 WHERE hash = ?1 AND expires > ?2 AND uses_left > 0 "
        "RETURNING uses_left",
        hash, now);
    if (!row->step()) throw Refused("invite", "expected one that still counts: ask for a new link");
    while (row->step()) {
    }
    insert(account, password_hash);
  });
  return account;
}

// Log-in.

std::optional<Account> Accounts::verify(const std::string& name, const std::string& password) {
  if (password.size() > kLongestPassword) return std::nullopt;
  std::optional<Account> account;
  std::string hash;
  try {
    const std::string folded = folded_name(name);
    const std::lock_guard lock(mutex_);
    const auto row = database_->query(
        "SELECT name, annotator, role, closed, password FROM accounts WHERE folded = ?1", folded);
    if (row->step()) account = account_at(*row), hash = row->text(4);
  } catch (const Refused&) {  // no name: nobody has it
  }
  std::string text;
  try {
    text = normalized(password, false, "password");
  } catch (const Refused&) {
    account.reset();
  }
  const Turn turn(hashing_);
  if (!account) {
    hash_password(text, cost_);  // as long as for a known name
    return std::nullopt;
  }
  if (crypto_pwhash_str_verify(hash.c_str(), text.data(), text.size()) != 0) return std::nullopt;
  return account;
}

std::string Accounts::start_session(const std::string& name, int64_t now) {
  const std::optional<Account> account = find(name);
  if (!account || account->closed) throw Refused("account", "expected an open account, got a closed one");
  const std::string secret = random_hex(kSecretBytes), folded = folded_name(name);
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    database_->run("DELETE FROM sessions WHERE expires <= ?1", now);
    database_->run("INSERT INTO sessions (hash, account, expires) VALUES (?1, ?2, ?3)", sha256(secret),
                   folded, now + kSessionSeconds);
  });
  return secret;
}

std::optional<Account> Accounts::session(const std::string& secret, int64_t now) {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query(
      "SELECT a.name, a.annotator, a.role, a.closed FROM sessions s JOIN accounts a ON a.folded = s.account "
      "WHERE s.hash = ?1 AND s.expires > ?2 AND a.closed = 0",
      sha256(secret), now);
  return row->step() ? std::optional(account_at(*row)) : std::nullopt;
}

void Accounts::end_session(const std::string& secret) {
  const std::lock_guard lock(mutex_);
  database_->write([&] { database_->run("DELETE FROM sessions WHERE hash = ?1", sha256(secret)); });
}

}  // namespace keel::feedback
