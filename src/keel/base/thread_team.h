// Threads for work whose parts take microseconds: they wait for one another by spinning, so a barrier costs a
// fraction of a microsecond where OpenMP's sleeping threads cost sixty.
//
// Where something else runs on the cores, a member that is not running holds up all others for a time slice
// at each barrier. A team that sees this works alone for a while, then tries again: work must therefore give
// the same result whatever members() is.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace keel {

class ThreadTeam {
 public:
  explicit ThreadTeam(int members);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  /// How many share the work that runs now, or the next one.
  int members() const { return solo_runs_ > 0 ? 1 : members_; }
  /// Runs work(member) on every member at once, the caller being member 0. The work must not throw.
  void run(const std::function<void(int)>& work);
  /// Inside the work: nobody goes on before all have come here.
  void barrier();

 private:
  void serve(int member);
  void note_lateness();

  int members_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> rounds_{0};    // of run(), counted when work is there
  alignas(64) std::atomic<int> arrived_{0};        // at the barrier
  alignas(64) std::atomic<uint32_t> barriers_{0};  // that all have passed
  std::atomic<bool> stopped_{false};
  std::atomic<int> late_{0};                // barriers of this run at which a member was far behind
  int64_t solo_runs_ = 0, next_solo_ = 64;  // still to be done alone; how many the next time
};

}  // namespace keel
