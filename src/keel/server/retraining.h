// One training at a time on a thread of its own, with a state that the page can ask for.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace keel {

class Retraining {
 public:
  enum class Phase { idle, running, done, failed };
  struct State {
    Phase phase = Phase::idle;
    std::string detail = {};    // the new run's folder, or why it failed
    int64_t trained_event = 0;  // the last event that a finished training has read
  };

  /// `train` may be empty: then start() refuses.
  Retraining(std::function<std::string(int64_t last_event)> train, int64_t trained_event);
  /// Waits for a training that runs.
  ~Retraining();
  Retraining(const Retraining&) = delete;
  Retraining& operator=(const Retraining&) = delete;

  bool possible() const { return static_cast<bool>(train_); }
  State state() const;
  /// False when one is running or none is possible.
  bool start(int64_t last_event);

 private:
  void run(int64_t last_event);

  const std::function<std::string(int64_t)> train_;
  mutable std::mutex mutex_;
  State state_;
  std::thread thread_;
};

}  // namespace keel
