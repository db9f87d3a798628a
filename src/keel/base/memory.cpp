#include "keel/base/memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>

namespace keel {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

// The number of kilobytes behind "name:" in a file of /proc, as bytes.
int64_t kilobytes_of(const fs::path& path, const std::string& name, int64_t otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream rest(line.substr(name.size() + 1));
    int64_t value = 0;
    if (rest >> value) return value * 1024;
  }
  return otherwise;
}

int64_t number_in(const fs::path& path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : kUnknown;  // "max": no limit
}

// What the control group of this process leaves.
int64_t left_by_group(const fs::path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::/")) continue;
    const fs::path group = root / "sys/fs/cgroup" / line.substr(4);
    const int64_t most = number_in(group / "memory.max"), now = number_in(group / "memory.current");
    if (most != kUnknown && now != kUnknown) return std::max<int64_t>(0, most - now);
  }
  return kUnknown;
}

}  // namespace

int64_t resident_bytes() {
  return kilobytes_of("/proc/self/status", "VmRSS", 0);
}

int64_t peak_resident_bytes() {
  return kilobytes_of("/proc/self/status", "VmHWM", 0);
}

int64_t available_bytes(const fs::path& root) {
  return std::min(kilobytes_of(root / "proc/meminfo", "MemAvailable", kUnknown), left_by_group(root));
}

std::string memory_text(int64_t bytes) {
  char text[32];
  if (bytes < 1'000'000'000)
    std::snprintf(text, sizeof text, "%.0f MB", static_cast<double>(bytes) / 1e6);
  else
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

}  // namespace keel
