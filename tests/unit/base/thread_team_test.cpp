#include "keel/base/thread_team.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>

namespace keel {
namespace {

// What each member writes before a barrier, all read behind it; more members than cores, too.
TEST(ThreadTeam, ABarrierHoldsEveryMember) {
  for (const int members : {1, 2, 5}) {
    ThreadTeam team(members);
    std::vector<int> written(static_cast<size_t>(members)), seen(static_cast<size_t>(members));
    for (int round = 1; round <= 200; ++round) {
      team.run([&](int member) {
        const auto own = static_cast<size_t>(member);
        for (int turn = 0; turn < 3; ++turn) {
          written[own] = round + turn;
          team.barrier();
          seen[own] = std::accumulate(written.begin(), written.end(), 0);
          team.barrier();
        }
      });
      for (const int sum : seen) ASSERT_EQ(sum, members * (round + 2));
    }
  }
}

TEST(ThreadTeam, MembersThatSleptAreWoken) {
  ThreadTeam team(3);
  std::atomic<int> done{0};
  for (int round = 1; round <= 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    team.run([&](int) { ++done; });
    EXPECT_EQ(done, 3 * round);
  }
}

}  // namespace
}  // namespace keel
