#include "keel/server/account_desk.h"

#include <sodium.h>

#include <chrono>
#include <ctime>

#include "keel/base/files.h"
#include "keel/server/requests.h"

namespace keel {
namespace {

constexpr size_t kLongestName = 64, kLongestPassword = 256, kLongestSecret = 128;
constexpr int64_t kMostUses = 1000, kMostHours = 24 * 365;

// One key for all spellings of a name; what is no name is nobody's.
std::string key_of(const std::string& name) {
  try {
    return feedback::folded_name(name);
  } catch (const feedback::Refused&) {
    return "";
  }
}

}  // namespace

// A try is taken before the password is looked at, so that many at once get no more; a right one is given
// back.
AccountDesk::Entered AccountDesk::sign_in(const std::string& address, const Json& request) {
  const std::string name = text_member(request, "name", kLongestName);
  const std::string password = text_member(request, "password", kLongestPassword);
  const double now = steady_seconds();
  const std::string key = key_of(name);
  if (!wrong_of_address_.take(address, now) || !wrong_of_name_.take(key, now))
    throw TooMany("expected fewer wrong passwords: wait some minutes, then try again");
  const std::optional<feedback::Account> account = accounts_.verify(name, password);
  if (!account) throw SignedOut("expected a name and its password, got ones that do not belong together");
  wrong_of_name_.give_back(key);
  wrong_of_address_.give_back(address);
  if (account->closed) throw Forbidden("this account is closed: ask who leads the project");
  return entered(*account);
}

AccountDesk::Entered AccountDesk::join(const std::string& address, const Json& request) {
  const std::string invite = text_member(request, "invite", kLongestSecret);
  const std::string name = text_member(request, "name", kLongestName);
  const std::string password = text_member(request, "password", kLongestPassword);
  if (!wrong_of_address_.take(address, steady_seconds()))
    throw TooMany("expected fewer tries: wait some minutes, then try again");
  return entered(accounts_.accept(invite, name, password, std::time(nullptr)));
}

AccountDesk::Entered AccountDesk::entered(const feedback::Account& account) {
  return {.answer = {{"lead", account.role == feedback::Role::lead}},
          .session = accounts_.start_session(account.name, std::time(nullptr))};
}

Json AccountDesk::people() {
  Json list = Json::array();
  for (const feedback::Account& account : accounts_.all())
    list.push_back(
        {{"name", account.name}, {"role", feedback::role_name(account.role)}, {"closed", account.closed}});
  return list;
}

Json AccountDesk::invite(const Reader&, const Json& request) {
  const std::string role = text_member(request, "role");
  if (role != "annotator" && role != "lead")
    throw BadRequest("expected annotator or lead as role, got another value");
  const int64_t uses = whole_member(request, "uses"), hours = whole_member(request, "hours");
  if (uses < 1 || uses > kMostUses || hours < 1 || hours > kMostHours)
    throw BadRequest("expected 1 to 1000 uses within 1 to 8760 hours, got other numbers");
  return {{"path",
           "/join#" + accounts_.invite(feedback::role_named(role), std::time(nullptr) + 3600 * hours, uses)}};
}

Json AccountDesk::set_closed(const Reader& reader, const Json& request) {
  const std::string name = text_member(request, "name", kLongestName);
  const Json& closed = member(request, "closed");
  if (!closed.is_boolean()) throw BadRequest("expected true or false in \"closed\", got another value");
  if (key_of(name) == key_of(reader.name))
    throw feedback::Refused("account", "expected somebody else's, got your own");
  accounts_.set_closed(name, closed.get<bool>());
  return people();
}

std::optional<Reader> AccountDesk::reader(const std::string& session) {
  if (session.empty() || session.size() > kLongestSecret) return std::nullopt;
  const auto account = accounts_.session(session, std::time(nullptr));
  if (!account) return std::nullopt;
  return Reader{.annotator = account->annotator,
                .name = account->name,
                .is_lead = account->role == feedback::Role::lead};
}

std::string AccountDesk::token_of(const std::string& session) {
  return sha256("keel page " + session);
}

bool AccountDesk::is_token_of(const std::string& session, const std::string& token) {
  const std::string expected = token_of(session);
  return token.size() == expected.size() &&
         sodium_memcmp(token.data(), expected.data(), expected.size()) == 0;
}

}  // namespace keel
