#include "keel/statistics/diversity.h"

#include <set>
#include <string>

#include "keel/base/error.h"

namespace keel {

Distinct distinct_n(std::span<const std::vector<int64_t>> sequences, int n) {
  if (n < 1) throw Error("distinct_n", "expected n of at least 1, got " + std::to_string(n));
  std::set<std::vector<int64_t>> seen;
  Distinct result;
  for (const auto& sequence : sequences) {
    for (auto begin = sequence.begin(); sequence.end() - begin >= n; ++begin) {
      seen.insert({begin, begin + n});
      ++result.total;
    }
  }
  result.different = static_cast<int64_t>(seen.size());
  return result;
}

}  // namespace keel
