// What a judgement of each type has, and what it has not; how it is kept beside its columns.
#pragma once

#include <string>

#include "keel/feedback/store.h"

namespace keel::feedback {

/// What can be refused without looking into the store. Errors: Refused.
void check_shape(const Judgement& judgement, const std::string& key);
void check_shape(const Task& task);

/// True for what a task's copies count: a skip, a flag and a comment are no answers.
bool is_answer(JudgementType type);

/// The JSON object of what has no column: ratings, text, strength, none_acceptable, adjudicates, seconds. And
/// back.
Json answer_json(const Judgement& judgement);
void read_answer(Judgement& judgement, const Json& answer);

}  // namespace keel::feedback
