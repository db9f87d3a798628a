// Accounts, invites and sessions, on both databases.
#include "keel/feedback/accounts.h"

#include <sodium.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "feedback/store_backends.h"
#include "keel/base/files.h"

namespace keel::feedback {
namespace {

constexpr PasswordCost kCheap = {.passes = 1, .bytes = 8192};
constexpr const char* kPassword = "correct horse";
constexpr int64_t kNow = 1'800'000'000;

class AccountsConformance : public testing::TestWithParam<Backend> {
 protected:
  AccountsConformance() : place_(GetParam()) {}
  void SetUp() override {
    if (place_.missing()) GTEST_SKIP() << "no KEEL_TEST_POSTGRES: python tests/postgres.py COMMAND";
    where_ = place_.fresh();
    store_ = open_store(where_, Access::create);
    accounts_ = std::make_unique<Accounts>(where_, *store_, kCheap);
  }
  void TearDown() override {
    accounts_.reset();
    store_.reset();
  }
  std::string refusal(const std::function<void()>& work) {
    try {
      work();
    } catch (const Refused& error) {
      return error.what();
    }
    return "";
  }

  StorePlace place_;
  std::string where_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Accounts> accounts_;
};

TEST_P(AccountsConformance, APasswordOpensItsAccountAlone) {
  const Account anna = accounts_->add("Anna", kPassword, Role::lead);
  accounts_->add("bert", "another password", Role::annotator);
  EXPECT_EQ(anna, (Account{.name = "Anna", .annotator = anna.annotator, .role = Role::lead}));
  EXPECT_EQ(accounts_->verify("Anna", kPassword), anna);
  for (const char* wrong : {"correct horsf", "correct hors", "", "another password"})
    EXPECT_EQ(accounts_->verify("Anna", wrong), std::nullopt) << wrong;
  EXPECT_EQ(accounts_->verify("nobody", kPassword), std::nullopt);
  EXPECT_EQ(accounts_->verify("", kPassword), std::nullopt);
  EXPECT_EQ(accounts_->verify("Anna", std::string(1 << 20, 'x')), std::nullopt);
}

TEST_P(AccountsConformance, NamesAreToldApartAsReadersDo) {
  accounts_->add("Zo\xC3\xA9", kPassword, Role::annotator);                 // é in one code point
  EXPECT_TRUE(accounts_->verify("zo\x65\xCC\x81", kPassword).has_value());  // and in two, in lower case
  EXPECT_NE(refusal([&] { accounts_->add("ZO\xC3\x89", kPassword, Role::lead); }).find("an account has"),
            std::string::npos);
  const std::vector<std::string> none = {"",
                                         " a",
                                         "a ",
                                         "a  b",
                                         "a\nb",
                                         std::string("a\0b", 3),
                                         "\xFF",
                                         "a\xE2\x80\xAE"
                                         "b",  // turns what follows
                                         std::string(65, 'a')};
  for (const std::string& name : none)
    EXPECT_NE(refusal([&] { accounts_->add(name, kPassword, Role::lead); }), "") << name;
  EXPECT_EQ(accounts_->all().size(), 1u);
}

TEST_P(AccountsConformance, SqlAndScriptInNamesAreNames) {
  for (const std::string name :
       {"Robert'); DROP TABLE accounts;--", "<script>alert(1)</script>", "\" OR 1=1 --"}) {
    accounts_->add(name, kPassword, Role::annotator);
    EXPECT_EQ(accounts_->verify(name, kPassword)->name, name);
    EXPECT_EQ(accounts_->verify(name, "' OR '1'='1 and more"), std::nullopt);
  }
  EXPECT_EQ(accounts_->all().size(), 3u);
}

TEST_P(AccountsConformance, PasswordsHaveALength) {
  EXPECT_NE(refusal([&] { accounts_->add("a", "123456789", Role::lead); }).find("10 to 256"),
            std::string::npos);
  EXPECT_NE(refusal([&] { accounts_->add("a", std::string(257, 'x'), Role::lead); }), "");
  accounts_->add("a", std::string(256, 'x'), Role::lead);
  EXPECT_TRUE(accounts_->verify("a", std::string(256, 'x')).has_value());
}

TEST_P(AccountsConformance, AnInviteMakesItsNumberOfAccounts) {
  const std::string once = accounts_->invite(Role::lead, kNow + 60);
  const std::string twice = accounts_->invite(Role::annotator, kNow + 60, 2);
  EXPECT_NE(once, twice);
  EXPECT_EQ(accounts_->accept(once, "anna", kPassword, kNow).role, Role::lead);
  EXPECT_NE(refusal([&] { accounts_->accept(once, "bert", kPassword, kNow); }).find("ask for a new link"),
            std::string::npos);
  EXPECT_EQ(accounts_->accept(twice, "bert", kPassword, kNow).role, Role::annotator);
  EXPECT_NE(refusal([&] { accounts_->accept(twice, "bert", kPassword, kNow); }), "");  // does not use it up
  EXPECT_NE(refusal([&] { accounts_->accept(twice, "carl", "short", kNow); }), "");
  EXPECT_EQ(accounts_->accept(twice, "carl", kPassword, kNow).name, "carl");
  EXPECT_NE(refusal([&] { accounts_->accept(twice, "dora", kPassword, kNow); }), "");
  EXPECT_EQ(accounts_->all().size(), 3u);
}

TEST_P(AccountsConformance, AnInviteEndsAndCannotBeGuessed) {
  const std::string invite = accounts_->invite(Role::lead, kNow);
  EXPECT_NE(refusal([&] { accounts_->accept(invite, "anna", kPassword, kNow); }), "");
  EXPECT_NE(refusal([&] { accounts_->accept(sha256(invite), "anna", kPassword, kNow - 1); }), "");
  EXPECT_NE(refusal([&] { accounts_->accept("", "anna", kPassword, kNow - 1); }), "");
  EXPECT_EQ(accounts_->accept(invite, "anna", kPassword, kNow - 1).name, "anna");
}

TEST_P(AccountsConformance, WhoIsInvitedCannotTakeAnothersJudgements) {
  const int64_t typed = store_->add_annotator({.name = "anna"});
  const std::string invite = accounts_->invite(Role::annotator, kNow + 60);
  EXPECT_NE(refusal([&] { accounts_->accept(invite, "anna", kPassword, kNow); }).find("judgements are kept"),
            std::string::npos);
  EXPECT_EQ(accounts_->add("anna", kPassword, Role::annotator).annotator, typed);  // a lead may decide so
}

TEST_P(AccountsConformance, ASessionLastsUntilItsEnd) {
  const Account anna = accounts_->add("anna", kPassword, Role::annotator);
  const std::string first = accounts_->start_session("anna", kNow),
                    second = accounts_->start_session("Anna", kNow);
  EXPECT_NE(first, second);
  EXPECT_EQ(accounts_->session(first, kNow + kSessionSeconds - 1), anna);
  EXPECT_EQ(accounts_->session(first, kNow + kSessionSeconds), std::nullopt);
  for (const std::string& forged : {std::string(), sha256(first), first + "0", first.substr(1)})
    EXPECT_EQ(accounts_->session(forged, kNow), std::nullopt);
  accounts_->end_session(first);
  EXPECT_EQ(accounts_->session(first, kNow), std::nullopt);
  EXPECT_EQ(accounts_->session(second, kNow), anna);
}

TEST_P(AccountsConformance, WhatChangesAnAccountEndsItsSessions) {
  accounts_->add("anna", kPassword, Role::annotator);
  const auto session_after = [&](const std::function<void()>& change) {
    const std::string secret = accounts_->start_session("anna", kNow);
    change();
    return accounts_->session(secret, kNow);
  };
  EXPECT_TRUE(session_after([] {}).has_value());
  EXPECT_FALSE(session_after([&] { accounts_->set_role("anna", Role::lead); }).has_value());
  EXPECT_EQ(accounts_->find("anna")->role, Role::lead);
  EXPECT_FALSE(session_after([&] { accounts_->set_password("anna", "a new password"); }).has_value());
  EXPECT_FALSE(accounts_->verify("anna", kPassword).has_value());
  EXPECT_TRUE(accounts_->verify("anna", "a new password").has_value());
  EXPECT_FALSE(session_after([&] { accounts_->set_closed("anna", true); }).has_value());
  EXPECT_TRUE(accounts_->verify("anna", "a new password")->closed);
  EXPECT_NE(refusal([&] { accounts_->start_session("anna", kNow); }).find("closed"), std::string::npos);
  accounts_->set_closed("anna", false);
  EXPECT_TRUE(accounts_->session(accounts_->start_session("anna", kNow), kNow).has_value());
  EXPECT_NE(refusal([&] { accounts_->set_role("nobody", Role::lead); }), "");
}

TEST_P(AccountsConformance, NoSecretIsKeptAndNoArchiveHoldsAccounts) {
  accounts_->add("anna", kPassword, Role::annotator);
  const std::string invite = accounts_->invite(Role::lead, kNow + 60),
                    session = accounts_->start_session("anna", kNow);
  store_->write_archive(place_.file("archive.jsonl"));
  const std::string archive = read_file(place_.file("archive.jsonl"));
  for (const std::string& secret : {std::string(kPassword), invite, session, std::string("argon2")})
    EXPECT_EQ(archive.find(secret), std::string::npos) << secret;
  if (GetParam() == Backend::postgres) return;
  accounts_.reset();
  store_.reset();  // all of it in one file
  std::ostringstream file;
  file << std::ifstream(where_, std::ios::binary).rdbuf();
  for (const std::string& secret : {std::string(kPassword), invite, session})
    EXPECT_EQ(file.str().find(secret), std::string::npos) << secret;
  EXPECT_NE(file.str().find("$argon2id$v=19$m=8,t=1,p=1$"), std::string::npos);
}

TEST_P(AccountsConformance, OneInviteAtOnceMakesOneAccount) {
  const std::string invite = accounts_->invite(Role::annotator, kNow + 60);
  std::vector<std::thread> people;
  std::atomic<int> made = 0;
  for (int i = 0; i < 6; ++i)
    people.emplace_back([&, i] {
      try {
        accounts_->accept(invite, "person " + std::to_string(i), kPassword, kNow);
        ++made;
      } catch (const Refused&) {
      }
    });
  for (std::thread& person : people) person.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(accounts_->all().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Databases, AccountsConformance, testing::Values(Backend::sqlite, Backend::postgres),
                         backend_name);

}  // namespace
}  // namespace keel::feedback
