// What memory this program holds and what the machine could still give it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace keel {

/// Bytes of this process in memory now, and the most there ever were. 0 where the system does not tell.
int64_t resident_bytes();
int64_t peak_resident_bytes();

/// Bytes that can still be taken without swapping: what the kernel says (MemAvailable of /proc/meminfo), but
/// no more than the control group allows (cgroup v2). INT64_MAX where the system does not tell. `root` is "/"
/// but in tests.
int64_t available_bytes(const std::filesystem::path& root = "/");

/// "1.3 GB", "870 MB": decimal units.
std::string memory_text(int64_t bytes);

}  // namespace keel
