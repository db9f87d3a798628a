#include "keel/server/label_desk.h"

#include <algorithm>
#include <chrono>

#include "keel/base/files.h"
#include "keel/base/random.h"
#include "keel/statistics/intervals.h"

namespace keel {
namespace {

using feedback::Judgement;
using feedback::JudgementType;

constexpr size_t kLongestName = 100;

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const Json& member(const Json& request, const char* name) {
  if (!request.is_object() || !request.contains(name))
    throw BadRequest("request", "expected a field \"" + std::string(name) + "\", got none");
  return request.at(name);
}

std::string text_member(const Json& request, const char* name) {
  const Json& value = member(request, name);
  if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
      value.get_ref<const std::string&>().size() > kLongestName)
    throw BadRequest("request",
                     "expected a text of 1 to 100 bytes in \"" + std::string(name) + "\", got another value");
  return value.get<std::string>();
}

int64_t id_in(const Json& value, const char* name) {
  if (!value.is_number_integer() || value > Json(int64_t{1} << 53) || value < Json(0))
    throw BadRequest("request", "expected an id in \"" + std::string(name) + "\", got another value");
  return value.get<int64_t>();
}

// The ranks of the first and the second one shown; a skip has none.
std::vector<int64_t> ranks_of_choice(const std::string& choice) {
  if (choice == "first") return {1, 2};
  if (choice == "second") return {2, 1};
  if (choice == "tie") return {1, 1};
  if (choice == "skip") return {};
  throw BadRequest("request", "expected first, second, tie or skip in \"choice\", got another value");
}

Judgement judgement_in(const Json& request, int64_t annotator) {
  const Json& completions = member(request, "completions");
  if (!completions.is_array() || completions.size() != 2)
    throw BadRequest("request", "expected two ids in \"completions\", got another value");
  Judgement judgement{.annotator = annotator,
                      .prompt = id_in(member(request, "prompt"), "prompt"),
                      .task = id_in(member(request, "task"), "task")};
  for (const Json& id : completions) judgement.completions.push_back(id_in(id, "completions"));
  judgement.ranks = ranks_of_choice(text_member(request, "choice"));
  judgement.type = judgement.ranks.empty() ? JudgementType::skip : JudgementType::ranking;
  judgement.shown = true;
  return judgement;
}

const char* phase_name(Retraining::Phase phase) {
  static constexpr const char* kNames[] = {"idle", "running", "done", "failed"};
  return kNames[static_cast<size_t>(phase)];
}

}  // namespace

LabelDesk::LabelDesk(feedback::Store& store, const std::string& annotator, LabelHooks hooks,
                     int64_t trained_event)
    : store_(store),
      annotator_name_(annotator),
      annotator_(store.add_annotator({.kind = feedback::AnnotatorKind::human, .name = annotator})),
      identity_(store.identity()),
      hooks_(std::move(hooks)),
      rewards_from_(trained_event),
      retraining_(hooks_.train, trained_event) {
  for (const auto& row : store.judgements(feedback::Kinds::human, store.last_event()))
    remember(row.receipt, row.judgement);
}

void LabelDesk::remember(const feedback::Receipt& receipt, const Judgement& judgement) {
  if (judgement.type != JudgementType::ranking) return;
  human_rankings_.insert(receipt.event);
  if (judgement.annotator != annotator_) return;
  std::vector<Pair> pairs;
  for (size_t i = 0; i < judgement.ranks.size(); ++i)
    for (size_t j = 0; j < judgement.ranks.size(); ++j)
      if (judgement.ranks[i] < judgement.ranks[j])
        pairs.emplace_back(judgement.completions[i], judgement.completions[j]);
  judged_[receipt.judgement] = std::move(pairs);
}

Json LabelDesk::state() {
  const feedback::Progress progress = store_.progress(annotator_);
  const std::lock_guard lock(mutex_);
  Json state = {{"store", identity_}, {"annotator", annotator_name_}};
  state["done"] = progress.done;
  state["remaining"] = progress.remaining;
  state["agreement"] = agreement();
  state["training"] = training();
  return state;
}

