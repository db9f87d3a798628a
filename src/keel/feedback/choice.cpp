#include "keel/feedback/choice.h"

#include <algorithm>
#include <map>
#include <set>

#include "keel/base/error.h"
#include "keel/feedback/leaderboard.h"
#include "keel/statistics/next_task.h"

namespace keel::feedback {
namespace {

// A task with the texts that it shows.
struct AskedTask {
  Task task = {};
  Passage prompt = {};
  std::vector<Completion> completions = {};
};

std::vector<AskedTask> rankings_of(Store& store) {
  std::vector<AskedTask> tasks;
  for (const int64_t id : store.tasks()) {
    AskedTask asked{.task = store.task(id)};
    if (asked.task.kind != TaskKind::ranking) continue;
    asked.prompt = store.prompt(asked.task.prompt);
    for (const int64_t completion : asked.task.completions)
      asked.completions.push_back(store.completion(completion));
    tasks.push_back(std::move(asked));
  }
  return tasks;
}

std::vector<double> by_disagreement(const std::vector<AskedTask>& tasks, const MemberScores& members) {
  std::vector<std::vector<std::vector<double>>> scores;
  for (const AskedTask& asked : tasks) scores.push_back(members(asked.prompt, asked.completions));
  return disagreement_priorities(scores);
}

// The mean over a task's pairs of what they would tell of the models' strengths.
std::vector<double> by_strengths(const std::vector<AskedTask>& tasks, const std::vector<JudgedRow>& rows) {
  const ModelBattles battles = model_battles(rows);
  std::map<std::string, int64_t> places;
  for (const std::string& model : battles.models) places.emplace(model, std::ssize(places));
  std::set<int64_t> names;
  for (const AskedTask& asked : tasks)
    for (const Completion& completion : asked.completions)
      if (!completion.model.empty())
        names.insert(places.emplace(completion.model, std::ssize(places)).first->second);
  if (names.size() < 2)
    throw Error("choose", "expected completions of two models or more, got " + std::to_string(names.size()) +
                              ": give --reward-models to choose by their disagreement");
  const ComparisonValue value(battles.battles, std::vector<int64_t>(names.begin(), names.end()));
  std::vector<double> priorities;
  for (const AskedTask& asked : tasks) {
    double sum = 0, pairs = 0;
    for (size_t i = 0; i < asked.completions.size(); ++i)
      for (size_t j = i + 1; j < asked.completions.size(); ++j, ++pairs) {
        const std::string &first = asked.completions[i].model, &second = asked.completions[j].model;
        if (!first.empty() && !second.empty()) sum += value(places.at(first), places.at(second));
      }
    priorities.push_back(pairs > 0 ? sum / pairs : 0);
  }
  return priorities;
}

std::vector<double> by_texts(const std::vector<AskedTask>& tasks, const std::vector<JudgedRow>& rows,
                             uint64_t seed) {
  std::map<int64_t, std::string> judged;
  for (const JudgedRow& row : rows) judged[row.judgement.prompt] = row.prompt.text;
  std::vector<std::string> texts, asked;
  for (const AskedTask& task : tasks) texts.push_back(task.prompt.text);
  for (const auto& [prompt, text] : judged) asked.push_back(text);
  return diverse_priorities(texts, asked, seed);
}

}  // namespace

ChooseBy choose_by(const std::string& name) {
  if (name == "random") return ChooseBy::random;
  if (name == "uncertain") return ChooseBy::uncertain;
  if (name == "diverse") return ChooseBy::diverse;
  throw UsageError("--by", "expected random, uncertain or diverse, got " + name);
}

int64_t choose_tasks(Store& store, const ChooseRequest& request) {
  const std::vector<AskedTask> tasks = rankings_of(store);
  if (tasks.empty()) return 0;
  const std::vector<JudgedRow> rows = store.judgements(request.kinds, store.last_event());
  std::vector<double> priorities;
  if (request.by == ChooseBy::random)
    priorities = random_priorities(tasks.size(), request.seed);
  else if (request.by == ChooseBy::diverse)
    priorities = by_texts(tasks, rows, request.seed);
  else
    priorities = request.members ? by_disagreement(tasks, request.members) : by_strengths(tasks, rows);
  store.in_one_commit([&] {
    for (size_t i = 0; i < tasks.size(); ++i) store.set_priority(tasks[i].task.id, priorities[i]);
  });
  return std::ssize(tasks);
}

}  // namespace keel::feedback
