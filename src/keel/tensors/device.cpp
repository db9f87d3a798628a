#include "keel/tensors/device.h"

#include <ATen/Context.h>

#include <cstdlib>

#include "keel/base/error.h"
#include "keel/tensors/accelerator.h"

namespace keel {
namespace {

// Bits that a run can be repeated to. cuBLAS needs a workspace of fixed size for it, named before its first
// use; new tensors need no filling, since none is read before it is written.
void compute_deterministically() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

}  // namespace

DistinctWrites::DistinctWrites() : deterministic_(at::globalContext().deterministicAlgorithms()) {
  if (deterministic_) at::globalContext().setDeterministicAlgorithms(false, /*warn_only=*/false);
}

DistinctWrites::~DistinctWrites() {
  if (deterministic_) at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
}

bool has_cuda() {
  return accelerator_built() && accelerator_count() > 0;
}

at::Device choose_device(const std::string& name) {
  if (name != "auto" && name != "cpu" && name != "cuda")
    throw UsageError("--device", "expected auto, cpu or cuda, got " + name);
  if (name == "cuda" && !accelerator_built())
    throw UsageError("--device",
                     "expected cpu, got cuda: this build has no CUDA (configure with -DKEEL_CUDA=ON)");
  if (name == "cuda" && !has_cuda())
    throw UsageError("--device", "expected cpu, got cuda: no CUDA device was found on this machine");
  if (name == "cpu" || !has_cuda()) return at::kCPU;
  compute_deterministically();
  return {at::kCUDA, 0};
}

std::string device_name(at::Device device) {
  return device.is_cuda() ? "cuda " + accelerator_name() : device.str();
}

std::vector<std::string> device_names() {
  std::vector<std::string> names = {"cpu"};
  if (has_cuda()) names.push_back(device_name({at::kCUDA, 0}));
  return names;
}

}  // namespace keel
