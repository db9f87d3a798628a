#include "keel/scoring/live_reward.h"

#include <chrono>
#include <thread>

#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/log.h"

namespace keel {
namespace {

constexpr auto kPause = std::chrono::milliseconds(250);  // between two looks at the store

// +1, -1, or 0 for a skip; nothing for what is no answer.
std::optional<double> signed_answer(const feedback::Judgement& judgement) {
  if (judgement.type == feedback::JudgementType::skip) return 0;
  if (judgement.type != feedback::JudgementType::label || !judgement.label) return std::nullopt;
  return *judgement.label ? 1 : -1;
}

}  // namespace

LiveReward::LiveReward(LiveRewardOptions options)
    : options_(std::move(options)),
      store_(feedback::open_store(options_.store, feedback::Access::create)),
      kinds_(feedback::kinds_named(options_.judges)) {}

int64_t LiveReward::completion_of(int64_t prompt, const ScoredSample& sample) {
  for (const feedback::Completion& known : store_->completions_of(prompt))
    if (known.model == options_.model && known.passage.text == sample.completion_text) return known.id;
  return store_->add_completion(
      {.prompt = prompt, .passage = {.text = sample.completion_text}, .model = options_.model});
}

int64_t LiveReward::ask(const ScoredSample& sample) {
  if (sample.prompt_text.empty() || sample.completion_text.empty())
    throw Error("live reward", "expected a prompt and a completion with text for people to read, got none");
  const int64_t prompt = store_->add_prompt({.text = sample.prompt_text});
  const int64_t task = store_->add_task({.kind = feedback::TaskKind::label,
                                         .prompt = prompt,
                                         .completions = {completion_of(prompt, sample)},
                                         .copies = 1});
  store_->set_priority(task, urgency_);
  return task;
}

std::map<int64_t, double> LiveReward::answers(const std::set<int64_t>& tasks) const {
  std::map<int64_t, double> means;
  for (const int64_t task : tasks) {
    double sum = 0, count = 0;
    for (const auto& row : store_->judgements_of_task(task))
      if (const auto answer = signed_answer(row.judgement);
          answer && (kinds_ == feedback::Kinds::all ||
                     feedback::annotator_kind_name(row.annotator.kind) == options_.judges))
        sum += *answer, ++count;
    if (count > 0) means[task] = sum / count;
  }
  return means;
}

// Looks again when the store has grown.
std::map<int64_t, double> LiveReward::wait_for(const std::set<int64_t>& tasks) const {
  const auto began = std::chrono::steady_clock::now();
  std::map<int64_t, double> found = answers(tasks);
  if (found.size() < tasks.size())
    log_info(std::to_string(tasks.size() - found.size()) +
             " answers wait for a yes or no: keel label --store " + options_.store);
  for (int64_t seen = 0; found.size() < tasks.size();) {
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - began;
    if (options_.seconds > 0 && waited.count() >= options_.seconds) break;
    throw_if_interrupted();
    std::this_thread::sleep_for(kPause);
    const int64_t last = store_->last_event();
    if (last != seen) found = answers(tasks);
    seen = last;
  }
  return found;
}

void LiveReward::score(std::span<const ScoredSample> samples, std::span<Score> scores) {
  ++urgency_;
  std::vector<int64_t> tasks;
  store_->in_one_commit([&] {
    for (const ScoredSample& sample : samples) tasks.push_back(ask(sample));
  });
  const std::map<int64_t, double> found = wait_for({tasks.begin(), tasks.end()});
  for (size_t i = 0; i < tasks.size(); ++i) {
    const auto answer = found.find(tasks[i]);
    scores[i].reward = answer == found.end() ? 0 : answer->second;
  }
}

}  // namespace keel
