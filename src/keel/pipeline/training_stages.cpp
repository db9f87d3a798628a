// The commands that train.
#include "keel/pipeline/stages.h"
#include "keel/trainers/ppo.h"
#include "keel/trainers/reward.h"
#include "keel/trainers/sft.h"

namespace keel {

std::vector<Stage> training_stages() {
  return {
      make_stage("pretrain", "Train a new language model on whole documents.", &train_pretrain),
      make_stage("sft", "Fine-tune a language model on demonstrations or texts.", &train_sft),
      make_stage("reward", "Train a reward model on rankings, preferences or labels.", &train_reward),
      make_stage("ppo", "Optimise a policy against a reward model, held near a reference.", &train_ppo),
  };
}

}  // namespace keel
