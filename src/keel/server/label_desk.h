// What the label page asks for, as JSON in and JSON out; HTTP is label_server.h's, who the reader is, too.
//
// What the reward model thinks is told only as the share of judged pairs on which it agrees, after the fact.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "keel/base/json.h"
#include "keel/feedback/gold.h"
#include "keel/feedback/store.h"
#include "keel/server/label_hooks.h"
#include "keel/server/retraining.h"
#include "keel/server/reward_agreement.h"
#include "keel/server/task_view.h"

namespace keel {

/// Safe to use from several threads. Every request may throw BadRequest (requests.h).
class LabelDesk {
 public:
  /// `trained_event`: the last event that the reward model of `hooks.reward` has seen; human rankings behind
  /// it are new.
  /// `qualification`: the share of the qualification round that must be right (gold.h); leads need none.
  LabelDesk(feedback::Store& store, LabelHooks hooks, int64_t trained_event, double qualification = 0.8);

  /// {store, annotator, lead, done, remaining, agreement: null | {count, total, low, high},
  ///  training: null | {phase, detail, new_rankings}}. The agreement is null until a pair was judged, the
  ///  training for who is no lead.
  Json state(const Reader& reader);

  /// {holder} → {task: null | what TaskView shows, refusal: "" | why nothing is given, returned: null |
  ///  {judgement, note, by, answer, task}, state}: what was returned comes before new tasks.
  Json claim(const Reader& reader, const Json& request);

  /// {holder} → {task: null | its id}: a reader who is still at work keeps the task for longer; null when it
  /// went to others meanwhile.
  Json renew(const Reader& reader, const Json& request);

  /// {holder} → {}: the page is closed, its task is free for another one.
  Json release(const Reader& reader, const Json& request);

  /// {store, key, and the fields of judgement_requests.h} → {receipt: {judgement, event}, state}, after the
  /// commit. Errors: feedback::Refused for another store's judgement, unknown ids, what does not answer its
  /// task, or a used key.
  Json submit(const Reader& reader, const Json& request);

  /// {judgement} → {}: what was returned stays as it is. Errors: feedback::Refused for another's.
  Json keep(const Reader& reader, const Json& request);

  /// {judgement, note} → {}: its annotator gets it back. Errors: Forbidden for who is no lead;
  /// feedback::Refused.
  Json send_back(const Reader& reader, const Json& request);

  /// {version, text, html} of the newest guidelines; version null when there are none.
  Json guidelines();

  /// {} → state. Errors: Forbidden for who is no lead; feedback::Refused when a training runs, or there is
  /// nothing new, or no way to train.
  Json train(const Reader& reader, const Json& request);

 private:
  Json training();
  Json returned(const Reader& reader);
  std::string refusal(const Reader& reader, const feedback::Task& task);

  feedback::Store& store_;
  const std::string identity_;
  const LabelHooks hooks_;
  const TaskView view_;
  const double qualification_;
  feedback::GoldTasks gold_;

  std::mutex mutex_;  // guards what follows
  RewardAgreement agreement_;
  std::set<int64_t> qualified_;  // annotators
  Retraining retraining_;
};

}  // namespace keel
