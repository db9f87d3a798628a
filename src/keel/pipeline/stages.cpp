#include "keel/pipeline/stages.h"

namespace keel {

const std::vector<Stage>& stages() {
  static const std::vector<Stage> table = [] {
    std::vector<Stage> all;
    for (auto part : {training_stages, text_stages, row_stages, feedback_stages, label_stages, store_stages,
                      reliability_stages, choice_stages, account_stages, evaluation_stages, run_stages})
      for (Stage& stage : part()) all.push_back(std::move(stage));
    return all;
  }();
  return table;
}

const Stage& stage_named(const std::string& name, const std::string& where) {
  return stage_in(stages(), name, where);
}

}  // namespace keel
