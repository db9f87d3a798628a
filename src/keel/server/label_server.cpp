#include "keel/server/label_server.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <ctime>
#include <thread>

#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/json.h"
#include "keel/base/log.h"
#include "keel/server/account_desk.h"
#include "keel/server/board.h"
#include "keel/server/chat_desk.h"
#include "keel/server/embedded.h"
#include "keel/server/exports.h"
#include "keel/server/label_desk.h"
#include "keel/server/rate_limit.h"
#include "keel/server/request_checks.h"
#include "keel/server/requests.h"

namespace keel {
namespace {

constexpr int kWaiting = 1024;   // connections that nobody has taken up yet
constexpr size_t kThreads = 32;  // most of them wait for a slow sender or for the disk
constexpr std::array kPages = {std::pair{"/", "label.html"}, std::pair{"/sign-in", "sign_in.html"},
                               std::pair{"/join", "join.html"}, std::pair{"/board", "board.html"},
                               std::pair{"/chat", "chat.html"}};

void answer(httplib::Response& response, int status, const Json& body) {
  response.status = status;
  response.set_content(json_text(body), "application/json");
}

void put(httplib::Response& response, const Json& body) {
  answer(response, 200, body);
}

void put(httplib::Response& response, const std::string& file) {
  response.set_content(file, "application/octet-stream");
}

// Runs a request, and says what went wrong in one line.
template <class Work>
void answer_with(httplib::Response& response, const Work& work) {
  try {
    put(response, work());
  } catch (const BadRequest& error) {
    answer(response, 400, {{"error", error.what()}});
  } catch (const SignedOut& error) {
    answer(response, 401, {{"error", error.what()}});
  } catch (const Forbidden& error) {
    answer(response, 403, {{"error", error.what()}});
  } catch (const feedback::Refused& error) {
    answer(response, 409, {{"error", error.what()}});
  } catch (const TooMany& error) {
    response.set_header("Retry-After", "60");
    answer(response, 429, {{"error", error.what()}});
  } catch (const feedback::Busy& error) {
    answer(response, 503, {{"error", error.what()}});
  } catch (const std::exception& error) {
    log_warning(error.what());
    answer(response, 500, {{"error", error.what()}});
  }
}

Json parse_body(const std::string& body) {
  try {
    return Json::parse(body);
  } catch (const Json::exception&) {
    throw BadRequest("expected JSON, got something else");
  }
}

// "Authorization: Bearer <token>"; "" without one.
std::string token_of(const httplib::Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string header = request.get_header_value("Authorization");
  return header.starts_with(kScheme) ? header.substr(kScheme.size()) : "";
}

httplib::Headers safe_headers() {
  return {{"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
           "require-trusted-types-for 'script'; trusted-types keel"},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cache-Control", "no-store"}};
}

const char* type_of(std::string_view name) {
  return name.ends_with(".html")  ? "text/html; charset=utf-8"
         : name.ends_with(".css") ? "text/css; charset=utf-8"
                                  : "text/javascript; charset=utf-8";
}

// The library takes paths as regular expressions.
std::string pattern_of(std::string_view path) {
  std::string pattern;
  for (const char c : path) pattern += c == '.' ? "\\." : std::string(1, c);
  return pattern;
}

// The value of a cookie that stands there once, or "".
std::string cookie_of(const httplib::Request& request, const std::string& name) {
  std::string found;
  for (size_t i = 0; i < request.get_header_value_count("Cookie"); ++i) {
    const std::string header = request.get_header_value("Cookie", i);
    for (size_t at = 0; at < header.size();) {
      const size_t end = std::min(header.find(';', at), header.size());
      const std::string pair = header.substr(at, end - at);
      if (pair.starts_with(name + "=")) {
        if (!found.empty()) return "";
        found = pair.substr(name.size() + 1);
      }
      at = std::min(header.find_first_not_of(' ', end + 1), header.size());
    }
  }
  return found;
}

feedback::Kinds kinds_of(const httplib::Request& request) {
  const std::string name = request.has_param("kinds") ? request.get_param_value("kinds") : "human";
  try {
    return feedback::kinds_named(name);
  } catch (const UsageError& error) {
    throw BadRequest("expected human, simulated, ai or all as kinds, got another value");
  }
}

int64_t number_of(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw BadRequest("expected a number, got another value");
  return number;
}

void check_options(const LabelOptions& options, bool has_accounts) {
  if (options.host.empty()) throw UsageError("host", "expected an address to listen on, got an empty one");
  if (!has_accounts && !is_loopback(options.host))
    throw UsageError("host", "expected 127.0.0.1, localhost or ::1 without accounts, got " +
                                 json_text(Json(options.host)) +
                                 ": add --accounts, then people log in (keel feedback invite)");
  if (!options.behind_proxy.empty()) {
    host_of_url(options.behind_proxy);
    if (!has_accounts)
      throw UsageError("behind_proxy", "expected --accounts beside it, then people log in, got none");
  }
  if (options.port < 0 || options.port > 65535)
    throw UsageError("port", "expected 0 to 65535, got " + std::to_string(options.port));
  if (options.annotator.empty()) throw UsageError("annotator", "expected a name, got an empty one");
}

}  // namespace

class LabelServer::Server {
 public:
  Server(feedback::Store& store, const LabelOptions& options, LabelHooks hooks, feedback::Accounts* accounts)
      : options_(options),
        store_(store),
        chat_desk_(hooks.chat.answer ? std::make_unique<ChatDesk>(store, hooks.chat) : nullptr),
        desk_(store, std::move(hooks), options.trained_event, options.qualification),
        board_(store) {
    if (accounts != nullptr)
      account_desk_ = std::make_unique<AccountDesk>(*accounts);
    else
      reader_ = {.annotator = store.add_annotator({.name = options.annotator}),
                 .name = options.annotator,
                 .is_lead = true};
    http_.set_default_headers(safe_headers());
    http_.set_keep_alive_max_count(1);
    http_.set_payload_max_length(kLargestBody);
    http_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    // The library's own choice, SO_REUSEPORT, would let two servers share a port in silence.
    http_.set_socket_options([this](int socket) {
      const int yes = 1;
      socket_ = socket;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_routes();
    bind();
  }

  void listen() {
    std::jthread watcher([this](const std::stop_token& done) { watch(done); });
    http_.listen_after_bind();
  }

  void stop() { stopping_ = true; }
  int port() const { return place_.port; }
  std::string url() const {
    return options_.behind_proxy.empty()
               ? "http://" + bracketed(options_.host) + ":" + std::to_string(port()) + "/"
               : options_.behind_proxy + "/";
  }

 private:
  void bind() {
    const int port = options_.port == 0 ? http_.bind_to_any_port(options_.host)
                     : http_.bind_to_port(options_.host, options_.port) ? options_.port
                                                                        : -1;
    if (port < 0)
      throw Error(options_.host + ":" + std::to_string(options_.port),
                  "cannot listen: " + system_message(errno) + "; choose another --port");
    ::listen(socket_, kWaiting);  // the library lets five wait; a sixth would try again after a second
    place_ = {.port = port,
              .public_url = options_.behind_proxy,
              .open = account_desk_ != nullptr && !is_loopback(options_.host)};
    cookie_ = options_.behind_proxy.empty() ? "keel-" + std::to_string(port) : "__Host-keel";
  }

  void set_routes() {
    http_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      const std::optional<Refusal> refusal = refusal_of(request);
      if (!refusal) return httplib::Server::HandlerResponse::Unhandled;
      answer(response, refusal->status, {{"error", "[request] " + refusal->message}});
      return httplib::Server::HandlerResponse::Handled;
    });
    for (const auto& [path, name] : kPages) file(path, name);
    for (const std::string_view name : embedded_names()) file("/" + std::string(name), name);
    get("/api/state", [this](const httplib::Request& request) { return state(request); });
    get("/api/guidelines", [this](const httplib::Request& request) {
      reader_of(request);
      return desk_.guidelines();
    });
    call("/api/claim", &LabelDesk::claim);
    call("/api/renew", &LabelDesk::renew);
    call("/api/release", &LabelDesk::release);
    call("/api/submit", &LabelDesk::submit);
    call("/api/train", &LabelDesk::train);
    call("/api/keep", &LabelDesk::keep);
    call("/api/return", &LabelDesk::send_back);
    http_.Post("/api/chat", [this](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] {
        reader_of(request);
        if (!chat_desk_)
          throw feedback::Refused("chat", "expected a model to talk to, got none: keel label --chat-model");
        return chat_desk_->say(parse_body(request.body));
      });
    });
    set_board_routes();
    if (account_desk_) set_account_routes();
  }

