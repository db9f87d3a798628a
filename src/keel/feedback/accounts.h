// Who may log in to a store's pages: accounts with a role, invite links, sessions.
//
// A password is kept as Argon2id's string (libsodium's crypto_pwhash_str). An invite and a session are
// secrets of 256 random bits, of which the store keeps the SHA-256 alone: who reads the file can neither join
// nor be somebody. All of it is state, not record: no archive holds it. Times are seconds since 1970.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

#include "keel/feedback/database.h"
#include "keel/feedback/store.h"

namespace keel::feedback {

enum class Role { annotator, lead };
const char* role_name(Role role);
/// Errors: UsageError for anything but "annotator", "lead".
Role role_named(const std::string& name);

struct Account {
  std::string name = {};
  int64_t annotator = 0;  // in the store: whose judgements this account's are
  Role role = Role::annotator;
  bool closed = false;  // may not log in; the judgements stay
  bool operator==(const Account&) const = default;
};

/// What Argon2id is asked to spend on a password; the default is libsodium's for interactive use.
struct PasswordCost {
  uint64_t passes = 2;
  size_t bytes = size_t{64} << 20;
};

inline constexpr int64_t kSessionSeconds = 7 * 24 * 3600;

/// Safe to use from several threads. Names are told apart as readers tell them (NFKC, case folded), shown as
/// they were typed: 1 to 64 bytes of printable UTF-8. Passwords have 10 to 256 bytes. Calls that hash a
/// password throw Busy when too many others do so at once.
class Accounts {
 public:
  /// `where` is that of `store`, which outlives this. Errors: those of open_database.
  Accounts(const std::string& where, Store& store, PasswordCost cost = {});

  /// By name.
  std::vector<Account> all();
  /// By its name; nothing when there is none.
  std::optional<Account> find(const std::string& name);

  /// The account's annotator is the human one of that name, made if there is none. Errors: Refused for a name
  /// that is taken, a name or password of another shape.
  Account add(const std::string& name, const std::string& password, Role role);
  /// These end the account's sessions. Errors: Refused for an unknown name.
  void set_role(const std::string& name, Role role);
  void set_password(const std::string& name, const std::string& password);
  void set_closed(const std::string& name, bool closed);

  /// The secret of a new invite, for so many accounts.
  std::string invite(Role role, int64_t expires, int64_t uses = 1);
  /// Makes the account that an invite is for. Errors: Refused for an unknown, ended or used-up invite, a
  /// name that an account or any annotator has, a name or password of another shape.
  Account accept(const std::string& secret, const std::string& name, const std::string& password,
                 int64_t now);

  /// Nothing when name and password do not belong together; takes as long for a name that nobody has.
  std::optional<Account> verify(const std::string& name, const std::string& password);

  /// The secret of a new session, which ends after kSessionSeconds. Errors: Refused for a closed account.
  std::string start_session(const std::string& name, int64_t now);
  /// Whose session it is, while it lasts and the account is open.
  std::optional<Account> session(const std::string& secret, int64_t now);
  void end_session(const std::string& secret);

 private:
  std::string hashed(const std::string& password);
  void check_free(const std::string& name);
  void insert(const Account& account, const std::string& password);
  void require(const std::string& name);
  void end_sessions(const std::string& folded);

  Store& store_;
  const PasswordCost cost_;
  std::counting_semaphore<2> hashing_{2};  // each takes cost_.bytes
  std::mutex mutex_;                       // guards the connection
  std::unique_ptr<Database> database_;
};

/// The name under which two spellings are one account: NFKC, case folded. Errors: Refused for what is no
/// name.
std::string folded_name(const std::string& name);

}  // namespace keel::feedback