Json LabelDesk::claim(const Json& request) {
  const auto lease = store_.claim(
      {.annotator = annotator_, .holder = text_member(request, "holder"), .now = unix_seconds()});
  Json answer = {{"task", nullptr}};
  if (lease) {
    const feedback::Task task = store_.task(lease->task);
    Json completions = Json::array();
    for (const int64_t id : shuffled(task.prompt, task.completions)) {
      Json completion = {{"id", id}};
      completion["text"] = shown_text(store_.completion(id).passage);
      completions.push_back(completion);
    }
    answer["task"] = {
        {"id", task.id}, {"prompt", task.prompt}, {"text", shown_text(store_.prompt(task.prompt))}};
    answer["task"]["completions"] = completions;
  }
  answer["state"] = state();
  return answer;
}

Json LabelDesk::release(const Json& request) {
  store_.release(annotator_, text_member(request, "holder"));
  return Json::object();
}

Json LabelDesk::submit(const Json& request) {
  if (text_member(request, "store") != identity_)
    throw feedback::Refused("judgement", "expected one made for this store, got another store's");
  const Judgement judgement = judgement_in(request, annotator_);
  const feedback::Receipt receipt = store_.submit(judgement, "page-" + text_member(request, "key"));
  {
    const std::lock_guard lock(mutex_);
    remember(receipt, judgement);
  }
  Json answer = Json::object();
  answer["receipt"] = {{"judgement", receipt.judgement}, {"event", receipt.event}};
  answer["state"] = state();
  return answer;
}

Json LabelDesk::train(const Json& request) {
  if (!request.is_object()) throw BadRequest("request", "expected an object, got another value");
  if (!retraining_.possible()) throw feedback::Refused("train", "expected a way to train, got none");
  {
    const int64_t last_event = store_.last_event();
    const std::lock_guard lock(mutex_);
    if (new_rankings(retraining_.state().trained_event) == 0)
      throw feedback::Refused("train", "expected new rankings, got none since the last training");
    if (!retraining_.start(last_event))
      throw feedback::Refused("train", "expected the last training to have ended, got one that runs");
  }
  return state();
}

std::vector<int64_t> LabelDesk::shuffled(int64_t prompt, std::vector<int64_t> completions) const {
  std::sort(completions.begin(), completions.end());
  std::string name = identity_ + "/" + annotator_name_ + "/" + std::to_string(prompt);
  for (const int64_t id : completions) name += "/" + std::to_string(id);
  const uint64_t seed = std::stoull(sha256(name).substr(0, 16), nullptr, 16);
  const KeyedPermutation permutation(seed, 0, static_cast<int64_t>(completions.size()), Stream::selection);
  std::vector<int64_t> result(completions.size());
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = completions[static_cast<size_t>(permutation(static_cast<int64_t>(i)))];
  return result;
}

std::string LabelDesk::shown_text(const Passage& passage) const {
  if (!passage.text.empty()) return passage.text;
  if (hooks_.decode) return hooks_.decode(passage.ids);
  std::string text;
  for (const int64_t id : passage.ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return text;
}

std::optional<double> LabelDesk::reward_of(int64_t completion) {
  const auto found = rewards_.find(completion);
  if (found != rewards_.end()) return found->second;
  return rewards_[completion] = hooks_.reward(completion);
}

Json LabelDesk::agreement() {
  if (!hooks_.reward) return nullptr;
  if (const int64_t trained = retraining_.state().trained_event; trained != rewards_from_) {
    rewards_.clear();
    rewards_from_ = trained;
  }
  int64_t count = 0, total = 0;
  for (const auto& [judgement, pairs] : judged_)
    for (const auto& [better, worse] : pairs) {
      const std::optional<double> high = reward_of(better), low = reward_of(worse);
      if (!high || !low || *high == *low) continue;
      ++total;
      count += *high > *low;
    }
  if (total == 0) return nullptr;
  const Interval interval = wilson(count, total);
  return {{"count", count}, {"total", total}, {"low", interval.low}, {"high", interval.high}};
}

Json LabelDesk::training() {
  if (!retraining_.possible()) return nullptr;
  const Retraining::State state = retraining_.state();
  Json result = {{"phase", phase_name(state.phase)}, {"detail", state.detail}};
  result["new_rankings"] = new_rankings(state.trained_event);
  return result;
}

int64_t LabelDesk::new_rankings(int64_t trained_event) const {
  return std::distance(human_rankings_.upper_bound(trained_event), human_rankings_.end());
}

}  // namespace keel
