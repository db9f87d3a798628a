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
      const bool is_alone = team.members() < members;  // on busy cores, for a while: nobody else writes
      team.run([&](int member) {
        const auto own = static_cast<size_t>(member);
        for (int turn = 0; turn < 3; ++turn) {
          written[own] = round + turn;
          team.barrier();
          seen[own] = std::accumulate(written.begin(), written.end(), 0);
          team.barrier();
        }
      });
      if (is_alone) continue;
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

// A member that keeps the others waiting at several barriers is left out for a while.
TEST(ThreadTeam, WorksAloneWhereAMemberIsHeldUp) {
  ThreadTeam team(2);
  team.run([&](int member) {
    for (int turn = 0; turn < 4; ++turn) {
      if (member == 1) std::this_thread::sleep_for(std::chrono::milliseconds(40));
      team.barrier();
    }
  });
  EXPECT_EQ(team.members(), 1);
  int runs = 0;
  for (; team.members() == 1 && runs < 1000; ++runs) team.run([](int member) { EXPECT_EQ(member, 0); });
  EXPECT_EQ(runs, 64);
  std::atomic<int> worked{0};
  team.run([&](int) { ++worked; });
  EXPECT_EQ(worked, 2);
}

}  // namespace
}  // namespace keel