  void set_board_routes() {
    get("/api/board", [this](const httplib::Request& request) {
      check_lead(request);
      return board_.overview(kinds_of(request), std::time(nullptr));
    });
    get("/api/board/task", [this](const httplib::Request& request) {
      check_lead(request);
      return board_.task(number_of(request.get_param_value("number")));
    });
    for (const std::string_view name : export_names()) {
      http_.Get(pattern_of("/api/export/" + std::string(name)), [this, name](const httplib::Request& request,
                                                                             httplib::Response& response) {
        answer_with(response, [&] {
          check_lead(request);
          const std::string content =
              exported(store_, name, kinds_of(request), request.get_param_value("names") == "pseudonyms");
          response.set_header("Content-Disposition", "attachment; filename=\"" + std::string(name) + "\"");
          return content;
        });
      });
    }
  }

  void set_account_routes() {
    enter("/api/sign-in", &AccountDesk::sign_in);
    enter("/api/join", &AccountDesk::join);
    get("/api/people", [this](const httplib::Request& request) {
      check_lead(request);
      return account_desk_->people();
    });
    lead_call("/api/invite", &AccountDesk::invite);
    lead_call("/api/close", &AccountDesk::set_closed);
    http_.Post("/api/sign-out", [this](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] {
        reader_of(request);
        account_desk_->sign_out(cookie_of(request, cookie_));
        response.set_header("Set-Cookie", cookie("", 0));
        return Json::object();
      });
    });
  }

  void file(const std::string& path, std::string_view name) {
    const char* type = type_of(name);
    http_.Get(pattern_of(path), [name, type](const httplib::Request&, httplib::Response& response) {
      const std::string_view content = embedded_file(name);
      response.set_content(content.data(), content.size(), type);
    });
  }

  void get(const char* path, std::function<Json(const httplib::Request&)> work) {
    http_.Get(path, [work = std::move(work)](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] { return work(request); });
    });
  }

  void call(const char* path, Json (LabelDesk::*method)(const Reader&, const Json&)) {
    http_.Post(path, [this, method](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] { return (desk_.*method)(reader_of(request), parse_body(request.body)); });
    });
  }

  void lead_call(const char* path, Json (AccountDesk::*method)(const Reader&, const Json&)) {
    http_.Post(path, [this, method](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] {
        check_lead(request);
        return (account_desk_.get()->*method)(reader_of(request), parse_body(request.body));
      });
    });
  }

  // What begins a session.
  void enter(const char* path, AccountDesk::Entered (AccountDesk::*method)(const std::string&, const Json&)) {
    http_.Post(path, [this, method](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] {
        const auto entered = (account_desk_.get()->*method)(sender(request), parse_body(request.body));
        response.set_header("Set-Cookie", cookie(entered.session, feedback::kSessionSeconds));
        return entered.answer;
      });
    });
  }

  // With the token that the page's changes must carry, where people log in.
  Json state(const httplib::Request& request) {
    Json state = desk_.state(reader_of(request));
    state["chat"] = chat_desk_ != nullptr;
    if (account_desk_ && token_of(request).empty())
      state["token"] = AccountDesk::token_of(cookie_of(request, cookie_));
    return state;
  }

  std::string cookie(const std::string& value, int64_t seconds) const {
    return cookie_ + "=" + value + "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(seconds) +
           (options_.behind_proxy.empty() ? "" : "; Secure");
  }

  std::string sender(const httplib::Request& request) const {
    return sender_of(request, !options_.behind_proxy.empty());
  }

  std::optional<Refusal> refusal_of(const httplib::Request& request) {
    if (auto refusal = check_request(request, place_)) return refusal;
    if (request.has_header("Authorization"))
      return options_.tokens.contains(token_of(request))
                 ? std::nullopt
                 : std::optional(Refusal{401, "expected a token that this server knows"});
    if (!account_desk_) return std::nullopt;
    const auto reader = account_desk_->reader(cookie_of(request, cookie_));
    if (requests_.take(reader ? "account " + reader->name : sender(request), steady_seconds()))
      return std::nullopt;
    return Refusal{429, "expected fewer requests: try again in a moment"};
  }

  // The one whose token a program shows, else the one who is logged in; without accounts the one at the page.
  // Errors: SignedOut.
  Reader reader_of(const httplib::Request& request) const {
    const auto found = options_.tokens.find(token_of(request));
    if (found != options_.tokens.end()) return found->second;
    if (!account_desk_) return reader_;
    const std::string session = cookie_of(request, cookie_);
    const std::optional<Reader> reader = account_desk_->reader(session);
    if (!reader) throw SignedOut("expected somebody who is logged in, got nobody");
    if (request.method == "POST" &&
        !AccountDesk::is_token_of(session, request.get_header_value("X-Keel-Token")))
      throw SignedOut("expected the token of this session: open the page again");
    return *reader;
  }

  void check_lead(const httplib::Request& request) const {
    if (!reader_of(request).is_lead)
      throw Forbidden("expected a lead, got an annotator: the board is for leads");
  }

  // Ends the loop of listen() once, when asked to; the library's stop() counts only while the loop runs.
  void watch(const std::stop_token& done) {
    while (!done.stop_requested()) {
      if ((stopping_ || interrupt_requested()) && http_.is_running()) return http_.stop();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  const LabelOptions options_;
  feedback::Store& store_;
  Reader reader_;  // without accounts
  httplib::Server http_;
  std::unique_ptr<ChatDesk> chat_desk_;
  LabelDesk desk_;
  int socket_ = -1;
  Board board_;
  std::unique_ptr<AccountDesk> account_desk_;
  RateLimit requests_{200, 20};  // of an account, or of strangers from one address
  Place place_;
  std::string cookie_;  // its name: servers on one machine share cookies, whatever their ports
  std::atomic<bool> stopping_ = false;
};

LabelServer::LabelServer(feedback::Store& store, const LabelOptions& options, LabelHooks hooks,
                         feedback::Accounts* accounts) {
  check_options(options, accounts != nullptr);
  server_ = std::make_unique<Server>(store, options, std::move(hooks), accounts);
}

LabelServer::~LabelServer() = default;

void LabelServer::listen() {
  log_info("label: " + url() + " (Ctrl-C ends it; nothing acknowledged is lost)");
  server_->listen();
}

void LabelServer::stop() {
  server_->stop();
}
int LabelServer::port() const {
  return server_->port();
}
std::string LabelServer::url() const {
  return server_->url();
}

}  // namespace keel
