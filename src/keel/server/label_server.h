// The label page over HTTP: `keel label`.
//
// Without accounts it is for who sits at this machine (request_checks.h says how others are kept out). With
// accounts people log in: a session's cookie that no script reads, a token beside it for every change. One
// request a connection: the body of a refused request is never read as the next one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "keel/feedback/accounts.h"
#include "keel/feedback/store.h"
#include "keel/server/label_hooks.h"
#include "keel/server/task_view.h"

namespace keel {

struct LabelOptions {
  std::string host = "127.0.0.1";    // or "localhost", "::1"; with accounts any address of this machine
  int port = 8080;                   // 0 picks a free one
  std::string annotator = "reader";  // without accounts
  std::string behind_proxy = {};     // "https://label.example.org": where a TLS proxy serves these pages
  int64_t trained_event =
      0;  // the last event that the reward model has seen; human rankings behind it are new
  double qualification = 0.8;  // the share of the qualification round that must be right
  /// Programs that judge beside the reader: a request with "Authorization: Bearer <token>" is that
  /// annotator's.
  std::map<std::string, Reader> tokens = {};
};

class LabelServer {
 public:
  /// Binds the port. `store` and `accounts` outlive the server; without accounts nobody logs in.
  /// Errors: UsageError for a host or a proxy that other machines reach without accounts, or a port out of
  /// range; [host:port] the port is taken.
  LabelServer(feedback::Store& store, const LabelOptions& options, LabelHooks hooks,
              feedback::Accounts* accounts = nullptr);
  /// Stops, and waits for a training that runs.
  ~LabelServer();
  LabelServer(const LabelServer&) = delete;
  LabelServer& operator=(const LabelServer&) = delete;

  /// Answers requests until stop() is called or the program is interrupted.
  void listen();
  /// From any thread; also before listen().
  void stop();
  int port() const;
  /// "http://127.0.0.1:8080/".
  std::string url() const;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace keel
