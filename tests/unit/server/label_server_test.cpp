#include "keel/server/label_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

#include "keel/base/json.h"
#include "keel/server/embedded.h"
#include "temporary_folder.h"

namespace keel {
namespace {

class Server : public testing::Test {
 protected:
  Server() : store_(feedback::open_store(folder_ / "feedback.db", feedback::Access::create)) {
    for (int i = 0; i < 3; ++i) {
      const int64_t prompt = store_->add_prompt({.text = "p" + std::to_string(i)});
      for (const char* text : {"<b>one</b>", "two"})
        store_->add_completion({.prompt = prompt, .passage = {.text = text}});
    }
    store_->add_rankings(2, 0);
    server_ = std::make_unique<LabelServer>(*store_, LabelOptions{.port = 0}, LabelHooks{});
    thread_ = std::thread([this] { server_->listen(); });
  }
  ~Server() override {
    server_->stop();
    thread_.join();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  httplib::Client client() { return httplib::Client("127.0.0.1", server_->port()); }
  httplib::Result post(const std::string& path, const std::string& body, httplib::Headers headers = {},
                       const char* type = "application/json") {
    return client().Post(path, headers, body, type);
  }
  int status_of(const httplib::Result& result) { return result ? result->status : -1; }
  Json claim() { return Json::parse(post("/api/claim", R"({"holder": "h"})")->body)["task"]; }
  Json judgement(const std::string& key) {
    const Json task = claim();
    Json request = {{"store", store_->identity()}, {"key", key},
                    {"type", "ranking"},           {"ranks", {1, 2}},
                    {"task", task["id"]},          {"prompt", task["prompt"]}};
    request["completions"] = {task["completions"][0]["id"], task["completions"][1]["id"]};
    return request;
  }
  int64_t judgements() { return store_->size().judgements; }

  // Sends pieces as they are, each in a packet of its own, and reads until the server closes.
  std::string raw(const std::vector<std::string>& pieces) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(server_->port()));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    for (const std::string& piece : pieces) {
      ::send(socket, piece.data(), piece.size(), MSG_NOSIGNAL);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::string answer;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<size_t>(got));
    ::close(socket);
    return answer;
  }
  std::string raw(const std::string& bytes) { return raw(std::vector<std::string>{bytes}); }

  TemporaryFolder folder_;
  std::unique_ptr<feedback::Store> store_;
  std::unique_ptr<LabelServer> server_;
  std::thread thread_;
};

TEST_F(Server, ServesThePageWithAStrictPolicy) {
  for (const auto& [path, name] : std::map<std::string, std::string>{{"/", "label.html"},
                                                                     {"/label.js", "label.js"},
                                                                     {"/label.css", "label.css"},
                                                                     {"/api.js", "api.js"}}) {
    const auto result = client().Get(path);
    ASSERT_EQ(status_of(result), 200) << path;
    EXPECT_EQ(result->body, embedded_file(name));
    EXPECT_FALSE(result->body.empty());
    const std::string policy = result->get_header_value("Content-Security-Policy");
    EXPECT_EQ(policy.substr(0, 37), "default-src 'none'; script-src 'self'");
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_NE(policy.find("require-trusted-types-for 'script'"), std::string::npos);
    EXPECT_EQ(result->get_header_value("X-Content-Type-Options"), "nosniff");
  }
  EXPECT_EQ(status_of(client().Get("/label.db")), 404);
  EXPECT_EQ(status_of(client().Get("/../feedback.db")), 404);
}

TEST_F(Server, PagesHaveNoInlineCodeAndWriteNoHtml) {
  for (const std::string_view name : embedded_names()) {
    const std::string text(embedded_file(name));
    for (const char* inlined : {"style=", "onclick", "<style", "<script>", "javascript:"})
      EXPECT_EQ(text.find(inlined), std::string::npos) << name << ": " << inlined;
    for (const char* way : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                            "Function(", "srcdoc", "createContextualFragment", "setHTML"})
      EXPECT_EQ(text.find(way), std::string::npos) << name << ": " << way;
    EXPECT_EQ(text.find("parseFromString") != std::string::npos, name == "safe_html.js") << name;
  }
}

