// How much each annotator carries of "one model is better than another", and how few carry it whole: the
// poison budget (statistics/poison_budget.h), by the share of wins and by Bradley-Terry over all models.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/certificate.h"
#include "keel/feedback/store.h"
#include "keel/statistics/poison_budget.h"

namespace keel::feedback {

struct Influence {
  Rivals rivals = {};
  std::map<int64_t, std::string> names = {};  // of annotators
  Conclusion wins = {};                       // wins less losses
  Conclusion strengths = {};                  // nats
  int64_t battles = 0, of_both = 0;
};

/// Errors: [influence] no judgement that compares the two; those of bradley_terry_conclusion.
Influence influence(const std::vector<JudgedRow>& rows, const Rivals& rivals, int64_t most_fits = 20000);

Json influence_json(const Influence& influence);
std::string influence_text(const Influence& influence);

}  // namespace keel::feedback
