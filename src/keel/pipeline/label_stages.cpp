// `keel label` with what needs torch: the reward model that readers are compared with, and training it again.
#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>
#include <optional>

#include "keel/base/error.h"
#include "keel/commands/labelling.h"
#include "keel/feedback/exchange.h"
#include "keel/models/model_folder.h"
#include "keel/pipeline/recipe.h"
#include "keel/pipeline/stages.h"
#include "keel/scoring/reward_model.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/reward.h"

namespace keel {
namespace {

struct LabelStageOptions : ServeOptions {
  std::string reward_model, train_from, chat_model;
  int64_t steps = 60, batch_size = 16, chat_tokens = 128;
  double learning_rate = 5e-4, chat_temperature = 1;

  void visit(OptionVisitor& v) override {
    ServeOptions::visit(v);
    v(&reward_model, "reward_model",
      "Shown beside the reader's judgements once they are made; default: the latest trained again, else "
      "reward/final beside the store.",
      input());
    v(&train_from, "train_from",
      "What \"train again\" starts from, each time with all rankings; default: --reward-model, else "
      "reward/final.",
      input());
    v(&chat_model, "chat_model",
      "A language model to talk to at /chat, two answers a turn; /chat?mode=red-team to attack it.", input());
    v(&chat_tokens, "chat_tokens", "Longest answer of --chat-model.", at_least(1));
    v(&chat_temperature, "chat_temperature", "Of its answers.", at_least(1e-3));
    v(&steps, "steps", "Of training again.", at_least(1));
    v(&batch_size, "batch_size", "Of training again.", at_least(1));
    v(&learning_rate, "learning_rate", "Of training again.", at_least(0));
  }
};

constexpr std::string_view kTrainedAgain = "reward-event-";  // and the last event it has seen

// A reward model's folder; empty: there is none. `event`: the last one whose rankings it was trained on
// again.
struct RewardFolder {
  std::string path;
  int64_t event = 0;
};

// The one that is named, else the one that lies where `keel run` puts it.
RewardFolder first_reward_model(const LabelStageOptions& o) {
  const auto beside = std::filesystem::path(o.store).parent_path() / "reward" / "final";
  return {!o.reward_model.empty() || !std::filesystem::exists(beside) ? o.reward_model : beside.string()};
}

// The one that was trained again last, so that a page that is opened anew goes on where it was.
RewardFolder latest_reward_model(const LabelStageOptions& o) {
  RewardFolder latest = first_reward_model(o);
  if (!o.reward_model.empty() || is_address(o.store)) return latest;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::absolute(o.store).parent_path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kTrainedAgain) || !std::filesystem::exists(entry.path() / "final")) continue;
    const std::string digits = name.substr(kTrainedAgain.size());
    int64_t event = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), event);
    if (parsed.ptr == digits.data() + digits.size() && event > latest.event)
      latest = {(entry.path() / "final").string(), event};
  }
  return latest;
}

double reward_of(feedback::Store& store, RewardModel& model, int64_t id) {
  const feedback::Completion completion = store.completion(id);
  const Passage prompt = store.prompt(completion.prompt);
  const bool finished = json_get<bool>(completion.sampling, "finished", true, "store");
  const std::vector<ScoredSample> sample = {{prompt.text, completion.passage.text, {}, {}, finished}};
  std::vector<Score> score(1);
  model.score(sample, score);
  return score.front().reward;
}

// All rankings that people and annotators gave up to `event`, frozen into the new run's folder.
std::string train_again(feedback::Store& store, const LabelStageOptions& o, const std::string& start,
                        int64_t event) {
  const auto folder =
      std::filesystem::path(o.store).parent_path() / (std::string(kTrainedAgain) + std::to_string(event));
  const auto rankings = std::filesystem::path(folder.string() + ".rankings.jsonl");
  feedback::export_judgements(store, feedback::Kinds::human, event, rankings);
  RewardOptions options;
  options.model = start;
  options.data = rankings.string();
  options.output = folder.string();
  options.steps = o.steps;
  options.batch_size = o.batch_size;
  options.learning_rate = o.learning_rate;
  train_reward(options);
  return (folder / "final").string();
}

