// Learning-rate schedules as multipliers of the peak rate, equal to transformers' get_*_schedule_with_warmup.
#pragma once

#include <cstdint>
#include <string>

namespace keel {

enum class ScheduleKind { constant, linear, cosine };

/// Errors: UsageError for a name that is none of constant, linear, cosine.
ScheduleKind schedule_named(const std::string& name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  int64_t warmup_steps = 0, total_steps = 0;
  double final_ratio = 0;  // linear and cosine end at this share of the peak (InstructGPT: 0.1)

  /// step counts from 0. With warm-up, step 0 has rate 0, as in transformers.
  double multiplier(int64_t step) const;
};

}  // namespace keel
