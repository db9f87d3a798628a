#include "keel/base/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace keel {
namespace {

// True when the choice was the user's to make and he has not.
bool choose(const char* name, const char* value) {
  if (std::getenv(name) != nullptr) return false;
  ::setenv(name, value, 1);
  return true;
}

}  // namespace

void restart_with_environment(char** arguments) {
  // A thread that waits spins for a few microseconds and then sleeps: measured with a tiny model, +20 % on
  // idle cores over sleeping at once, -20 % beside another busy process; longer spinning gains 8 % more and
  // loses 60 %.
  const bool threads = std::getenv("OMP_WAIT_POLICY") == nullptr && choose("GOMP_SPINCOUNT", "3000");
  const bool heap = choose("GLIBC_TUNABLES",
                           "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:"
                           "glibc.malloc.trim_threshold=1073741824:glibc.malloc.top_pad=67108864");
  if (!threads && !heap) return;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error)
    ::execv(program.c_str(), arguments);  // returns only on failure: then the program goes on as it is
}

}  // namespace keel
