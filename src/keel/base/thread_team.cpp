#include "keel/base/thread_team.h"

#include <algorithm>

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
constexpr int kLateTurns =
    6;  // of patience at a barrier, about two milliseconds: no share of work is so unequal
constexpr int kLateBarriers = 3;
constexpr int64_t kShortestSolo = 64, kLongestSolo = 4096;

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
  if (solo_runs_ > 0) {
    work(0);
    --solo_runs_;
    return;
  }
  work_ = &work;
  rounds_.fetch_add(1, std::memory_order_release);
  rounds_.notify_all();
  work(0);
  barrier();
  note_lateness();
}

void ThreadTeam::note_lateness() {
  const int late = late_.exchange(0);
  if (late >= kLateBarriers) {
    solo_runs_ = next_solo_;
    next_solo_ = std::min<int64_t>(2 * next_solo_, kLongestSolo);
  } else if (late == 0) {
    next_solo_ = std::max<int64_t>(next_solo_ / 2, kShortestSolo);
  }
}

void ThreadTeam::barrier() {
  if (members() == 1) return;
  const uint32_t passed = barriers_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == members_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    barriers_.fetch_add(1, std::memory_order_release);
    return;
  }
  const auto waiting = [&] { return barriers_.load(std::memory_order_acquire) == passed; };
  for (int turn = 1; !spin(waiting, kPatience); ++turn)
    if (turn == kLateTurns) ++late_;
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