TEST_F(Server, ClaimsJudgesAndAnswersTheSameKeyTheSameWay) {
  const Json state = Json::parse(client().Get("/api/state")->body);
  EXPECT_EQ(state["remaining"], 3);
  const Json request = judgement("key");
  const auto first = post("/api/submit", json_text(request));
  ASSERT_EQ(status_of(first), 200) << first->body;
  EXPECT_EQ(first->get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(Json::parse(first->body)["state"]["done"], 1);
  const auto second = post("/api/submit", json_text(request));
  EXPECT_EQ(Json::parse(second->body)["receipt"], Json::parse(first->body)["receipt"]);
  EXPECT_EQ(judgements(), 1);
  Json other = request;
  other["ranks"] = {2, 1};
  EXPECT_EQ(status_of(post("/api/submit", json_text(other))), 409);
  EXPECT_EQ(judgements(), 1);
}

TEST_F(Server, OnlyThisMachinesNamesAreHosts) {
  const std::string port = std::to_string(server_->port());
  for (const std::string& host : {"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port})
    EXPECT_EQ(status_of(client().Get("/api/state", {{"Host", host}})), 200) << host;
  for (const std::string& host :
       {std::string("evil.example"), "evil.example:" + port, std::string("127.0.0.1"),
        std::string("localhost:1"), "localhost.evil.example:" + port, "127.0.0.1:" + port + ".evil.example",
        std::string()})
    EXPECT_EQ(status_of(client().Get("/api/state", {{"Host", host}})), 403) << host;
  EXPECT_NE(raw("GET /api/state HTTP/1.1\r\n\r\n").find(" 403 "), std::string::npos);
  EXPECT_NE(raw("GET / HTTP/1.1\r\nHost: " + address() + "\r\nHost: evil.example\r\n\r\n").find(" 403 "),
            std::string::npos);
}

TEST_F(Server, OtherSitesCannotPost) {
  const std::string body = json_text(judgement("key"));
  for (const std::string& origin :
       {std::string("http://evil.example"), std::string("null"), "https://" + address(),
        std::string("http://127.0.0.1:1"), "http://" + address() + ".evil.example"})
    EXPECT_EQ(status_of(post("/api/submit", body, {{"Origin", origin}})), 403) << origin;
  EXPECT_EQ(judgements(), 0);
  EXPECT_EQ(status_of(post("/api/submit", body, {{"Origin", "http://" + address()}})), 200);
}

TEST_F(Server, BodiesAreSmallPlainJson) {
  const std::string body = json_text(judgement("key"));
  EXPECT_EQ(status_of(post("/api/submit", body, {}, "text/plain")), 415);
  EXPECT_EQ(status_of(post("/api/submit", body, {}, "application/x-www-form-urlencoded")), 415);
  EXPECT_EQ(status_of(post("/api/submit", body, {{"Content-Encoding", "gzip"}})), 415);
  const auto large = post("/api/submit", std::string((1 << 16) + 1, ' '));
  EXPECT_EQ(status_of(large), 413);
  EXPECT_NE(large->body.find("at most 65536 bytes"), std::string::npos) << large->body;
  EXPECT_EQ(status_of(client().Put("/api/submit", body, "application/json")), 405);
  const std::string start =
      "POST /api/submit HTTP/1.1\r\nHost: " + address() + "\r\nContent-Type: application/json\r\n";
  for (const char* length : {"", "Content-Length: 5\r\n"})
    EXPECT_NE(raw(start + length + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n").find(" 411 "),
              std::string::npos);
  EXPECT_NE(raw(start + "Content-Length: 99999999999999999999\r\n\r\n").find(" 413 "), std::string::npos);
  EXPECT_NE(raw(start + "Content-Length: many\r\n\r\n").find(" 400 "), std::string::npos);
  EXPECT_EQ(judgements(), 0);
}

TEST_F(Server, BadRequestsAreOneLineOfJson) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("{}"), std::string("\xff"),
        std::string(30000, '[') + std::string(30000, ']'), std::string("{\"holder\": 7}")}) {
    const auto result = post("/api/claim", body);
    ASSERT_EQ(status_of(result), 400) << body.substr(0, 20);
    const std::string message = Json::parse(result->body)["error"];
    EXPECT_EQ(message.substr(0, 19), "[request] expected ");
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  Json unknown = judgement("key");
  unknown["completions"][0] = 4711;
  const auto result = post("/api/submit", json_text(unknown));
  EXPECT_EQ(status_of(result), 409);
  EXPECT_NE(result->body.find("got number 4711"), std::string::npos);
  EXPECT_EQ(status_of(post("/api/train", "{}")), 409);
  EXPECT_EQ(judgements(), 0);
}

// A page elsewhere may send any text as a body. If a refused request's body were read as the next request on
// the connection, it would come without an Origin.
TEST_F(Server, ABodyIsNeverReadAsTheNextRequest) {
  const std::string inner = json_text(judgement("smuggled"));
  const std::string smuggled =
      "POST /api/submit HTTP/1.1\r\nHost: " + address() +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(inner.size()) + "\r\n\r\n" +
      inner;
  const std::string answer =
      raw({"POST /api/submit HTTP/1.1\r\nHost: " + address() +
               "\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\nContent-Length: " +
               std::to_string(smuggled.size()) + "\r\n\r\n",
           smuggled});
  EXPECT_NE(answer.find(" 403 "), std::string::npos);
  EXPECT_EQ(answer.find(" 200 "), std::string::npos);
  EXPECT_EQ(judgements(), 0);
  EXPECT_NE(raw(smuggled).find(" 200 "), std::string::npos);  // the same bytes by themselves are a request
}

TEST_F(Server, ATakenPortIsAnErrorNotASecondServer) {
  const std::string message = message_of([&] { LabelServer second(*store_, {.port = server_->port()}, {}); });
  EXPECT_NE(message.find("[" + address() + "] cannot listen"), std::string::npos) << message;
}

TEST_F(Server, OnlyLoopbackHostsAreServed) {
  for (const char* host : {"0.0.0.0", "::", "192.168.0.1", "example.org", ""}) {
    EXPECT_THROW(LabelServer(*store_, {.host = host, .port = 0}, {}), UsageError) << host;
  }
  EXPECT_NE(message_of([&] { LabelServer(*store_, {.host = "0.0.0.0"}, {}); }).find("add --accounts"),
            std::string::npos);
  EXPECT_THROW(LabelServer(*store_, {.port = 70000}, {}), UsageError);
  EXPECT_THROW(LabelServer(*store_, {.port = 0, .annotator = ""}, {}), UsageError);
}

TEST_F(Server, ReadersAtOnceLoseNothing) {
  std::vector<std::thread> readers;
  const Json request = judgement("base");
  for (int t = 0; t < 4; ++t)
    readers.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        Json own = request;
        own.erase("ranks");
        own["key"] = std::to_string(t) + "-" + std::to_string(i);
        own["type"] = "skip";  // a task takes one answer, but any number of these
        EXPECT_EQ(status_of(post("/api/submit", json_text(own))), 200);
      }
    });
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(judgements(), 40);
}

TEST(ServerStop, MayComeBeforeListening) {
  TemporaryFolder folder;
  const auto store = feedback::open_store(folder / "feedback.db", feedback::Access::create);
  LabelServer server(*store, {.port = 0}, {});
  server.stop();
  server.listen();  // returns
}

}  // namespace
}  // namespace keel
