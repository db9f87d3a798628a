#include "keel/server/retraining.h"

#include <exception>
#include <utility>

namespace keel {

Retraining::Retraining(std::function<std::string(int64_t)> train, int64_t trained_event)
    : train_(std::move(train)), state_{.trained_event = trained_event} {}

Retraining::~Retraining() {
  if (thread_.joinable()) thread_.join();
}

Retraining::State Retraining::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool Retraining::start(int64_t last_event) {
  const std::lock_guard lock(mutex_);
  if (!possible() || state_.phase == Phase::running) return false;
  if (thread_.joinable()) thread_.join();  // it has ended: its last act was to leave the phase `running`
  state_.phase = Phase::running;
  state_.detail.clear();
  thread_ = std::thread([this, last_event] { run(last_event); });
  return true;
}

void Retraining::run(int64_t last_event) {
  State next{.phase = Phase::done, .trained_event = last_event};
  try {
    next.detail = train_(last_event);
  } catch (const std::exception& error) {
    next.phase = Phase::failed;
    next.detail = error.what();
  }
  const std::lock_guard lock(mutex_);
  if (next.phase == Phase::failed) next.trained_event = state_.trained_event;
  state_ = next;
}

}  // namespace keel
