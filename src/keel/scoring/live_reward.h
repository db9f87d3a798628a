// People as the reward of a running policy: its completions become yes/no tasks of a feedback store, and what
// is answered at the page (`keel label`) is the reward: +1, -1, or nothing. Christiano et al. 2017, "Deep
// reinforcement learning from human preferences", asks people while a policy learns; Knox & Stone 2009,
// "TAMER", and Arumugam et al. 2019 take their signed feedback as the signal itself.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "keel/feedback/store.h"
#include "keel/scoring/scorer.h"

namespace keel {

struct LiveRewardOptions {
  std::string store = {};  // a SQLite file or a PostgreSQL address; made when missing
  std::string model = {};  // the name under which completions are kept
  std::string judges = "human";
  double seconds = 0;  // how long a batch waits; what is not judged by then gets 0. 0: until all is judged
};

class LiveReward : public Scorer {
 public:
  /// Errors: as open_store; UsageError for other judges than human, simulated, ai, all.
  explicit LiveReward(LiveRewardOptions options);

  /// Asks for each sample, waits, and scores 1 for yes, -1 for no, 0 for a skip or no answer. A text that was
  /// asked for before is not asked for again, so that a step that is done anew finds its answers. Where
  /// several judged a sample their mean is its reward. Errors: Error for a sample without text; Interrupted.
  void score(std::span<const ScoredSample> samples, std::span<Score> scores) override;

 private:
  int64_t ask(const ScoredSample& sample);
  int64_t completion_of(int64_t prompt, const ScoredSample& sample);
  std::map<int64_t, double> answers(const std::set<int64_t>& tasks) const;
  std::map<int64_t, double> wait_for(const std::set<int64_t>& tasks) const;

  LiveRewardOptions options_;
  std::unique_ptr<feedback::Store> store_;
  feedback::Kinds kinds_;
  double urgency_ = 0;  // of the newest batch: it is handed out first
};

}  // namespace keel
