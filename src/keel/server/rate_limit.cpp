#include "keel/server/rate_limit.h"

#include <chrono>

#include <algorithm>
#include <vector>

namespace keel {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool RateLimit::take(const std::string& key, double now) {
  const std::lock_guard lock(mutex_);
  if (buckets_.size() >= kMostKeys && !buckets_.contains(key)) forget(now);
  Bucket& bucket = buckets_.try_emplace(key, Bucket{burst_, now}).first->second;
  bucket.tokens = std::min(burst_, bucket.tokens + per_second_ * (now - bucket.at));
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void RateLimit::give_back(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = buckets_.find(key);
  if (found != buckets_.end()) found->second.tokens = std::min(burst_, found->second.tokens + 1);
}

// Those that are full again say nothing; if that frees too few, the half that was not asked for longest.
void RateLimit::forget(double now) {
  std::erase_if(buckets_, [&](const auto& entry) {
    return entry.second.tokens + per_second_ * (now - entry.second.at) >= burst_;
  });
  if (buckets_.size() < kMostKeys / 2) return;
  std::vector<double> times;
  for (const auto& [key, bucket] : buckets_) times.push_back(bucket.at);
  const auto middle = times.begin() + std::ssize(times) / 2;
  std::nth_element(times.begin(), middle, times.end());
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.at <= *middle; });
}

}  // namespace keel
