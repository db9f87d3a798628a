// A build with CUDA: torch's graphs and streams. A graph is recorded on a stream of its own, as
// CUDA demands; its replay goes to the stream that all other work is on, so it is in order with it.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "keel/tensors/accelerator.h"

namespace keel {
namespace {

// Asked once: every layer's attention wants to know, and the driver takes its time.
const cudaDeviceProp& first_device() {
  static const cudaDeviceProp properties = [] {
    cudaDeviceProp found{};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&found, 0));
    return found;
  }();
  return properties;
}

class Graph : public Recorded {
 public:
  Graph(std::function<void()> work, at::Device device) : work_(std::move(work)), device_(device) {}

  void run() override {
    const c10::cuda::CUDAGuard guard(device_);
    if (runs_++ < kRunsByHand) return work_();
    if (!recorded_) record_work();
    graph_.replay();
  }

 private:
  // Twice by hand first: libraries choose their kernels and take their workspaces in the first calls, which
  // a recording forbids.
  void record_work() {
    const auto before = c10::cuda::getCurrentCUDAStream();
    const auto stream = c10::cuda::getStreamFromPool();
    before.synchronize();
    {
      const c10::cuda::CUDAStreamGuard on_stream(stream);
      for (int i = 0; i < 2; ++i) work_();
      stream.synchronize();
      graph_.capture_begin(pool());
      work_();
      graph_.capture_end();
    }
    recorded_ = true;
  }

  // One pool serves all graphs: they run one after the other, and none leaves a result in it.
  static at::cuda::MempoolId_t pool() {
    static const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
    return pool;
  }

  static constexpr int kRunsByHand = 4;  // work that is run less often does not repay a recording

  std::function<void()> work_;
  at::Device device_;
  int runs_ = 0;
  at::cuda::CUDAGraph graph_;
  bool recorded_ = false;
};

}  // namespace

bool accelerator_built() {
  return true;
}

int64_t accelerator_count() {
  return c10::cuda::device_count();  // 0, not an error, without a driver
}

std::string accelerator_name() {
  return first_device().name;
}

bool accelerator_has_flash() {
  return accelerator_count() > 0 && first_device().major >= 8;
}

void accelerator_wait() {
  const c10::cuda::CUDAGuard guard(0);
  c10::cuda::device_synchronize();
}

std::unique_ptr<Recorded> record_graph(std::function<void()> work, at::Device device) {
  return std::make_unique<Graph>(std::move(work), device);
}

}  // namespace keel
