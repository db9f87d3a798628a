// What the label page asks for, as JSON in and JSON out; HTTP is label_server.h's.
//
// A reader is shown two completions of a prompt without the names of their models, in an order that is drawn
// by a key of store, annotator and prompt. What the reward model thinks is told only as the share of judged
// pairs on which it agrees, after the fact.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "keel/base/error.h"
#include "keel/base/json.h"
#include "keel/feedback/store.h"
#include "keel/server/label_hooks.h"
#include "keel/server/retraining.h"

namespace keel {

/// A request that is no request: a missing field, another type, an unknown choice.
class BadRequest : public Error {
 public:
  using Error::Error;
};

/// Safe to use from several threads.
class LabelDesk {
 public:
  /// `trained_event`: the last event that the reward model of `hooks.reward` has seen; human rankings behind
  /// it are new.
  LabelDesk(feedback::Store& store, const std::string& annotator, LabelHooks hooks, int64_t trained_event);

  /// {store, annotator, done, remaining, agreement: null | {count, total, low, high},
  ///  training: null | {phase, detail, new_rankings}}. The agreement is null until a pair was judged.
  Json state();

  /// {holder} → {task: null | {id, prompt, text, completions: [{id, text}, {id, text}]}, state}
  Json claim(const Json& request);

  /// {holder} → {}: the page is closed, its pair is free for another one.
  Json release(const Json& request);

  /// {store, key, task, prompt, completions: [first shown, second shown], choice: first | second | tie | skip}
  /// → {receipt: {judgement, event}, state}, after the commit.
  /// Errors: BadRequest; feedback::Refused for another store's judgement, unknown ids or a used key.
  Json submit(const Json& request);

  /// {} → state. Errors: feedback::Refused when a training runs, or there is nothing new, or no way to train.
  Json train(const Json& request);

 private:
  using Pair = std::pair<int64_t, int64_t>;  // the better completion, the worse one

  void remember(const feedback::Receipt& receipt, const feedback::Judgement& judgement);
  std::vector<int64_t> shuffled(int64_t prompt, std::vector<int64_t> completions) const;
  std::string shown_text(const Passage& passage) const;
  std::optional<double> reward_of(int64_t completion);
  Json agreement();
  Json training();
  int64_t new_rankings(int64_t trained_event) const;

  feedback::Store& store_;
  const std::string annotator_name_;
  const int64_t annotator_;
  const std::string identity_;
  const LabelHooks hooks_;

  std::mutex mutex_;                             // guards what follows
  std::map<int64_t, std::vector<Pair>> judged_;  // this reader's strict pairs by judgement
  std::set<int64_t> human_rankings_;             // their events, of all human annotators
  std::map<int64_t, std::optional<double>> rewards_;
  int64_t rewards_from_ = 0;  // the trained event of the model that gave them
  Retraining retraining_;
};

}  // namespace keel
