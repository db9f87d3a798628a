// Rows split for cross-validation: rows of one prompt, or of one value of a field, stay together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keel/rows/rows.h"

namespace keel {

/// The fold, 0 to folds - 1, of each row. Groups are put in an order that `seed` draws and dealt out in turn,
/// so that folds differ by one group at most. `by`: a field of the rows, or empty for the prompt's text (or
/// ids). Errors: Error [path:line] a row without the field; [path] fewer groups than folds.
std::vector<int64_t> folds_of(const RowFile& file, int64_t folds, const std::string& by, uint64_t seed);

/// Turns the judgement of about half of the rows around, by a coin for each: nothing can be learned from
/// what is left but what a reward model makes up. Orders are reversed (reverse_ranks), labels
/// are negated. Control: an honest evaluation then finds no accuracy above one half.
void permute_judgements(std::vector<Row>& rows, uint64_t seed);

}  // namespace keel
