// The commands that train.
#include "keel/pipeline/stages.h"
#include "keel/trainers/ppo.h"
#include "keel/trainers/reward.h"
#include "keel/trainers/sft.h"

namespace keel {

std::vector<Stage> training_stages() {
  return {
      make_stage(
          "pretrain", "Train a new language model on whole documents.",
          "Needs a tokenizer's folder (`keel tokenize --train` makes one) and texts; documents longer than "
          "the context become several. With `--model` it goes on with a model that exists.\n\n    keel "
          "pretrain --tokenizer tokenizer --data documents.jsonl --output runs/base --steps 1000",
          &train_pretrain),
      make_stage(
          "sft", "Fine-tune a language model on demonstrations or texts.",
          "Rows are demonstrations (`prompt`, `completion`) or texts (`text`). A completion gets the "
          "end-of-text id unless it was cut at the context. `--select loss` keeps the weights of the lowest "
          "validation loss; `--select reward` those whose samples a reward model scores best.\n\n    keel "
          "sft --model runs/base/final --data demonstrations.jsonl --output runs/sft --epochs 2",
          &train_sft),
      make_stage(
          "reward", "Train a reward model on rankings, preferences or labels.",
          "Rows are preferences (`prompt`, `chosen`, `rejected`), rankings (`prompt`, `completions`, "
          "`ranks`: 1 is best, equal numbers tie) or labels (`prompt`, `completion`, `label`: a classifier "
          "whose positive logit is the reward). All pairs of one prompt are one element of the loss. "
          "`final/` is a `...ForSequenceClassification` with one label.\n\n    keel reward --model "
          "runs/sft/final --data rankings.jsonl --validation held-out.jsonl --output runs/reward",
          &train_reward),
      make_stage(
          "ppo", "Optimise a policy against a reward model, held near a reference.",
          "A step is one batch of prompts with all of its updates. `final/` is the policy; `final/value` its "
          "value model. `metrics.jsonl` has a row a step: `reward` is the mean raw score, `kl` the mean over "
          "responses of the summed log-ratio to the reference, `drift_*` the difference between the "
          "sampler's log-probabilities and the trainer's.\n\n    keel ppo --model runs/sft/final "
          "--reward-model runs/reward/final --data prompts.jsonl --output runs/ppo --steps 100",
          &train_ppo),
  };
}

}  // namespace keel
