#include "keel/statistics/diversity.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "statistics/golden.h"

namespace keel {
namespace {

TEST(Distinct, CountsEqualTheReference) {
  const Json golden = statistics_golden("diversity");
  const auto sequences = golden["sequences"].get<std::vector<std::vector<int64_t>>>();
  for (const auto& row : golden["counts"]) {
    const Distinct result = distinct_n(sequences, row["n"]);
    EXPECT_EQ(result.different, row["different"].get<int64_t>()) << row;
    EXPECT_EQ(result.total, row["total"].get<int64_t>()) << row;
  }
}

TEST(Distinct, NoGramSpansTwoSequences) {
  const std::vector<std::vector<int64_t>> sequences = {{1, 2}, {1, 2}, {3}};
  const Distinct pairs = distinct_n(sequences, 2);
  EXPECT_EQ(pairs.total, 2);
  EXPECT_EQ(pairs.ratio(), 0.5);
  EXPECT_EQ(distinct_n(sequences, 5).ratio(), 0);
  EXPECT_THROW(distinct_n(sequences, 0), Error);
}

}  // namespace
}  // namespace keel
