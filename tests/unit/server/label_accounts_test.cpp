// The server where people log in: cookies, tokens, roles, limits.
#include <gtest/gtest.h>
#include <httplib.h>

#include <ctime>
#include <thread>

#include "keel/base/files.h"
#include "keel/base/json.h"
#include "keel/server/label_server.h"
#include "temporary_folder.h"

namespace keel {
namespace {

constexpr const char* kPassword = "correct horse";

class Accounted : public testing::Test {
 protected:
  Accounted()
      : store_(feedback::open_store(where(), feedback::Access::create)),
        accounts_(where(), *store_, {.passes = 1, .bytes = 8192}) {
    const int64_t prompt = store_->add_prompt({.text = "p"});
    for (const char* text : {"one", "two"})
      store_->add_completion({.prompt = prompt, .passage = {.text = text}});
    store_->add_rankings(2, 0);
    accounts_.add("anna", kPassword, feedback::Role::annotator);
    accounts_.add("lea", kPassword, feedback::Role::lead);
  }
  ~Accounted() override { stop(); }

  std::string where() const { return folder_ / "feedback.db"; }
  void start(LabelOptions options = {}) {
    options.port = 0;
    server_ = std::make_unique<LabelServer>(*store_, options, LabelHooks{}, &accounts_);
    thread_ = std::thread([this] { server_->listen(); });
  }
  void stop() {
    if (!server_) return;
    server_->stop();
    thread_.join();
    server_.reset();
  }
  httplib::Client client() { return httplib::Client("127.0.0.1", server_->port()); }
  httplib::Result post(const std::string& path, const Json& body, const httplib::Headers& headers = {}) {
    return client().Post(path, headers, json_text(body), "application/json");
  }
  httplib::Result sign_in(const std::string& name, const std::string& password,
                          const httplib::Headers& headers = {}) {
    return post("/api/sign-in", {{"name", name}, {"password", password}}, headers);
  }
  // "name=secret" of the session that an answer begins.
  static std::string cookie_of(const httplib::Result& result) {
    const std::string header = result->get_header_value("Set-Cookie");
    return header.substr(0, header.find(';'));
  }
  std::string enter(const std::string& name) { return cookie_of(sign_in(name, kPassword)); }
  Json state(const std::string& cookie) {
    return Json::parse(client().Get("/api/state", {{"Cookie", cookie}})->body);
  }
  httplib::Headers with_token(const std::string& cookie) {
    return {{"Cookie", cookie}, {"X-Keel-Token", state(cookie)["token"].get<std::string>()}};
  }
  int status_of(const httplib::Result& result) { return result ? result->status : -1; }

  TemporaryFolder folder_;
  std::unique_ptr<feedback::Store> store_;
  feedback::Accounts accounts_;
  std::unique_ptr<LabelServer> server_;
  std::thread thread_;
};

TEST_F(Accounted, NobodyGetsInWithoutLoggingIn) {
  start();
  EXPECT_EQ(status_of(client().Get("/api/state")), 401);
  EXPECT_EQ(status_of(client().Get("/api/guidelines")), 401);
  for (const char* path :
       {"/api/claim", "/api/renew", "/api/release", "/api/submit", "/api/train", "/api/sign-out"})
    EXPECT_EQ(status_of(post(path, {{"holder", "h"}})), 401) << path;
  for (const char* path : {"/", "/sign-in", "/join", "/sign_in.js"})
    EXPECT_EQ(status_of(client().Get(path)), 200);
}

TEST_F(Accounted, WhoLogsInJudgesUnderTheirName) {
  start();
  const auto entered = sign_in("Anna", kPassword);
  ASSERT_EQ(status_of(entered), 200) << entered->body;
  EXPECT_EQ(Json::parse(entered->body), (Json{{"lead", false}}));
  const std::string header = entered->get_header_value("Set-Cookie");
  for (const char* part : {"; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="})
    EXPECT_NE(header.find(part), std::string::npos) << header;
  EXPECT_EQ(header.find("Secure"), std::string::npos);
  const std::string cookie = cookie_of(entered);
  EXPECT_EQ(state(cookie)["annotator"], "anna");
  EXPECT_EQ(state(cookie)["lead"], false);
  const Json task = Json::parse(post("/api/claim", {{"holder", "h"}}, with_token(cookie))->body)["task"];
  const Json judgement = {{"store", store_->identity()},
                          {"key", "k"},
                          {"type", "skip"},
                          {"task", task["id"]},
                          {"prompt", task["prompt"]}};
  ASSERT_EQ(status_of(post("/api/submit", judgement, with_token(cookie))), 200);
  const auto rows = store_->judgements(feedback::Kinds::human, store_->last_event());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].annotator.name, "anna");
  EXPECT_EQ(state(enter("lea"))["lead"], true);
}