// The reward model that the page shows: exchanged when training again is done, while pages are being served.
class ShownModel {
 public:
  void show(const std::string& folder) {
    auto model =
        std::make_shared<RewardModel>(open_reward_model(folder, {"float32", "cpu"}), std::filesystem::path());
    const std::lock_guard lock(mutex_);
    model_ = std::move(model);
  }
  std::shared_ptr<RewardModel> get() const {
    const std::lock_guard lock(mutex_);
    return model_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<RewardModel> model_;
};

// A model that people talk to. Its draws are numbered, so that two answers to one dialogue differ.
class ChatModel {
 public:
  explicit ChatModel(const LabelStageOptions& o)
      : model_(open_language_model(o.chat_model, {"auto", "cpu"})),
        tokenizer_(load_tokenizer(o.chat_model)),
        seed_(static_cast<uint64_t>(o.seed)) {
    if (!tokenizer_) throw Error(o.chat_model, "expected a tokenizer beside a model to talk to, got none");
    sampling_.max_new_tokens = o.chat_tokens;
    sampling_.temperature = o.chat_temperature;
    sampling_.stop_strings = {kNextTurn};
    sampling_.stop_ids = end_ids(model_);
    if (const auto end = end_id(model_, &*tokenizer_)) sampling_.stop_ids.push_back(*end);
  }

  std::vector<std::string> answers(const std::string& dialogue, int64_t count) {
    Request request;
    request.prompt = latest(tokenizer_->encode(dialogue));
    request.samples = count;
    request.options = sampling_;
    request.seed = seed_;
    request.prompt_index = draws_++;
    const auto text_of = [&, prompt = request.prompt](std::span<const int64_t> ids) {
      return tokenizer_->decode_completion(prompt, ids);
    };
    request.decode = text_of;
    const auto completions = generate(model_, {request}, {.rows = count});
    std::vector<std::string> texts;
    for (const Completion& drawn : completions.front()) {
      const std::string text = text_of(drawn.tokens);
      texts.push_back(text.substr(0, text.find(kNextTurn)));
    }
    return texts;
  }

 private:
  static constexpr const char* kNextTurn = "\n\nHuman:";

  // The end of a dialogue that leaves room for an answer.
  std::vector<int64_t> latest(std::vector<int64_t> ids) const {
    const int64_t room = std::max<int64_t>(1, model_.config().max_positions - sampling_.max_new_tokens);
    if (std::ssize(ids) > room) ids.erase(ids.begin(), ids.end() - room);
    return ids;
  }

  Model model_;
  std::optional<Tokenizer> tokenizer_;
  SamplingOptions sampling_;
  const uint64_t seed_;
  uint32_t draws_ = 0;
};

Chat open_chat(const LabelStageOptions& o) {
  if (o.chat_model.empty()) return {};
  const auto model = std::make_shared<ChatModel>(o);
  return {o.chat_model,
          [model](const std::string& dialogue, int64_t count) { return model->answers(dialogue, count); }};
}

void run_label(LabelStageOptions& o) {
  const auto store = feedback::open_store(o.store, feedback::Access::write);
  const RewardFolder first = first_reward_model(o), latest = latest_reward_model(o);
  LabelHooks hooks{.chat = open_chat(o)};
  ShownModel shown;
  std::optional<Tokenizer> tokenizer;
  if (!latest.path.empty()) {
    shown.show(latest.path);
    tokenizer = load_tokenizer(latest.path);
    if (tokenizer) hooks.decode = [&](const std::vector<int64_t>& ids) { return tokenizer->decode(ids); };
    hooks.reward = [&](int64_t id) { return std::optional(reward_of(*store, *shown.get(), id)); };
    const std::string start = !o.train_from.empty() ? o.train_from
                              : first.path.empty()  ? latest.path
                                                    : first.path;
    hooks.train = [&, start](int64_t event) {
      const std::string folder = train_again(*store, o, start, event);
      shown.show(folder);
      return folder;
    };
  }
  serve_labels(*store, o, std::move(hooks), latest.event);
}

}  // namespace

std::vector<Stage> label_stages() {
  return {
      make_stage(
          "label", "Pages where people judge answers, and a lead watches over it.",
          "A judgement is acknowledged after its commit; the page keeps what was not acknowledged and "
          "sends it again. The page shows how often the reader agrees with the reward model, and a lead "
          "can train it again on the new rankings. Without `--accounts` it serves whoever sits at this "
          "machine.\n\n    keel label --store runs/demo/feedback.db",
          &run_label),
  };
}

}  // namespace keel
