// One line on standard error that says how far a stage is, how fast it goes and what is left of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace keel {

/// On a terminal the line is rewritten in place; elsewhere a line appears at most every ten seconds.
class Progress {
 public:
  /// `unit` names what is counted ("step", "prompt"); `total` <= 0 means unknown.
  Progress(std::string stage, std::string unit, int64_t total, int64_t already_done = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `note` is shown at the end of the line: "loss 2.31".
  void update(int64_t done, std::string_view note = {});
  /// Tokens that the stage has worked on since it began; their rate is shown.
  void count_tokens(int64_t tokens) { tokens_ = tokens; }
  /// What products_counted() has grown by is shown as a share of this rate, operations a second.
  void compare_with(double matrix_rate) { matrix_rate_ = matrix_rate; }

 private:
  void print(int64_t done, std::string_view note);

  using Clock = std::chrono::steady_clock;
  std::string stage_, unit_;
  int64_t total_, start_, tokens_ = 0;
  double matrix_rate_ = 0, products_before_;
  Clock::time_point began_, printed_;
  bool terminal_, printed_any_ = false;
};

/// "45 s", "3.2 min", "1.4 h".
std::string duration_text(double seconds);

}  // namespace keel
