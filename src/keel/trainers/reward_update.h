// What a batch of judgements teaches a reward model: rewards of all completions below shared prompts, the
// loss of their comparisons, labels or numbers, its gradients. The loop around it is reward.cpp.
#pragma once

#include "keel/base/json.h"
#include "keel/data/batches.h"
#include "keel/data/micro_batches.h"
#include "keel/models/model.h"

namespace keel {

/// What the rows of a run hold.
enum class Judged {
  comparisons,  // preferences and rankings
  labels,       // yes or no: a classifier whose logit is the reward
  values,       // numbers by dimension, one label of the head for each
};

/// Whose judgement an example is, where heads are personal.
enum class Person { nobody, annotator, group };

/// The label of a personal head that all judgements share.
inline constexpr const char* kEveryone = "everyone";

struct RewardSettings {
  Judged judged = Judged::comparisons;
  // A judgement of one of these people is read as the sum of two labels of the head: the first, everyone's,
  // and that person's own, from the second on in this order. Of others it is everyone's alone.
  Person person = Person::nobody;
  std::vector<std::string> people = {};
  double personal_penalty = 0;  // of the squared length of each person's own weights
  PairRules pairs = {};
  double every_token = 0;                    // share of a label's loss that is asked of all tokens
  std::vector<std::string> dimensions = {};  // of the values: the head's labels
  bool weighted = false;                     // some row does not count 1: accuracies by weight are told, too
  MicroBatchLimits limits = {};
};

/// The annotator's or the group's name; empty: nobody is known.
const std::string& person_of(const Example& example, Person person);

/// The elements of a batch, by weight: prompts with a pair, labelled rows, or numbers.
double element_weight(std::span<const Example* const> batch, const RewardSettings& settings);

/// Sums over a batch; the loss is a mean over its elements.
struct RewardMeasure {
  double loss = 0;
  double margin = 0;                           // of better - worse, or of the logit with its label's sign
  int64_t right = 0, judged = 0;               // strict pairs, or labels
  double right_weight = 0, judged_weight = 0;  // the same by their weight in the loss
  int64_t gained = 0, lost = 0;                // right with the person's own label alone, or without it alone
  std::vector<std::vector<double>> values, targets;  // by dimension: what was read, and what was wanted
  int64_t tokens = 0;                                // processed

  void add(const RewardMeasure& other);
};

/// The loss of a batch, by micro-batches, with its gradients where the model's weights ask for them.
/// keyed: dropout, or null; it names no documents yet.
RewardMeasure learn_judgements(const Model& model, std::span<const Example* const> batch,
                               const RewardSettings& settings, const Dropout* keyed);

/// The share of the judged weight whose order is right.
double weighted_accuracy(const RewardMeasure& measure);

/// Accuracy and margin of a metrics row; nothing of values.
Json reward_metrics(const RewardMeasure& measure, const RewardSettings& settings);

}  // namespace keel
