// Where the time of a step goes.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace keel {

/// Seconds by phase, in the order in which the phases were first met.
class PhaseTimes {
 public:
  struct Phase {
    std::string name;
    double seconds;
  };

  /// `settle` ends a phase: it waits for what the phase has asked of a device. Empty: nothing is asked.
  explicit PhaseTimes(std::function<void()> settle = {}) : settle_(std::move(settle)) {}

  /// Does the work, whose time is the phase's, also when it throws.
  template <class Work>
  auto measure(const char* name, const Work& work) {
    const Timer timer{*this, name, Clock::now()};
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      settle();
    } else {
      auto result = work();
      settle();
      return result;
    }
  }
  const std::vector<Phase>& phases() const { return phases_; }
  void clear() { phases_.clear(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Timer {
    PhaseTimes& times;
    const char* name;
    Clock::time_point began;
    ~Timer() { times.add(name, std::chrono::duration<double>(Clock::now() - began).count()); }
  };

  void settle() const {
    if (settle_) settle_();
  }
  void add(const char* name, double seconds) {
    for (Phase& phase : phases_)
      if (phase.name == name) {
        phase.seconds += seconds;
        return;
      }
    phases_.push_back({name, seconds});
  }

  std::function<void()> settle_;
  std::vector<Phase> phases_;
};

}  // namespace keel
