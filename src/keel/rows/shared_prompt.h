// The prompt of a preference that comes as two whole dialogues: what both begin with.
#pragma once

#include "keel/rows/rows.h"

namespace keel {

/// Where the prompt of two texts ends, beginning at the first character in which they differ.
enum class PromptEnd {
  word,       // back to where a word ends, so that tokens are not torn; the space stays with the completions
  character,  // there, or before it when it follows a space: trl 0.24's extract_prompt (trl/data_utils.py)
};

/// Takes the prompt off both sides of a preference; each keeps a rest. Messages and ids are shared whole; as
/// TRL has it, one side's last message is its rest when the other side goes on from there. When nothing is
/// shared there is no prompt. (TRL looks at the last character where there is none before the first, and so
/// cuts there.)
void split_off_prompt(Row& row, PromptEnd end);

}  // namespace keel