TEST_F(Accounted, WrongPasswordsAndClosedAccountsAreRefused) {
  start();
  const auto wrong = sign_in("anna", "wrong password"), unknown = sign_in("nobody", kPassword);
  EXPECT_EQ(status_of(wrong), 401);
  EXPECT_EQ(wrong->body, unknown->body);  // does not tell which names there are
  EXPECT_FALSE(wrong->has_header("Set-Cookie"));
  accounts_.set_closed("anna", true);
  EXPECT_EQ(status_of(sign_in("anna", kPassword)), 403);
  EXPECT_EQ(status_of(sign_in("anna", "wrong password")), 401);
  for (const Json& body :
       {Json::object(), Json{{"name", 1}, {"password", "x"}}, Json{{"name", "anna"}}, Json::array()})
    EXPECT_EQ(status_of(post("/api/sign-in", body)), 400);
}

TEST_F(Accounted, TooManyWrongPasswordsLockTheNameNotTheOthers) {
  start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(status_of(sign_in("anna", "wrong password")), 401);
  const auto refused = sign_in("ANNA", kPassword);  // the right one, too, however it is spelt
  EXPECT_EQ(status_of(refused), 429);
  EXPECT_TRUE(refused->has_header("Retry-After"));
  EXPECT_EQ(status_of(sign_in("lea", kPassword)), 200);
}

TEST_F(Accounted, TooManyFromOneAddressLockTheAddress) {
  start();
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(status_of(sign_in("name " + std::to_string(i), "wrong password")), 401);
  EXPECT_EQ(status_of(sign_in("lea", kPassword)), 429);
  // Without a proxy nobody can claim another address.
  EXPECT_EQ(status_of(sign_in("lea", kPassword, {{"X-Forwarded-For", "1.2.3.4"}})), 429);
}

