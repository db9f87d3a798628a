// How often something may happen, by key: a bucket of tokens each, which refills at a steady rate.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace keel {

/// Seconds by a clock that never goes back.
double steady_seconds();

/// Safe to use from several threads. Holds no more than kMostKeys buckets: of strangers beyond that, those
/// that have waited longest are forgotten first.
class RateLimit {
 public:
  static constexpr size_t kMostKeys = 20'000;

  /// `burst` at once, `per_second` in the long run.
  RateLimit(double burst, double per_second) : burst_(burst), per_second_(per_second) {}

  /// Takes a token; false: there is none. `now`: steady_seconds().
  bool take(const std::string& key, double now);
  /// Undoes a take: what happened does not count.
  void give_back(const std::string& key);

 private:
  struct Bucket {
    double tokens = 0, at = 0;
  };
  void forget(double now);

  const double burst_, per_second_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace keel
