// The commands that train, and the one that averages what they made.
#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/log.h"
#include "keel/models/average.h"
#include "keel/models/model_folder.h"
#include "keel/pipeline/stages.h"
#include "keel/pipeline/store_rows.h"
#include "keel/trainers/dpo.h"
#include "keel/trainers/ppo.h"
#include "keel/trainers/reward.h"
#include "keel/trainers/sft.h"

namespace keel {
namespace {

struct AverageOptions : Options {
  std::vector<std::string> models;
  std::string output;

  void visit(OptionVisitor& v) override {
    v(&models, "models", "Folders of models that were fine-tuned from the same weights.", required_input());
    v(&output, "output", "The run folder; the mean goes to its final/.", required_output());
  }
};

void run_average(AverageOptions& o) {
  std::vector<Model> models;
  for (const std::string& folder : o.models) models.push_back(load_model(folder));
  const Model mean = average_models(models);
  std::filesystem::create_directories(o.output);
  AtomicFolder folder(std::filesystem::path(o.output) / "final");
  save_model(mean, folder.temporary());
  folder.commit();
  log_info("mean of " + std::to_string(models.size()) + " models in " + o.output + "/final");
}

void run_sft(WithStore<SftOptions>& o) {
  o.store_rows.freeze(o, feedback::Wanted::demonstrations);
  train_sft(o);
}

void run_reward(WithStore<RewardOptions>& o) {
  o.store_rows.freeze(o, feedback::Wanted::comparisons);
  train_reward(o);
}

void run_dpo(WithStore<DpoOptions>& o) {
  o.store_rows.freeze(o, feedback::Wanted::comparisons);
  train_dpo(o);
}

}  // namespace

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
          "Rows are demonstrations (`prompt`, `completion`) or texts (`text`), or a feedback store: what "
          "annotators wrote or edited there. A completion gets the "
          "end-of-text id unless it was cut at the context. `--select loss` keeps the weights of the lowest "
          "validation loss; `--select reward` those whose samples a reward model scores best.\n\n    keel "
          "sft --model runs/base/final --data demonstrations.jsonl --output runs/sft --epochs 2",
          &run_sft),
      make_stage(
          "reward", "Train a reward model on rankings, preferences, labels or numbers.",
          "Rows are preferences (`prompt`, `chosen`, `rejected`), rankings (`prompt`, `completions`, "
          "`ranks`: 1 is best, equal numbers tie), labels (`prompt`, `completion`, `label`: a classifier "
          "whose positive logit is the reward), or numbers (`prompt`, `completion`, and a `score` or "
          "`ratings`, {dimension: number}: a label of the head for each). All pairs of one prompt are one "
          "element of the loss. A row's `weight` says how much its element counts; `scores` beside "
          "`completions` give margins (`--margin-scale`). `final/` is a `...ForSequenceClassification` with "
          "one label, or one for each dimension; `--members` leaves an ensemble, which `ppo --reward-model`, "
          "`score` and `eval reward` take by the run's folder.\n\n    keel reward --model "
          "runs/sft/final --data rankings.jsonl --validation held-out.jsonl --output runs/reward",
          &run_reward),
      make_stage(
          "ppo", "Optimise a policy against a reward model, held near a reference.",
          "A step is one batch of prompts with all of its updates. `final/` is the policy; `final/value` its "
          "value model. `metrics.jsonl` has a row a step: `reward` is the mean raw score, `kl` the mean over "
          "responses of the summed log-ratio to the reference, `drift_*` the difference between the "
          "sampler's log-probabilities and the trainer's.\n\n    keel ppo --model runs/sft/final "
          "--reward-model runs/reward/final --data prompts.jsonl --output runs/ppo --steps 100",
          &train_ppo),
      make_stage(
          "dpo", "Optimise a policy on comparisons, without a reward model.",
          "Rows are preferences (`prompt`, `chosen`, `rejected`) or rankings (`prompt`, `completions`, "
          "`ranks`: 1 "
          "is best, equal numbers tie); all pairs of one prompt are one element of the loss. `metrics.jsonl` "
          "has "
          "a row a step: a completion's reward is beta times the log-ratio of policy to reference, `margin` "
          "the "
          "better one's minus the worse one's, `accuracy` the share of pairs where that is above 0 (at the "
          "first "
          "step it is exactly 0), `chosen_logp` and `rejected_logp` sums over a completion's tokens (ipo: "
          "means).\n\n    keel dpo --model runs/sft/final --data rankings.jsonl --validation held-out.jsonl "
          "--output runs/dpo",
          &run_dpo),
      make_stage(
          "average", "Average the weights of models fine-tuned from the same one.",
          "One model that costs no more to run than each of them and is often better on new texts: reward "
          "models trained with several seeds, above all (Ramé et al. 2024, WARM).\n\n    keel average "
          "--models runs/reward-1/final runs/reward-2/final --output runs/reward",
          &run_average),
  };
}

}  // namespace keel
