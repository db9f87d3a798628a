#include "keel/rollout/page_pool.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace keel {
namespace {

TEST(PagePool, GivesTheLowestFreePage) {
  PagePool pool(4);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_EQ(pool.take(), 2);
  pool.give_back(1);
  pool.give_back(0);
  EXPECT_EQ(pool.free(), 3);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_EQ(pool.take(), 3);
  EXPECT_THROW(pool.take(), std::logic_error);
}

TEST(PagePool, PagesHoldSixteenPositions) {
  EXPECT_EQ(pages_for(0), 0);
  EXPECT_EQ(pages_for(1), 1);
  EXPECT_EQ(pages_for(16), 1);
  EXPECT_EQ(pages_for(17), 2);
}

}  // namespace
}  // namespace keel
