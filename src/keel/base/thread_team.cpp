#include "keel/base/thread_team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace keel {
namespace {

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Spins while `waiting()`; gives the core away now and then, so that more threads than cores still get on.
// False after about `rounds` turns in vain.
template <class Waiting>
bool spin(const Waiting& waiting, int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) {
    if (!waiting()) return true;
    pause();
    if (i % 4096 == 4095) std::this_thread::yield();
  }
  return !waiting();
}

constexpr int64_t kPatience =
    1 << 14;  // turns of a member without work before it sleeps: below a millisecond

}  // namespace

ThreadTeam::ThreadTeam(int members) : members_(members) {
  for (int member = 1; member < members_; ++member) threads_.emplace_back([this, member] { serve(member); });
}

ThreadTeam::~ThreadTeam() {
  stopped_ = true;
  ++rounds_;
  rounds_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run(const std::function<void(int)>& work) {
  work_ = &work;
  rounds_.fetch_add(1, std::memory_order_release);
  rounds_.notify_all();
  work(0);
  barrier();
}

void ThreadTeam::barrier() {
  if (members_ == 1) return;
  const uint32_t passed = barriers_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == members_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    barriers_.fetch_add(1, std::memory_order_release);
    return;
  }
  const auto waiting = [&] { return barriers_.load(std::memory_order_acquire) == passed; };
  while (!spin(waiting, kPatience)) {
  }
}

void ThreadTeam::serve(int member) {
  for (uint32_t done = 0;; ++done) {
    const auto waiting = [&] { return rounds_.load(std::memory_order_acquire) == done; };
    if (!spin(waiting, kPatience)) rounds_.wait(done, std::memory_order_acquire);
    if (stopped_) return;
    (*work_)(member);
    barrier();
  }
}

}  // namespace keel
