#include "keel/server/label_server.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <thread>

#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/json.h"
#include "keel/base/log.h"
#include "keel/server/embedded.h"
#include "keel/server/label_desk.h"
#include "keel/server/requests.h"

namespace keel {
namespace {

constexpr size_t kLargestBody = 1 << 16;
constexpr int kWaiting = 1024;  // connections that nobody has taken up yet
constexpr std::array<const char*, 3> kThisMachine = {"127.0.0.1", "localhost", "::1"};

struct Refusal {
  int status;
  std::string message;
};

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

// "127.0.0.1:8080", "localhost:8080", "[::1]:8080": what a browser on this machine puts into Host.
bool names_this_server(std::string_view host, int port) {
  return std::any_of(kThisMachine.begin(), kThisMachine.end(), [&](const char* name) {
    const std::string address = bracketed(name);
    return host == address + ":" + std::to_string(port) || (port == 80 && host == address);
  });
}

// A body that Keel wants is JSON of a stated, small length; nothing that unpacks or comes in pieces.
std::optional<Refusal> check_body(const httplib::Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  if (type != "application/json" && !type.starts_with("application/json;"))
    return Refusal{415, "expected Content-Type application/json"};
  if (request.has_header("Transfer-Encoding") || !request.has_header("Content-Length"))
    return Refusal{411, "expected a Content-Length"};
  if (request.has_header("Content-Encoding")) return Refusal{415, "expected a body that is not compressed"};
  const std::string length = request.get_header_value("Content-Length");
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (error == std::errc::invalid_argument || end != length.data() + length.size())
    return Refusal{400, "expected a number as Content-Length"};
  if (error != std::errc() || bytes > kLargestBody)
    return Refusal{413, "expected a body of at most " + std::to_string(kLargestBody) + " bytes"};
  return std::nullopt;
}

// Before anything is routed or a body is read.
std::optional<Refusal> check_request(const httplib::Request& request, int port) {
  if (request.get_header_value_count("Host") != 1 ||
      !names_this_server(request.get_header_value("Host"), port))
    return Refusal{403, "expected this machine's name as Host: open the page by its address"};
  if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
  if (request.method != "POST") return Refusal{405, "expected GET or POST"};
  const std::string origin = request.get_header_value("Origin");  // every browser sends it with POST
  const bool own_origin = origin.starts_with("http://") && names_this_server(origin.substr(7), port);
  if (request.has_header("Origin") && !own_origin)
    return Refusal{403, "expected a request of the page itself, got one of another site"};
  return check_body(request);
}

void answer(httplib::Response& response, int status, const Json& body) {
  response.status = status;
  response.set_content(json_text(body), "application/json");
}

// Runs a request, and says what went wrong in one line.
void answer_with(httplib::Response& response, const std::function<Json()>& work) {
  try {
    answer(response, 200, work());
  } catch (const BadRequest& error) {
    answer(response, 400, {{"error", error.what()}});
  } catch (const feedback::Refused& error) {
    answer(response, 409, {{"error", error.what()}});
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

void check_options(const LabelOptions& options) {
  if (std::find(kThisMachine.begin(), kThisMachine.end(), options.host) == kThisMachine.end())
    throw UsageError("host", "expected 127.0.0.1, localhost or ::1, got " + json_text(Json(options.host)) +
                                 ": other machines need a login, which is not there yet");
  if (options.port < 0 || options.port > 65535)
    throw UsageError("port", "expected 0 to 65535, got " + std::to_string(options.port));
  if (options.annotator.empty()) throw UsageError("annotator", "expected a name, got an empty one");
}

}  // namespace

class LabelServer::Server {
 public:
  Server(feedback::Store& store, const LabelOptions& options, LabelHooks hooks)
      : options_(options),
        reader_{.annotator = store.add_annotator({.name = options.annotator}),
                .name = options.annotator,
                .is_lead = true},
        desk_(store, std::move(hooks), options.trained_event) {
    http_.set_default_headers(safe_headers());
    http_.set_keep_alive_max_count(1);
    http_.set_payload_max_length(kLargestBody);
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
  int port() const { return port_; }
  std::string url() const { return "http://" + bracketed(options_.host) + ":" + std::to_string(port_) + "/"; }

 private:
  void bind() {
    port_ = options_.port == 0                                 ? http_.bind_to_any_port(options_.host)
            : http_.bind_to_port(options_.host, options_.port) ? options_.port
                                                               : -1;
    if (port_ < 0)
      throw Error(options_.host + ":" + std::to_string(options_.port),
                  "cannot listen: " + system_message(errno) + "; choose another --port");
    ::listen(socket_,
             kWaiting);  // the library lets five wait; who comes sixth would try again after a second
  }

  void set_routes() {
    http_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      std::optional<Refusal> refusal = check_request(request, port_);
      if (!refusal && request.has_header("Authorization") && !options_.tokens.contains(token_of(request)))
        refusal = Refusal{401, "expected a token that this server knows"};
      if (!refusal) return httplib::Server::HandlerResponse::Unhandled;
      answer(response, refusal->status, {{"error", "[request] " + refusal->message}});
      return httplib::Server::HandlerResponse::Handled;
    });
    file("/", "label.html");
    for (const std::string_view name : embedded_names()) file("/" + std::string(name), name);
    http_.Get("/api/state", [this](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] { return desk_.state(reader_of(request)); });
    });
    http_.Get("/api/guidelines", [this](const httplib::Request&, httplib::Response& response) {
      answer_with(response, [&] { return desk_.guidelines(); });
    });
    call("/api/claim", &LabelDesk::claim);
    call("/api/renew", &LabelDesk::renew);
    call("/api/release", &LabelDesk::release);
    call("/api/submit", &LabelDesk::submit);
    call("/api/train", &LabelDesk::train);
  }

  void file(const std::string& path, std::string_view name) {
    const char* type = type_of(name);
    http_.Get(pattern_of(path), [name, type](const httplib::Request&, httplib::Response& response) {
      const std::string_view content = embedded_file(name);
      response.set_content(content.data(), content.size(), type);
    });
  }

  void call(const char* path, Json (LabelDesk::*method)(const Reader&, const Json&)) {
    http_.Post(path, [this, method](const httplib::Request& request, httplib::Response& response) {
      answer_with(response, [&] { return (desk_.*method)(reader_of(request), parse_body(request.body)); });
    });
  }

  // The one whose token a program shows, else the one at the page.
  const Reader& reader_of(const httplib::Request& request) const {
    const auto found = options_.tokens.find(token_of(request));
    return found == options_.tokens.end() ? reader_ : found->second;
  }

  // Ends the loop of listen() once, when asked to; the library's stop() counts only while the loop runs.
  void watch(const std::stop_token& done) {
    while (!done.stop_requested()) {
      if ((stopping_ || interrupt_requested()) && http_.is_running()) return http_.stop();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  const LabelOptions options_;
  const Reader reader_;
  httplib::Server http_;
  LabelDesk desk_;
  int port_ = -1, socket_ = -1;
  std::atomic<bool> stopping_ = false;
};

LabelServer::LabelServer(feedback::Store& store, const LabelOptions& options, LabelHooks hooks) {
  check_options(options);
  server_ = std::make_unique<Server>(store, options, std::move(hooks));
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