TEST_F(Accounted, ForgedAndEndedCookiesAreNobodys) {
  start();
  const std::string cookie = enter("anna"), name = cookie.substr(0, cookie.find('='));
  const httplib::Headers good = with_token(cookie);
  const std::string secret = cookie.substr(name.size() + 1);
  for (const std::string& forged :
       {name + "=", name + "=0", name + "=" + sha256(secret), name + "=" + secret + "0", "other=" + secret,
        cookie + "; " + cookie, name + "=' OR 1=1 --"})
    EXPECT_EQ(status_of(client().Get("/api/state", {{"Cookie", forged}})), 401) << forged;
  EXPECT_EQ(status_of(client().Get("/api/state", {{"Cookie", "a=b; " + cookie + "; c=d"}})), 200);
  const auto left = post("/api/sign-out", Json::object(), good);
  EXPECT_EQ(status_of(left), 200);
  EXPECT_NE(left->get_header_value("Set-Cookie").find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(status_of(client().Get("/api/state", {{"Cookie", cookie}})), 401);
  const std::string again = enter("anna");
  accounts_.set_closed("anna", true);
  EXPECT_EQ(status_of(client().Get("/api/state", {{"Cookie", again}})), 401);
}

TEST_F(Accounted, ChangesNeedTheSessionsOwnToken) {
  start();
  const std::string cookie = enter("anna"), other = enter("lea");
  const Json claim = {{"holder", "h"}};
  EXPECT_EQ(status_of(post("/api/claim", claim, {{"Cookie", cookie}})), 401);
  EXPECT_EQ(status_of(post("/api/claim", claim, {{"Cookie", cookie}, {"X-Keel-Token", "x"}})), 401);
  EXPECT_EQ(status_of(post("/api/claim", claim,
                           {{"Cookie", cookie}, {"X-Keel-Token", state(other)["token"].get<std::string>()}})),
            401);
  EXPECT_EQ(status_of(post("/api/claim", claim, with_token(cookie))), 200);
}

TEST_F(Accounted, OtherSitesCannotPostEvenWithTheCookie) {
  start();
  const std::string own = "http://127.0.0.1:" + std::to_string(server_->port());
  const auto with = [&](const std::string& name, const std::string& value) {
    httplib::Headers headers = with_token(enter("anna"));
    headers.emplace(name, value);
    return status_of(post("/api/claim", {{"holder", "h"}}, headers));
  };
  EXPECT_EQ(with("Origin", own), 200);
  EXPECT_EQ(with("Sec-Fetch-Site", "same-origin"), 200);
  for (const char* origin : {"http://evil.example", "null", "http://127.0.0.1:1"})
    EXPECT_EQ(with("Origin", origin), 403);
  for (const char* site : {"cross-site", "same-site", "none"}) EXPECT_EQ(with("Sec-Fetch-Site", site), 403);
  EXPECT_EQ(status_of(sign_in("anna", kPassword, {{"Origin", "http://evil.example"}})), 403);
}

TEST_F(Accounted, OnlyLeadsTrain) {
  start();
  EXPECT_EQ(status_of(post("/api/train", Json::object(), with_token(enter("anna")))), 403);
  EXPECT_EQ(status_of(post("/api/train", Json::object(), with_token(enter("lea")))), 409);  // no way to train
}

TEST_F(Accounted, AnInviteMakesAnAccountThatIsLoggedIn) {
  start();
  const std::string invite = accounts_.invite(feedback::Role::annotator, std::time(nullptr) + 60);
  Json request = {{"invite", invite}, {"name", "anna"}, {"password", kPassword}};
  EXPECT_EQ(status_of(post("/api/join", request)), 409);
  request["name"] = "<b>carl</b>";
  const auto joined = post("/api/join", request);
  ASSERT_EQ(status_of(joined), 200) << joined->body;
  EXPECT_EQ(state(cookie_of(joined))["annotator"], "<b>carl</b>");
  request["name"] = "dora";
  EXPECT_EQ(status_of(post("/api/join", request)), 409);
}

TEST_F(Accounted, LeadsInviteAndCloseAccounts) {
  start();
  const std::string anna = enter("anna"), lea = enter("lea");
  const Json wanted = {{"role", "lead"}, {"uses", 1}, {"hours", 1}};
  EXPECT_EQ(status_of(client().Get("/api/people", {{"Cookie", anna}})), 403);
  EXPECT_EQ(status_of(post("/api/invite", wanted, with_token(anna))), 403);
  EXPECT_EQ(status_of(post("/api/close", {{"name", "lea"}, {"closed", true}}, with_token(anna))), 403);
  EXPECT_EQ(status_of(post("/api/invite", wanted, {{"Cookie", lea}})), 401);  // no token
  const auto invited = post("/api/invite", wanted, with_token(lea));
  ASSERT_EQ(status_of(invited), 200) << invited->body;
  const std::string path = Json::parse(invited->body)["path"];
  ASSERT_EQ(path.substr(0, 6), "/join#");
  EXPECT_EQ(
      Json::parse(
          post("/api/join", {{"invite", path.substr(6)}, {"name", "max"}, {"password", kPassword}})->body),
      (Json{{"lead", true}}));
  for (const char* wrong :
       {R"({"role": "admin", "uses": 1, "hours": 1})", R"({"role": "lead", "uses": 0, "hours": 1})",
        R"({"role": "lead", "uses": 1, "hours": 8761})", R"({"role": "lead"})"})
    EXPECT_EQ(status_of(post("/api/invite", Json::parse(wrong), with_token(lea))), 400) << wrong;
  EXPECT_EQ(status_of(post("/api/close", {{"name", "Anna"}, {"closed", true}}, with_token(lea))), 200);
  EXPECT_EQ(status_of(client().Get("/api/state", {{"Cookie", anna}})), 401);
  EXPECT_EQ(status_of(post("/api/close", {{"name", "LEA"}, {"closed", true}}, with_token(lea))), 409);
  EXPECT_EQ(Json::parse(client().Get("/api/people", {{"Cookie", lea}})->body).size(), 3u);
}

TEST_F(Accounted, RequestsHaveARate) {
  start();
  int refused = 0;
  for (int i = 0; i < 400; ++i) refused += status_of(client().Get("/api.js")) == 429;
  EXPECT_GT(refused, 0);
  EXPECT_EQ(status_of(client().Get("/api.js")), 429);
  EXPECT_EQ(accounts_.all().size(), 2u);
}

TEST_F(Accounted, BehindAProxyCookiesAreSecureAndSendersAreWhatItSaw) {
  start({.behind_proxy = "https://label.example.org"});
  EXPECT_EQ(server_->url(), "https://label.example.org/");
  const httplib::Headers host = {{"Host", "label.example.org"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    httplib::Headers headers = host;
    headers.emplace(name, value);
    return headers;
  };
  const auto entered = sign_in("anna", kPassword, with("Origin", "https://label.example.org"));
  ASSERT_EQ(status_of(entered), 200);
  const std::string header = entered->get_header_value("Set-Cookie");
  EXPECT_EQ(header.substr(0, 12), "__Host-keel=");
  EXPECT_NE(header.find("; Secure"), std::string::npos);
  EXPECT_EQ(status_of(sign_in("anna", kPassword, with("Origin", "http://label.example.org"))), 403);
  EXPECT_EQ(status_of(client().Get("/", {{"Host", "evil.example"}})), 403);
  for (int i = 0; i < 31; ++i)
    sign_in("name " + std::to_string(i), "wrong password", with("X-Forwarded-For", "9.9.9.9, 1.2.3.4"));
  EXPECT_EQ(status_of(sign_in("lea", kPassword, with("X-Forwarded-For", "8.8.8.8, 1.2.3.4"))), 429);
  EXPECT_EQ(status_of(sign_in("lea", kPassword, with("X-Forwarded-For", "1.2.3.4, 5.6.7.8"))), 200);
}

TEST_F(Accounted, ListensElsewhereOnlyWithAccounts) {
  start({.host = "0.0.0.0"});
  EXPECT_EQ(status_of(client().Get("/api/state", {{"Host", "any.example:80"}})), 401);
  EXPECT_EQ(
      status_of(sign_in("anna", kPassword, {{"Host", "any.example"}, {"Origin", "http://any.example"}})),
      200);
  EXPECT_EQ(
      status_of(sign_in("anna", kPassword, {{"Host", "any.example"}, {"Origin", "http://evil.example"}})),
      403);
  for (const char* url :
       {"http://label.example.org", "label.example.org", "https://", "https://a/b", "https://a b"})
    EXPECT_THROW(LabelServer(*store_, {.port = 0, .behind_proxy = url}, {}, &accounts_), UsageError) << url;
  EXPECT_THROW(LabelServer(*store_, {.port = 0, .behind_proxy = "https://a"}, {}), UsageError);
}

TEST_F(Accounted, ProgramsKeepTheirTokens) {
  const Reader program = {.annotator = store_->add_annotator({.name = "program"}), .name = "program"};
  start({.tokens = {{"secret", program}}});
  const httplib::Headers bearer = {{"Authorization", "Bearer secret"}};
  EXPECT_EQ(status_of(post("/api/claim", {{"holder", "h"}}, bearer)), 200);
  EXPECT_EQ(Json::parse(client().Get("/api/state", bearer)->body)["annotator"], "program");
  EXPECT_EQ(status_of(client().Get("/api/state", {{"Authorization", "Bearer other"}})), 401);
}

TEST_F(Accounted, TheBoardAndItsExportsAreForLeads) {
  start();
  const httplib::Headers annotator = {{"Cookie", enter("anna")}}, lead = {{"Cookie", enter("lea")}};
  for (const char* path : {"/api/board", "/api/board/task?number=1", "/api/export/judgements.jsonl",
                           "/api/export/archive.jsonl", "/api/export/summary.json"}) {
    EXPECT_EQ(status_of(client().Get(path)), 401) << path;
    EXPECT_EQ(status_of(client().Get(path, annotator)), 403) << path;
    EXPECT_EQ(status_of(client().Get(path, lead)), 200) << path;
  }
  EXPECT_EQ(status_of(client().Get("/api/export/leaderboard.json", lead)), 409);  // no battle yet
  EXPECT_EQ(status_of(client().Get("/api/board?kinds=people", lead)), 400);
  EXPECT_EQ(status_of(client().Get("/api/board/task?number=1%20OR%201", lead)), 400);
  EXPECT_EQ(status_of(client().Get("/api/board/task?number=4711", lead)), 409);
  EXPECT_EQ(status_of(client().Get("/api/export/passwd", lead)), 404);
  const auto file = client().Get("/api/export/archive.jsonl", lead);
  EXPECT_EQ(file->get_header_value("Content-Disposition"), "attachment; filename=\"archive.jsonl\"");
  EXPECT_EQ(file->body.find("argon2"), std::string::npos);
}

}  // namespace
}  // namespace keel
