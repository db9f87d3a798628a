// Commands about who may log in: invites and accounts.
#include <termios.h>
#include <unistd.h>

#include <ctime>
#include <iostream>

#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/commands/stage.h"
#include "keel/feedback/accounts.h"

namespace keel {
namespace {

using feedback::Access;
using feedback::open_store;

struct InviteOptions : Options {
  std::string store, role = "annotator", url = "http://127.0.0.1:8080";
  int64_t uses = 1, hours = 72;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_output());
    v(&role, "role", "What who joins may do.", one_of({"annotator", "lead"}));
    v(&uses, "uses", "Accounts that may be made by it.", within(1, 10'000));
    v(&hours, "hours", "How long it counts.", within(1, 24 * 365));
    v(&url, "url", "Where the pages are.");
  }
};

void run_invite(InviteOptions& o) {
  const auto store = open_store(o.store, Access::write);
  feedback::Accounts accounts(o.store, *store);
  const std::string secret =
      accounts.invite(feedback::role_named(o.role), std::time(nullptr) + 3600 * o.hours, o.uses);
  while (o.url.ends_with("/")) o.url.pop_back();
  std::cout << o.url << "/join#" << secret << "\n";
}

// One line of standard input; typed at a terminal it is not shown.
std::string read_password() {
  termios shown{};
  const bool typed = tcgetattr(STDIN_FILENO, &shown) == 0;
  if (typed) {
    std::cerr << "password: " << std::flush;
    termios hidden = shown;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  std::string line;
  const bool read = static_cast<bool>(std::getline(std::cin, line));
  if (typed) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    std::cerr << "\n";
  }
  if (!read) throw Error("password", "expected one line on standard input, got its end");
  return line;
}

struct AccountsOptions : Options {
  std::string store, add, change, close, reopen, role;
  bool new_password = false;

  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_output());
    v(&add, "add", "A new account's name; its password is read from standard input.");
    v(&change, "change", "An account's name, to give it another --role or a --new-password.");
    v(&close, "close", "An account's name: nobody logs in as it any more; its judgements stay.");
    v(&reopen, "reopen", "A closed account's name.");
    v(&role, "role", "annotator or lead, of --add (default: annotator) and --change (default: as it was).");
    v(&new_password, "new_password", "Read another password from standard input.");
  }
  void check() const override {
    const int asked = !add.empty() + !change.empty() + !close.empty() + !reopen.empty();
    if (asked > 1)
      throw UsageError("--add", "expected one of --add, --change, --close, --reopen, got several");
    if (change.empty() && (new_password || (!role.empty() && add.empty())))
      throw UsageError("--change", "expected the account that --role or --new-password is for, got none");
    if (!change.empty() && !new_password && role.empty())
      throw UsageError("--change", "expected --role or --new-password beside it, got neither");
  }
};

Json accounts_json(feedback::Accounts& accounts) {
  Json list = Json::array();
  for (const feedback::Account& account : accounts.all())
    list.push_back({{"name", account.name},
                    {"role", feedback::role_name(account.role)},
                    {"closed", account.closed},
                    {"annotator", account.annotator}});
  return list;
}

void run_accounts(AccountsOptions& o) {
  const auto store = open_store(o.store, Access::write);
  feedback::Accounts accounts(o.store, *store);
  if (!o.add.empty())
    accounts.add(o.add, read_password(), feedback::role_named(o.role.empty() ? "annotator" : o.role));
  if (!o.change.empty() && !o.role.empty()) accounts.set_role(o.change, feedback::role_named(o.role));
  if (!o.change.empty() && o.new_password) accounts.set_password(o.change, read_password());
  if (!o.close.empty()) accounts.set_closed(o.close, true);
  if (!o.reopen.empty()) accounts.set_closed(o.reopen, false);
  std::cout << json_text(accounts_json(accounts), 2) << "\n";
}

}  // namespace

std::vector<Stage> account_stages() {
  return {
      make_stage(
          "feedback invite", "Make a link by which somebody joins.",
          "Prints the link. Who opens it chooses a name and a password; the store keeps neither the link "
          "nor the password, but what tells a right one from a wrong one.\n\n    keel feedback invite "
          "--store feedback.db --role annotator --url https://label.example.org",
          &run_invite),
      make_stage(
          "feedback accounts", "List, add, close and change the accounts of a store.",
          "Without an action it lists them. A change ends the account's sessions.\n\n    keel feedback "
          "accounts --store feedback.db\n    keel feedback accounts --store feedback.db --close anna",
          &run_accounts),
  };
}

}  // namespace keel
