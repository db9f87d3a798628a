// Where tensors live. Rows, batches and what is measured stay on the host; a model's weights and all that is
// computed from them live on its device, and the functions of models/ move the few ids that they are given.
#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace keel {

/// "auto" is cuda where this build and machine have it, else cpu. On cuda, equal runs are made to give equal
/// bits: every operator takes its deterministic form. Errors: UsageError, one line that says what is missing.
at::Device choose_device(const std::string& name);

/// For a scope that writes each element at most once, whatever its indices: its operators need no
/// deterministic form, which would sort.
class DistinctWrites {
 public:
  DistinctWrites();
  ~DistinctWrites();
  DistinctWrites(const DistinctWrites&) = delete;
  DistinctWrites& operator=(const DistinctWrites&) = delete;

 private:
  bool deterministic_;
};

/// Whether choose_device("cuda") would succeed; it has no effect.
bool has_cuda();

/// "cpu", or the accelerator's name: "cuda NVIDIA H100".
std::string device_name(at::Device device);

/// What this build and machine can compute on: "cpu" first.
std::vector<std::string> device_names();

}  // namespace keel
