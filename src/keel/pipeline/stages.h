// The one table of commands.
#pragma once

#include <string>
#include <vector>

#include "keel/commands/stage.h"

namespace keel {

const std::vector<Stage>& stages();

/// Errors: UsageError at `where` that names the nearest command.
const Stage& stage_named(const std::string& name, const std::string& where);

// The rows that each file of this folder adds to the table.
std::vector<Stage> training_stages();
std::vector<Stage> text_stages();
std::vector<Stage> choice_stages();
std::vector<Stage> label_stages();
std::vector<Stage> evaluation_stages();
std::vector<Stage> run_stages();

}  // namespace keel
