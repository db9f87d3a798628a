#include "keel/trainers/reference_logps.h"

#include <numeric>

#include "keel/base/files.h"
#include "keel/base/interrupt.h"
#include "keel/optimizers/archive.h"
#include "keel/trainers/inputs.h"

namespace keel {

Tensor completion_logps(const Role& role, const CompletionBatch& batch, const Dropout* dropout) {
  const Tensor hidden = forest_hidden(*role.trunk, batch.forest,
                                      {role.precision, dropout, distinct_rows({batch.from}), role.recompute});
  const Tensor logp = language_logprobs(role, hidden, batch.from, batch.tokens).logp.to(at::kDouble);
  return at::zeros({batch.last_rows.size(0)}, logp.options())
      .index_add(0, batch.completion.to(logp.device()), logp);
}

namespace {

std::vector<int64_t> completions_of(std::span<const Example* const> examples) {
  std::vector<int64_t> sizes;
  for (const Example* example : examples) sizes.push_back(std::ssize(example->completions));
  return sizes;
}

}  // namespace

Tensor ReferenceLogps::operator()(std::span<const Example* const> examples,
                                  const CompletionBatch& batch) const {
  at::NoGradGuard no_grad;
  if (model_) return completion_logps(role_of(*model_), batch);
  std::vector<Tensor> logps;
  for (const Example* example : examples) logps.push_back(known_.at(example));
  return at::cat(logps);
}

void ReferenceLogps::ask(const std::vector<const Example*>& examples, const MicroBatchLimits& limits) {
  for (const auto& part : micro_batches(examples, limits)) {
    const std::vector<Tensor> answers =
        (*this)(part, completion_batch(part)).cpu().split_with_sizes(completions_of(part));
    for (size_t i = 0; i < part.size(); ++i) known_[part[i]] = answers[i];
    throw_if_interrupted();
  }
}

void ReferenceLogps::precompute(const std::filesystem::path& folder,
                                const std::vector<const ExampleSet*>& sets, const MicroBatchLimits& limits) {
  std::vector<const Example*> all;
  for (const ExampleSet* set : sets)
    for (const Example& example : set->examples) all.push_back(&example);
  const std::vector<int64_t> sizes = completions_of(all);
  Tensor logps = at::zeros({std::accumulate(sizes.begin(), sizes.end(), int64_t{0})}, at::kDouble);
  if (std::filesystem::exists(folder)) {
    ArchiveReader reader(folder);
    reader("logps", logps);
  } else {
    ask(all, limits);
    std::vector<Tensor> answers;
    for (const Example* example : all) answers.push_back(known_[example]);
    logps = at::cat(answers);
    AtomicFolder whole(folder);
    ArchiveWriter writer;
    writer("logps", logps);
    writer.write(whole.temporary());
    whole.commit();
  }
  const std::vector<Tensor> split = logps.split_with_sizes(sizes);
  for (size_t i = 0; i < all.size(); ++i) known_[all[i]] = split[i];
  model_.reset();
}

}  // namespace keel
