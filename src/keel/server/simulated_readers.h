// Simulated annotators at the page's own interface: each claims, reads, ranks and submits over HTTP, as
// people's browsers do, so that a whole round of feedback can be rehearsed before people are asked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "keel/simulation/annotators.h"

namespace keel {

/// An annotator and the token that the server knows it by.
struct SimulatedReader {
  Annotator annotator = {};
  std::string token = {};
};

/// The demo's annotators in turn, numbered from the second time on, each with a token of its own.
std::vector<SimulatedReader> simulated_readers(int64_t count);

class SimulatedReaders {
 public:
  /// How good a text is, which the annotators see through their noise.
  using Quality = std::function<double(const std::string& prompt, const std::string& text)>;

  /// Starts a thread for each reader. What one ranks of a task is drawn by (seed, task, reader), whenever and
  /// by whichever server it is asked.
  SimulatedReaders(int port, std::vector<SimulatedReader> readers, Quality quality, uint64_t seed);
  /// Each ends after the task that it is at.
  ~SimulatedReaders();
  SimulatedReaders(const SimulatedReaders&) = delete;
  SimulatedReaders& operator=(const SimulatedReaders&) = delete;

 private:
  void work(const std::stop_token& stop, uint32_t number) const;

  const int port_;
  const std::vector<SimulatedReader> readers_;
  const Quality quality_;
  const uint64_t seed_;
  std::vector<std::jthread> threads_;  // last: they stop before what they read goes
};

}  // namespace keel
