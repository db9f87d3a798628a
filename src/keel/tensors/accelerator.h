// All that needs CUDA's own headers, behind functions that every build has: accelerator_cuda.cpp with
// -DKEEL_CUDA=ON, accelerator_none.cpp without. Whatever else runs on CUDA is ATen's operators and the same
// code in both builds.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace keel {

/// Whether this build links CUDA.
bool accelerator_built();
/// Devices of this machine; 0 without a driver.
int64_t accelerator_count();
/// Of the first device: "NVIDIA H100".
std::string accelerator_name();
/// Whether the first device runs ATen's flash attention (compute capability 8.0 or above).
bool accelerator_has_flash();
/// Waits until the first device has done all that it was asked for.
void accelerator_wait();

/// Waits for a device to have done all that it was asked for; the processor always has.
void synchronize(at::Device device);

/// Work that is done again and again: operators of fixed shapes over tensors that stay where they are, with
/// no step that waits for the host or depends on a value.
class Recorded {
 public:
  virtual ~Recorded() = default;
  virtual void run() = 0;
};

/// On CUDA work that is run often becomes a graph, launched whole (one launch in the place of hundreds);
/// elsewhere run() calls `work`. Running it twice must be as good as once.
std::unique_ptr<Recorded> record(std::function<void()> work, at::Device device);
/// record() on a CUDA device.
std::unique_ptr<Recorded> record_graph(std::function<void()> work, at::Device device);

}  // namespace keel
