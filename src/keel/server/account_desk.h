// Log-in, invites and sessions as the pages ask for them: JSON in and JSON out, no HTTP.
//
// A session is a secret that the browser keeps in a cookie which scripts cannot read. What a page sends to
// change something must carry the session's token beside it: derived from the secret, told to the page alone,
// so that another site, whose requests may carry the cookie, cannot make one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "keel/base/json.h"
#include "keel/feedback/accounts.h"
#include "keel/server/rate_limit.h"
#include "keel/server/task_view.h"

namespace keel {

/// Safe to use from several threads.
class AccountDesk {
 public:
  /// `accounts` outlives this.
  explicit AccountDesk(feedback::Accounts& accounts) : accounts_(accounts) {}

  /// An answer, and the secret of the session that it begins.
  struct Entered {
    Json answer = {};
    std::string session = {};
  };
  /// {name, password} → {lead}. After five wrong passwords of a name, or thirty from an address, further ones
  /// are refused unseen for minutes. Errors: SignedOut for what does not belong together, Forbidden for a
  /// closed account, TooMany.
  Entered sign_in(const std::string& address, const Json& request);
  /// {invite, name, password} → {lead}. Errors: feedback::Refused for an invite that no longer counts, a name
  /// that is taken, a name or password of another shape; TooMany.
  Entered join(const std::string& address, const Json& request);
  void sign_out(const std::string& session) { accounts_.end_session(session); }

  // What a lead does; who the reader is was checked before.

  /// [{name, role, closed}]
  Json people();
  /// {role, uses, hours} → {path}: of the page behind the new link.
  Json invite(const Reader& reader, const Json& request);
  /// {name, closed: true | false} → people(). Errors: feedback::Refused for an unknown name, or the reader's
  /// own, so that a project always has a lead.
  Json set_closed(const Reader& reader, const Json& request);

  /// Whose session it is; nothing for a forged or ended one.
  std::optional<Reader> reader(const std::string& session);
  /// What a request that changes something carries beside the cookie.
  static std::string token_of(const std::string& session);
  /// In constant time.
  static bool is_token_of(const std::string& session, const std::string& token);

 private:
  Entered entered(const feedback::Account& account);

  feedback::Accounts& accounts_;
  RateLimit wrong_of_name_{5, 1.0 / 180};     // five at once, then one in three minutes
  RateLimit wrong_of_address_{30, 1.0 / 30};  // several people may share one
};

}  // namespace keel
