// Threads for work whose parts take microseconds: they wait for one another by spinning, so a barrier costs a
// fraction of a microsecond where OpenMP's sleeping threads cost sixty.
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

  int members() const { return members_; }
  /// Runs work(member) on every member at once, the caller being member 0. The work must not throw.
  void run(const std::function<void(int)>& work);
  /// Inside the work: nobody goes on before all have come here.
  void barrier();

 private:
  void serve(int member);

  int members_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> rounds_{0};    // of run(), counted when work is there
  alignas(64) std::atomic<int> arrived_{0};        // at the barrier
  alignas(64) std::atomic<uint32_t> barriers_{0};  // that all have passed
  std::atomic<bool> stopped_{false};
};

}  // namespace keel
