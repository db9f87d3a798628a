// A reward model as a scorer. It reads ids when it shares the policy's tokenizer; else it tokenises the text
// anew, so a reward model of any family and vocabulary can judge any policy.
#pragma once

#include <filesystem>
#include <functional>

#include "keel/data/examples.h"
#include "keel/models/model.h"
#include "keel/scoring/scorer.h"
#include "keel/tokenizer/tokenizer.h"

namespace keel {

class RewardModel : public Scorer {
 public:
  /// `model` has a scalar head (open_reward_model). `policy_folder`: the model folder whose ids the samples
  /// carry; empty: they are read as texts. Errors: [folder] texts are needed but it has no tokenizer.
  RewardModel(Model model, const std::filesystem::path& policy_folder);
  void score(std::span<const ScoredSample> samples, std::span<Score> scores) override;
  const Model& model() const { return model_; }
  bool shares_tokenizer() const { return shares_tokenizer_; }

 private:
  Example example_of(const ScoredSample& sample) const;

  Model model_;
  std::optional<Tokenizer> tokenizer_;  // when it is not the policy's
  bool shares_tokenizer_;
};

/// The score of every completion of every example, in order; a prompt's completions share its computation.
/// `parts`: the logits of the labels, where the reward is made of several. `progress(examples done)` is
/// called now and then; it may throw to end the work.
std::vector<Score> score_examples(const Model& model, std::span<const Example* const> examples,
                                  const std::function<void(int64_t)>& progress = {});

/// True when the two folders hold the same tokenizer files, or neither holds one.
bool same_tokenizer(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace keel
