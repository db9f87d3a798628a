// A judgement as a page sends it, as the store wants it.
#pragma once

#include <cstdint>

#include "keel/base/json.h"
#include "keel/feedback/store.h"

namespace keel {

/// {type, task, prompt, completions: [in the order shown], ranks: [beside them], label: true | false,
///  ratings: {dimension: number}, text, strength: 1 | 2 | 3, none_acceptable: true | false, seconds,
///  guideline, corrects, adjudicates: true | false}; what a type does not use is absent or null. What fits
///  together is the store's to say.
/// Errors: BadRequest for a field of another type, an unknown type of judgement.
feedback::Judgement judgement_in(const Json& request, int64_t annotator);

/// A rating speaks of all dimensions that its task names and no others, within the task's scale.
/// Errors: feedback::Refused.
void check_scale(const feedback::Judgement& judgement, const feedback::Task& task);

}  // namespace keel
