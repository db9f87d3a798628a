// keel-label: the commands of a labelling server, without libtorch.
#include "keel/commands/labelling.h"
#include "keel/commands/program.h"

int main(int argc, char** argv) {
  std::vector<keel::Stage> stages = {keel::label_stage()};
  for (auto part :
       {keel::feedback_stages, keel::store_stages, keel::account_stages, keel::reliability_stages})
    for (keel::Stage& stage : part()) stages.push_back(std::move(stage));
  return keel::run_program({.name = "keel-label",
                            .summary = "pages where people judge what models write, and their store.",
                            .stages = stages},
                           argc, argv);
}
