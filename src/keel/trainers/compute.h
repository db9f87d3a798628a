// Where a stage computes and in which format, as its options name it: declared once for all stages.
#pragma once

#include "keel/config/options.h"
#include "keel/tensors/device.h"

namespace keel {

struct Compute {
  std::string precision = "auto", device = "auto";

  /// --precision and --device.
  void visit(OptionVisitor& visitor);
  /// Errors: UsageError for a device that this build or machine has not.
  void check() const { chosen_device(); }
  at::Device chosen_device() const { return choose_device(device); }
  /// For an option that only the processor has. Errors: UsageError at it, with `reason`, on another device.
  void check_on_processor(const std::string& option, const std::string& reason) const;
};

}  // namespace keel
