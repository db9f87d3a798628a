// The label page over HTTP, on this machine only: `keel label`.
//
// There is no login yet, so the server answers only requests that name this machine as their host and come
// from its own page: a web page elsewhere can neither read nor write here (DNS rebinding, cross-site
// requests). One request a connection: the body of a refused request is never read as the next one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "keel/feedback/store.h"
#include "keel/server/label_hooks.h"
#include "keel/server/task_view.h"

namespace keel {

struct LabelOptions {
  std::string host = "127.0.0.1";  // or "localhost", "::1"
  int port = 8080;                 // 0 picks a free one
  std::string annotator = "reader";
  int64_t trained_event =
      0;  // the last event that the reward model has seen; human rankings behind it are new
  /// Programs that judge beside the reader: a request with "Authorization: Bearer <token>" is that
  /// annotator's.
  std::map<std::string, Reader> tokens = {};
};

class LabelServer {
 public:
  /// Binds the port. `store` outlives the server.
  /// Errors: UsageError for a host that is not this machine or a port out of range; [host:port] the port is
  /// taken.
  LabelServer(feedback::Store& store, const LabelOptions& options, LabelHooks hooks);
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
