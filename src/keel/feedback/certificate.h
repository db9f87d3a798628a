// Whether one model is better than another, by votes that may be looked at at any time
// (statistics/confidence_sequence.h), and which tasks to ask until that is known.
//
// A vote is the first judgement of a prompt that compares completions of the two: the mean over its pairs,
// ties a half. Later ones of the same prompt say more of that prompt and not of the models; they are counted
// apart, and not asked for.
#pragma once

#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"
#include "keel/statistics/confidence_sequence.h"

namespace keel::feedback {

struct Rivals {
  std::string better = {}, than = {};  // models
};

struct ModelCertificate {
  Rivals rivals = {};
  double confidence = 0.95;
  Certificate votes = {};
  int64_t later_judgements = 0;  // of prompts that had a vote
};

ModelCertificate certify_models(const std::vector<JudgedRow>& rows, const Rivals& rivals, double confidence);

/// Tasks that would give a vote: rankings with completions of both, of prompts without a vote so far.
std::vector<int64_t> tasks_for_votes(Store& store, const std::vector<JudgedRow>& rows, const Rivals& rivals);

/// Lets such tasks be handed out first while it is undecided, and last once it is decided (the priorities 1
/// and -1); call it again when judgements have come in. Returns what is known now.
ModelCertificate ask_until_decided(Store& store, Kinds kinds, const Rivals& rivals, double confidence);

Json certificate_json(const ModelCertificate& certificate);
/// "undecided at 95 %: new against old 0.58 (0.45 to 0.70) over 60 votes, about 140 more votes".
std::string certificate_text(const ModelCertificate& certificate);

}  // namespace keel::feedback
