#include "keel/optimizers/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "keel/base/error.h"

namespace keel {

ScheduleKind schedule_named(const std::string& name) {
  if (name == "constant") return ScheduleKind::constant;
  if (name == "linear") return ScheduleKind::linear;
  if (name == "cosine") return ScheduleKind::cosine;
  throw UsageError("--schedule", "expected constant, linear or cosine, got " + name);
}

double Schedule::multiplier(int64_t step) const {
  if (step < warmup_steps)
    return static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, warmup_steps));
  if (kind == ScheduleKind::constant) return 1;
  const auto span = static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps));
  const double progress = std::min(1.0, static_cast<double>(step - warmup_steps) / span);
  const double falling =
      kind == ScheduleKind::linear ? 1 - progress : 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return final_ratio + (1 - final_ratio) * falling;
}

}  // namespace keel
