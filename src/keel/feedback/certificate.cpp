#include "keel/feedback/certificate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

#include "keel/feedback/leaderboard.h"

namespace keel::feedback {
namespace {

// What a judgement says for the first of the two models; nothing when it does not compare them.
std::optional<double> vote_of(const JudgedRow& row, const Rivals& rivals) {
  const ModelBattles battles = model_battles({row});
  double won = 0, compared = 0;
  for (const Battle& battle : battles.battles) {
    const std::string &first = battles.models[static_cast<size_t>(battle.first)],
                      &second = battles.models[static_cast<size_t>(battle.second)];
    const bool straight = first == rivals.better && second == rivals.than,
               turned = first == rivals.than && second == rivals.better;
    if (!straight && !turned) continue;
    won += straight ? battle.outcome : 1 - battle.outcome;
    ++compared;
  }
  return compared > 0 ? std::optional(won / compared) : std::nullopt;
}

bool compares(Store& store, const Task& task, const Rivals& rivals) {
  std::set<std::string> models;
  for (const int64_t id : task.completions) models.insert(store.completion(id).model);
  return task.kind == TaskKind::ranking && models.contains(rivals.better) && models.contains(rivals.than);
}

}  // namespace

ModelCertificate certify_models(const std::vector<JudgedRow>& rows, const Rivals& rivals, double confidence) {
  ModelCertificate certificate{.rivals = rivals, .confidence = confidence};
  std::set<int64_t> prompts;
  std::vector<double> votes;
  for (const JudgedRow& row : rows) {
    const auto vote = vote_of(row, rivals);
    if (!vote) continue;
    if (prompts.insert(row.judgement.prompt).second)
      votes.push_back(*vote);
    else
      ++certificate.later_judgements;
  }
  certificate.votes = certify(votes, confidence);
  return certificate;
}

std::vector<int64_t> tasks_for_votes(Store& store, const std::vector<JudgedRow>& rows, const Rivals& rivals) {
  std::set<int64_t> voted;
  for (const JudgedRow& row : rows)
    if (vote_of(row, rivals)) voted.insert(row.judgement.prompt);
  std::vector<int64_t> wanted;
  for (const int64_t id : store.tasks()) {
    const Task task = store.task(id);
    if (!voted.contains(task.prompt) && compares(store, task, rivals)) wanted.push_back(id);
  }
  return wanted;
}

ModelCertificate ask_until_decided(Store& store, Kinds kinds, const Rivals& rivals, double confidence) {
  const std::vector<JudgedRow> rows = store.judgements(kinds, store.last_event());
  ModelCertificate certificate = certify_models(rows, rivals, confidence);
  const bool undecided = certificate.votes.verdict == Verdict::undecided;
  store.in_one_commit([&] {
    for (const int64_t task : store.tasks())
      if (compares(store, store.task(task), rivals)) store.set_priority(task, -1);
    if (!undecided) return;
    for (const int64_t task : tasks_for_votes(store, rows, rivals)) store.set_priority(task, 1);
  });
  return certificate;
}

Json certificate_json(const ModelCertificate& certificate) {
  const Certificate& votes = certificate.votes;
  return {{"better", certificate.rivals.better},
          {"than", certificate.rivals.than},
          {"confidence", certificate.confidence},
          {"verdict", verdict_name(votes.verdict)},
          {"votes", votes.votes},
          {"decided_after", votes.decided_after > 0 ? Json(votes.decided_after) : Json()},
          {"later_judgements", certificate.later_judgements},
          {"rate", votes.rate},
          {"low", votes.interval.low},
          {"high", votes.interval.high},
          {"evidence", std::exp(votes.log_evidence)},
          {"votes_missing", votes.more ? Json(*votes.more) : Json()}};
}

std::string certificate_text(const ModelCertificate& certificate) {
  const Certificate& votes = certificate.votes;
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(),
                "%s at %g %%: %.100s against %.100s wins %.3f (%.3f to %.3f) of %lld votes",
                verdict_name(votes.verdict), 100 * certificate.confidence, certificate.rivals.better.c_str(),
                certificate.rivals.than.c_str(), votes.rate, votes.interval.low, votes.interval.high,
                static_cast<long long>(votes.votes));
  std::string text = line.data();
  if (votes.decided_after > 0) text += ", decided after " + std::to_string(votes.decided_after);
  if (votes.more)
    text += ", about " + std::to_string(*votes.more) + " more votes";
  else if (votes.verdict == Verdict::undecided)
    text += ", no number of votes in sight";
  if (certificate.later_judgements > 0)
    text += "; " + std::to_string(certificate.later_judgements) +
            " more judgements of the same prompts do not count";
  return text;
}

}  // namespace keel::feedback
