#include "keel/trainers/compute.h"

#include "keel/base/error.h"

namespace keel {

void Compute::visit(OptionVisitor& v) {
  v(&precision, "precision", "Number format of matrix products.", one_of({"auto", "float32", "bfloat16"}));
  v(&device, "device", "Where to compute; auto: cuda where this build and machine have it.",
    one_of({"auto", "cpu", "cuda"}));
}

void Compute::check_on_processor(const std::string& option, const std::string& reason) const {
  if (const at::Device chosen = chosen_device(); !chosen.is_cpu())
    throw UsageError(option, "expected --device cpu with it, got " + device_name(chosen) + ": " + reason);
}

}  // namespace keel
