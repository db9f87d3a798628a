#include "keel/base/memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <vector>

#include "temporary_folder.h"

namespace keel {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

TEST(Memory, OfThisProcessGrowsWithIt) {
  const int64_t before = resident_bytes();
  const std::vector<char> taken(50'000'000, 'x');
  EXPECT_GT(resident_bytes(), before + 45'000'000);
  EXPECT_GE(peak_resident_bytes(), resident_bytes() - 1'000'000);
  EXPECT_EQ(taken.back(), 'x');
}

TEST(Memory, AvailableIsTheLesserOfMachineAndGroup) {
  const TemporaryFolder folder;
  EXPECT_EQ(available_bytes((folder / "")), std::numeric_limits<int64_t>::max());
  write((folder / "") / "proc/meminfo", "MemTotal: 900 kB\nMemAvailable:     500 kB\n");
  EXPECT_EQ(available_bytes((folder / "")), 500 * 1024);
  write((folder / "") / "proc/self/cgroup", "0::/keel\n");
  const auto group = (folder / "") / "sys/fs/cgroup/keel";
  write(group / "memory.max", "max\n");
  write(group / "memory.current", "1000\n");
  EXPECT_EQ(available_bytes((folder / "")), 500 * 1024);
  write(group / "memory.max", "5000\n");
  EXPECT_EQ(available_bytes((folder / "")), 4000);
}

TEST(Memory, IsWrittenShort) {
  EXPECT_EQ(memory_text(870'400'000), "870 MB");
  EXPECT_EQ(memory_text(1'330'000'000), "1.3 GB");
}

}  // namespace
}  // namespace keel
