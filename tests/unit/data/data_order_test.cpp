#include <gtest/gtest.h>

#include <algorithm>

#include "keel/base/random.h"
#include "keel/data/examples.h"

namespace keel {
namespace {

std::vector<int64_t> random_sizes(uint64_t seed, int64_t count) {
  RandomSequence dice({seed});
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < count; ++i) sizes.push_back(1 + dice.below(40));
  return sizes;
}

TEST(DataOrder, RowsAloneAreCutEvenly) {
  const DataOrder order({9, 9, 9, 9, 9}, {.rows = 3}, 1, false, 10);
  EXPECT_EQ(order.batch(0), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(order.batch(1), (std::vector<int64_t>{3, 4, 0}));  // on into the second epoch
  EXPECT_EQ(order.batch(3), (std::vector<int64_t>{4}));
  EXPECT_EQ(order.batch(4), (std::vector<int64_t>{}));
  EXPECT_EQ(order.steps(), 4);
}

TEST(DataOrder, AStepEndsBeforeTheRowThatIsTooMuch) {
  const DataOrder order({4, 3, 9, 2, 5, 1, 1, 1}, {.rows = 3, .tokens = 7}, 1, false, 8);
  EXPECT_EQ(order.batch(0), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(order.batch(1), (std::vector<int64_t>{2}));  // longer than the bound
  EXPECT_EQ(order.batch(2), (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(order.batch(3), (std::vector<int64_t>{5, 6, 7}));
  EXPECT_TRUE(order.batch(4).empty());
  EXPECT_EQ(order.steps(), 4);
}

// Every row once an epoch, in the order that rows alone have, each step as full as it may be.
TEST(DataOrder, StepsFilledByTokensCoverEachEpoch) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto sizes = random_sizes(seed, 57);
    const int64_t epochs = 3, positions = epochs * 57, bound = 30 + static_cast<int64_t>(seed) * 7;
    const DataOrder order(sizes, {.tokens = bound}, seed, true, positions);
    const DataOrder by_rows(57, 1, seed, true, positions);
    int64_t position = 0, steps = 0;
    for (auto rows = order.batch(0); !rows.empty(); rows = order.batch(++steps)) {
      int64_t tokens = 0;
      for (const int64_t row : rows) {
        EXPECT_EQ(by_rows.batch(position++).front(), row);
        tokens += sizes[static_cast<size_t>(row)];
      }
      if (tokens > bound) {
        EXPECT_EQ(rows.size(), 1U);
      }
      if (position < positions) {
        EXPECT_GT(tokens + sizes[static_cast<size_t>(by_rows.batch(position).front())], bound);
      }
    }
    EXPECT_EQ(position, positions);
    EXPECT_EQ(order.steps(), steps);
  }
}

TEST(DataOrder, AnyStepIsFoundAtOnce) {
  const auto sizes = random_sizes(5, 40);
  const auto made = [&] { return DataOrder(sizes, {.rows = 6, .tokens = 90}, 3, true); };
  const DataOrder in_turn = made(), backwards = made();
  std::vector<std::vector<int64_t>> steps;
  for (int64_t step = 0; step < 30; ++step) steps.push_back(in_turn.batch(step));
  for (int64_t step = 29; step >= 0; --step) {
    EXPECT_EQ(made().batch(step), steps[static_cast<size_t>(step)]);
    EXPECT_EQ(backwards.batch(step), steps[static_cast<size_t>(step)]);
  }
}

TEST(DataOrder, WithoutABoundOfRowsAStepIsAtMostTheData) {
  const DataOrder order({4, 3, 9}, {.tokens = 1000}, 1, false);
  EXPECT_EQ(order.batch(0), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(order.batch(1), (std::vector<int64_t>{0, 1, 2}));
}

}  // namespace
}  // namespace keel
