#include "keel/server/label_desk.h"

#include <algorithm>
#include <chrono>

#include "keel/feedback/judgement_rules.h"
#include "keel/server/judgement_requests.h"
#include "keel/server/markdown.h"
#include "keel/server/requests.h"

namespace keel {
namespace {

constexpr size_t kLongestNote = 4096;

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const char* phase_name(Retraining::Phase phase) {
  static constexpr const char* kNames[] = {"idle", "running", "done", "failed"};
  return kNames[static_cast<size_t>(phase)];
}

}  // namespace

LabelDesk::LabelDesk(feedback::Store& store, LabelHooks hooks, int64_t trained_event, double qualification)
    : store_(store),
      identity_(store.identity()),
      hooks_(std::move(hooks)),
      view_(store, hooks_.decode),
      qualification_(qualification),
      gold_(store),
      agreement_(hooks_.reward),
      retraining_(hooks_.train, trained_event) {
  if (!hooks_.reward && !hooks_.train) return;
  for (const auto& row : store.judgements(feedback::Kinds::human, store.last_event()))
    agreement_.remember(row.receipt, row.judgement);
}

Json LabelDesk::state(const Reader& reader) {
  const feedback::Progress progress = store_.progress(reader.annotator);
  const std::lock_guard lock(mutex_);
  Json state = {{"store", identity_}, {"annotator", reader.name}, {"lead", reader.is_lead}};
  state["done"] = progress.done;
  state["remaining"] = progress.remaining;
  state["agreement"] = agreement_.of(reader.annotator, retraining_.state().trained_event);
  state["training"] = reader.is_lead ? training() : Json();
  return state;
}

Json LabelDesk::claim(const Reader& reader, const Json& request) {
  const std::string holder = text_member(request, "holder");
  Json answer = {{"task", nullptr}, {"refusal", ""}, {"returned", returned(reader)}};
  if (answer["returned"].is_null()) {
    const auto lease = store_.claim({.annotator = reader.annotator, .holder = holder, .now = unix_seconds()});
    const auto task = lease ? std::optional(store_.task(lease->task)) : std::nullopt;
    if (task) answer["refusal"] = refusal(reader, *task);
    if (task && answer["refusal"] == "") answer["task"] = view_(reader, *task);
    if (task && answer["task"].is_null()) store_.release(reader.annotator, holder);
  }
  answer["state"] = state(reader);
  return answer;
}

// Tasks of the qualification round come first by their priority: who is given another one has nothing left
// of it.
std::string LabelDesk::refusal(const Reader& reader, const feedback::Task& task) {
  if (reader.is_lead || feedback::is_qualification(task)) return "";
  {
    const std::lock_guard lock(mutex_);
    if (qualified_.contains(reader.annotator)) return "";
  }
  const auto state = feedback::qualification_of(store_, gold_.all(), reader.annotator);
  if (state.asked == 0) return "";
  if (!state.complete()) return "Finish the qualification round first: its last items are open elsewhere.";
  if (state.share() < qualification_)
    return "The qualification round: " + std::to_string(state.right) + " of " + std::to_string(state.asked) +
           " right, which is not enough. Ask who leads the project.";
  const std::lock_guard lock(mutex_);
  qualified_.insert(reader.annotator);
  return "";
}

Json LabelDesk::returned(const Reader& reader) {
  const auto found = store_.returned_to(reader.annotator);
  if (!found) return nullptr;
  const feedback::Judgement& answer = found->answer;
  Json given = {{"type", feedback::judgement_type_name(answer.type)},
                {"completions", answer.completions},
                {"ranks", answer.ranks},
                {"ratings", answer.ratings},
                {"text", answer.text},
                {"none_acceptable", answer.none_acceptable}};
  given["label"] = answer.label ? Json(*answer.label) : Json();
  given["strength"] = answer.strength ? Json(*answer.strength) : Json();
  return {{"judgement", found->judgement},
          {"note", found->note},
          {"by", found->returned_by},
          {"answer", given},
          {"task", view_(reader, store_.task(answer.task.value()))}};
}

Json LabelDesk::keep(const Reader& reader, const Json& request) {
  store_.keep_returned(whole_member(request, "judgement"), reader.annotator);
  return Json::object();
}

Json LabelDesk::send_back(const Reader& reader, const Json& request) {
  if (!reader.is_lead) throw Forbidden("expected a lead, got an annotator: only leads return judgements");
  store_.return_judgement(whole_member(request, "judgement"), text_member(request, "note", kLongestNote),
                          reader.name);
  return Json::object();
}

Json LabelDesk::renew(const Reader& reader, const Json& request) {
  const std::string holder = text_member(request, "holder");
  const int64_t now = unix_seconds();
  const auto leases = store_.leases(now);
  const bool held = std::any_of(leases.begin(), leases.end(), [&](const feedback::Lease& lease) {
    return lease.annotator == reader.annotator && lease.holder == holder;
  });
  if (!held) return {{"task", nullptr}};
  const auto lease = store_.claim({.annotator = reader.annotator, .holder = holder, .now = now});
  return {{"task", lease ? Json(lease->task) : Json()}};
}

Json LabelDesk::release(const Reader& reader, const Json& request) {
  store_.release(reader.annotator, text_member(request, "holder"));
  return Json::object();
}

Json LabelDesk::submit(const Reader& reader, const Json& request) {
  if (text_member(request, "store") != identity_)
    throw feedback::Refused("judgement", "expected one made for this store, got another store's");
  const std::string key = "page-" + text_member(request, "key");
  const feedback::Judgement judgement = judgement_in(request, reader.annotator);
  if (judgement.adjudicates && !reader.is_lead)
    throw Forbidden("expected a lead, got an annotator: only leads say the last word");
  if (judgement.task) {
    const feedback::Task task = store_.task(*judgement.task);
    check_scale(judgement, task);
    if (judgement.corrects && feedback::is_qualification(task))
      throw feedback::Refused("judgement",
                              "expected a first answer to the qualification round, got another try");
    const std::string reason = refusal(reader, task);
    if (feedback::is_answer(judgement.type) && !reason.empty()) throw feedback::Refused("judgement", reason);
  }
  const feedback::Receipt receipt = store_.submit(judgement, key);
  {
    const std::lock_guard lock(mutex_);
    agreement_.remember(receipt, judgement);
  }
  Json answer = Json::object();
  answer["receipt"] = {{"judgement", receipt.judgement}, {"event", receipt.event}};
  answer["state"] = state(reader);
  return answer;
}

Json LabelDesk::guidelines() {
  const auto [version, text] = store_.guidelines();
  return {{"version", version == 0 ? Json() : Json(version)}, {"text", text}, {"html", markdown_html(text)}};
}

Json LabelDesk::train(const Reader& reader, const Json& request) {
  if (!request.is_object()) throw BadRequest("expected an object, got another value");
  if (!reader.is_lead) throw Forbidden("expected a lead, got an annotator: only leads train");
  if (!retraining_.possible()) throw feedback::Refused("train", "expected a way to train, got none");
  {
    const int64_t last_event = store_.last_event();
    const std::lock_guard lock(mutex_);
    if (agreement_.rankings_behind(retraining_.state().trained_event) == 0)
      throw feedback::Refused("train", "expected new rankings, got none since the last training");
    if (!retraining_.start(last_event))
      throw feedback::Refused("train", "expected the last training to have ended, got one that runs");
  }
  return state(reader);
}

Json LabelDesk::training() {
  if (!retraining_.possible()) return nullptr;
  const Retraining::State state = retraining_.state();
  Json result = {{"phase", phase_name(state.phase)}, {"detail", state.detail}};
  result["new_rankings"] = agreement_.rankings_behind(state.trained_event);
  return result;
}

}  // namespace keel
