// The loop of Ouyang et al. 2022, section 3.5, and Ziegler et al. 2019, section 2: prompts → rollout → score
// → experience → updates → log. A step is one batch of prompts with all of its updates.
#include "keel/trainers/ppo.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/log.h"
#include "keel/base/random.h"
#include "keel/models/model_folder.h"
#include "keel/scoring/live_reward.h"
#include "keel/statistics/intervals.h"
#include "keel/statistics/moments.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/memory_plan.h"
#include "keel/trainers/policy_update.h"
#include "keel/trainers/training_run.h"

namespace keel {
namespace {

// Who plays: the policy, its frozen reference, the value function and the judge.
struct Cast {
  Model policy, reference;
  Model value;  // on a shared trunk its decoder's tensors are the policy's
  std::unique_ptr<Scorer> judge;
  std::optional<Tokenizer> tokenizer;
  bool shared_trunk;

  // On a shared trunk the value reads the policy's own pass.
  Players players() const {
    const Role value_role = shared_trunk
                                ? Role{&policy.decoder, &value.head, policy.precision, policy.recompute}
                                : role_of(value);
    return {role_of(policy), value_role, role_of(reference)};
  }
  std::vector<Parameter> value_parameters() const {
    return shared_trunk ? std::vector<Parameter>{{"head.weight", value.head.weight}} : value.parameters();
  }
};

Model shared_value(const Model& policy, uint64_t seed) {
  Model value = with_scalar_head(policy, seed);
  value.decoder = policy.decoder;
  return value;
}

// Of several labels the one that is the reward.
void reduce_to_reward(Head& head) {
  if (head.mix.empty()) return;
  head.weight = reward_direction(head).unsqueeze(0);
  head.mix = {};
  head.labels = {"LABEL_0"};
  head.reward_label = 0;
}

// The (first) reward model's weights start the value function where they fit (Ouyang et al. 2022, appendix
// C.4).
Model make_value(const PpoOptions& o, const Model& policy, const RewardModel* judge) {
  const auto seed = static_cast<uint64_t>(o.seed);
  const bool fits = judge != nullptr && judge->shares_tokenizer() && !o.shared_trunk;
  if (o.value_init == "reward" && !judge->shares_tokenizer())
    throw UsageError(
        "--value-init",
        "expected the policy's tokenizer in the reward model, got another one: use --value-init policy");
  if (o.shared_trunk) return shared_value(policy, seed);
  if (o.value_init == "policy" || !fits) return with_scalar_head(policy, seed);
  Model value = clone_model(judge->model());
  reduce_to_reward(value.head);
  if (!value.head.pad_id) value.head.pad_id = choose_pad_id(value);
  value.head.shift = judge->model().head.shift * o.reward_scale;
  at::NoGradGuard no_grad;
  value.head.weight.mul_(o.reward_scale);
  return value;
}

// Nothing where people judge.
std::unique_ptr<RewardEnsemble> open_reward_models(const PpoOptions& o) {
  if (o.scorer.models.empty()) return nullptr;
  std::vector<RewardModel> judges;
  for (Model& model : o.scorer.open(o.compute)) judges.emplace_back(std::move(model), o.model);
  return std::make_unique<RewardEnsemble>(std::move(judges), o.scorer.rule());
}

std::unique_ptr<LiveReward> open_live_reward(const PpoOptions& o) {
  return std::make_unique<LiveReward>(LiveRewardOptions{
      .store = o.live_reward, .model = o.output, .judges = o.live_judges, .seconds = o.live_seconds});
}

Cast make_cast(const PpoOptions& o) {
  Model policy = open_language_model(o.model, o.compute);
  const std::string& unmoved = o.reference_model.empty() ? o.model : o.reference_model;
  Model reference = open_reference(unmoved, policy, o.compute);
  std::unique_ptr<RewardEnsemble> models = open_reward_models(o);
  Model value = make_value(o, policy, models ? &models->first() : nullptr);
  std::unique_ptr<Scorer> judge = std::move(models);
  if (!judge) judge = open_live_reward(o);
  set_trainable(policy, true);
  set_trainable(value, true);
  policy.recompute = value.recompute = o.recompute;
  return {std::move(policy), std::move(reference),    std::move(value),
          std::move(judge),  load_tokenizer(o.model), o.shared_trunk};
}

UpdateOptions update_options(const PpoOptions& o, const Model& policy) {
  UpdateOptions u;
  u.temperature = o.temperature;
  u.gamma = o.gamma;
  u.lambda = o.lambda;
  u.kl_estimator = kl_estimator_named(o.kl_estimator);
  u.clip = {o.clip, o.clip};
  u.value_clip = o.clip_value;
  u.value_coefficient = o.value_coefficient;
  u.entropy_coefficient = o.entropy_coefficient;
  u.whiten_rewards = o.whiten_rewards;
  u.whiten_advantages = o.whiten_advantages;
  u.score_place = o.score_place == "after_end" ? ScorePlace::after_end : ScorePlace::last_token;
  u.response_length = o.response_length;
  u.epochs = o.ppo_epochs;
  u.mini_batches = o.mini_batches;
  u.tokens_per_mini_batch = o.tokens_per_batch;
  u.limits = o.micro_batch_limits(policy);
  u.max_grad_norm = o.max_grad_norm;
  u.value_max_grad_norm = o.value_max_grad_norm;
  return u;
}

std::vector<std::filesystem::path> inputs_of(const PpoOptions& o) {
  std::vector<std::filesystem::path> inputs = {o.model, o.data};
  for (const std::string& folder : o.scorer.folders()) inputs.emplace_back(folder);
  inputs.emplace_back(o.reference_model);
  return inputs;
}

std::vector<Request> make_requests(const PpoOptions& o, const Cast& cast,
                                   const std::vector<const Example*>& prompts, int64_t step) {
  std::vector<Request> requests;
  const auto end = end_id(cast.policy, cast.tokenizer ? &*cast.tokenizer : nullptr);
  for (const Example* example : prompts) {
    Request request;
    request.prompt = example->prompt;
    request.samples = o.samples_per_prompt;
    request.options.max_new_tokens = o.response_length;
    request.options.temperature = o.temperature;
    request.options.top_k = o.top_k;
    request.options.top_p = o.top_p;
    if (end) request.options.stop_ids = {*end};
    request.seed = static_cast<uint64_t>(o.seed);
    request.step = static_cast<uint32_t>(step);
    request.prompt_index = static_cast<uint32_t>(requests.size());
    requests.push_back(std::move(request));
  }
  return requests;
}

// The rollouts of a step with the judge's raw scores.
struct Rollouts {
  std::vector<Episode> episodes;
  std::vector<ScoredSample> samples;
  std::vector<double> rewards;              // raw, by episode
  std::vector<double> sampler_logps;        // by token, for the drift
  std::optional<double> disagreement = {};  // of an ensemble: the mean deviation of its members
};

Rollouts roll_out(const PpoOptions& o, Cast& cast, const std::vector<const Example*>& prompts, int64_t step,
                  PhaseTimes& times) {
  const std::vector<Request> requests = make_requests(o, cast, prompts, step);
  const auto completions = times.measure("rollout", [&] {
    return generate(cast.policy, requests, {}, [](int64_t, int64_t) { throw_if_interrupted(); });
  });
  Rollouts rollouts;
  rollouts.samples = scored_samples(requests, completions, cast.tokenizer ? &*cast.tokenizer : nullptr);
  std::vector<Score> scores(rollouts.samples.size());
  times.measure("score", [&] { cast.judge->score(rollouts.samples, scores); });
  if (o.scorer.folders().size() > 1) rollouts.disagreement = disagreement(scores);
  size_t index = 0;
  for (size_t i = 0; i < requests.size(); ++i)
    for (const Completion& completion : completions[i]) {
      const ScoredSample& sample = rollouts.samples[index];
      const double reward = scores[index++].reward;
      double score = reward * o.reward_scale;
      // A text without its end is worth less, whatever it says (Huang et al. 2024, detail 5).
      if (!sample.finished && o.missing_eos_penalty > 0)
        score = o.missing_eos == "replace" ? -o.missing_eos_penalty : score - o.missing_eos_penalty;
      rollouts.episodes.push_back({sample.prompt_ids, sample.completion_ids, sample.finished, score});
      rollouts.rewards.push_back(reward);
      rollouts.sampler_logps.insert(rollouts.sampler_logps.end(), completion.logps.begin(),
                                    completion.logps.end());
    }
  return rollouts;
}

std::vector<double> sequence_sums(const Tensor& values, const std::vector<int64_t>& offsets) {
  const Tensor wide = values.to(at::kDouble);
  std::vector<double> sums;
  for (size_t i = 1; i < offsets.size(); ++i)
    sums.push_back(wide.slice(0, offsets[i - 1], offsets[i]).sum().item().toDouble());
  return sums;
}

// The trainer's log-probabilities less the sampler's, in the trainer's format.
Tensor drift_of(const Tensor& logp, const std::vector<double>& sampler) {
  const Tensor sampled = at::tensor(sampler, at::kDouble).to(logp.scalar_type()).to(at::kDouble);
  return logp.to(at::kDouble) - sampled;
}

// Its mean (the bias), and mean, 99.9th percentile and largest of its size.
void add_drift(Json& row, const Tensor& drift) {
  const Tensor size = std::get<0>(drift.abs().sort());
  row["drift_bias"] = drift.mean().item().toDouble();
  row["drift_mean"] = size.mean().item().toDouble();
  row["drift_max"] = size[-1].item().toDouble();
  row["drift_p999"] =
      size[static_cast<int64_t>(0.999 * static_cast<double>(size.numel() - 1))].item().toDouble();
}

void check_exact(const Tensor& drift) {
  const int64_t different = drift.ne(0).sum().item().toLong();
  if (different > 0)
    throw Error(
        "ppo",
        "expected with --exact the same log-probabilities of sampler and trainer, got " +
            std::to_string(different) + " of " + std::to_string(drift.numel()) + " that differ, by up to " +
            std::to_string(drift.abs().max().item().toDouble()) +
            ": this model or machine does not sum training and generation in one order; leave --exact out");
}

Json metrics_of(const Rollouts& rollouts, const Experience& e, const UpdateReport& report,
                const KlController& controller) {
  const auto count = static_cast<double>(e.episodes.size());
  const std::vector<double> kl = sequence_sums(e.kl, e.offsets);
  const double finished = static_cast<double>(
      std::count_if(e.episodes.begin(), e.episodes.end(), [](const Episode& x) { return x.finished; }));
  const Tensor residual = e.returns - e.value;
  Json row = {{"reward", mean(rollouts.rewards)},
              {"reward_deviation", standard_deviation(rollouts.rewards)},
              {"kl", mean(kl)},
              {"kl_standard_error", standard_deviation(kl) / std::sqrt(count)},
              {"kl_coefficient", controller.coefficient},
              {"entropy", e.entropy.mean().item().toDouble()},
              {"response_length", static_cast<double>(e.offsets.back()) / count},
              {"finished", finished / count},
              {"policy_loss", report.policy_loss},
              {"value_loss", report.value_loss},
              {"policy_clip_fraction", report.policy_clip_fraction},
              {"value_clip_fraction", report.value_clip_fraction},
              {"ratio_kl", report.ratio_kl},
              {"explained_variance", 1 - (residual.var() / (e.returns.var() + 1e-12)).item().toDouble()},
              {"score_covariance", covariance(rollouts.rewards, report.logp_change)},
              {"gradient_norm", report.gradient_norm},
              {"value_gradient_norm", report.value_gradient_norm}};
  if (rollouts.disagreement) row["reward_disagreement"] = *rollouts.disagreement;
  add_drift(row, drift_of(e.logp, rollouts.sampler_logps));
  return row;
}

// Signs that something is reversed, or that sampler and trainer disagree; each is said once.
class Alarms {
 public:
  void look_at(const Json& row) {
    if (row["kl"].get<double>() < -3 * row["kl_standard_error"].get<double>() - 1e-9)
      say_once(said_kl_,
               "the KL is below zero by more than three standard errors: do sampler and trainer score the "
               "same distribution?");
    steps_away_ = row["score_covariance"].get<double>() < 0 ? steps_away_ + 1 : 0;
    if (steps_away_ >= 10)
      say_once(said_sign_,
               "for ten steps the policy has moved away from what the reward model scores high: is a sign "
               "reversed?");
  }

 private:
  static void say_once(bool& said, const char* message) {
    if (!said) log_warning(message);
    said = true;
  }
  bool said_kl_ = false, said_sign_ = false;
  int steps_away_ = 0;
};

void log_samples(TrainingRun& run, const PpoOptions& o, const Rollouts& rollouts, int64_t step) {
  for (size_t i = 0; i < std::min(static_cast<size_t>(o.log_samples), rollouts.samples.size()); ++i)
    run.sample(step, {{"prompt", rollouts.samples[i].prompt_text},
                      {"completion", rollouts.samples[i].completion_text},
                      {"reward", rollouts.rewards[i]},
                      {"finished", rollouts.samples[i].finished}});
}

// What a step holds at most beside models and moments: the sampler, a pass that scores, or an update, in
// which policy and value learn one after the other, or at once where they share a trunk.
int64_t bytes_of_steps(const PpoOptions& o, const Cast& cast, const ExampleSet& prompts,
                       const UpdateOptions& update) {
  std::vector<int64_t> sizes;
  for (const Example& example : prompts.examples)
    sizes.push_back(std::ssize(example.prompt) + o.samples_per_prompt * o.response_length);
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  sizes.resize(std::min(sizes.size(), static_cast<size_t>(o.batch_size)));
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  MicroBatchLimits limits = update.limits;
  const int64_t mini_batch = all / o.mini_batches;
  limits.tokens = limits.tokens > 0 ? std::min(limits.tokens, mini_batch) : mini_batch;
  const int64_t tokens = largest_micro_batch(sizes, limits), scored = std::min(all, kTokensAtOnce);
  const int64_t responses = std::ssize(sizes) * o.samples_per_prompt * o.response_length,
                read = tokens * responses / std::max<int64_t>(1, all);
  const auto learning = [&](const Model& model) {
    return pass_bytes(model, {tokens, read}) + gradient_bytes(model);
  };
  return std::max({learning(cast.policy), o.shared_trunk ? int64_t{0} : learning(cast.value),
                   scoring_bytes(cast.policy, scored), sampler_bytes(cast.policy, all)});
}

}  // namespace

PpoOptions::PpoOptions() {
  learning_rate = 1e-5;
  schedule = "constant";
}

void PpoOptions::visit(OptionVisitor& v) {
  TrainingOptions::visit(v);
  scorer.visit(v, "reward_model", "The folder of the reward model, or of each member of an ensemble.", false);
  v(&live_reward, "live_reward",
    "Instead of a reward model, people: a feedback store that gets each response as a yes/no task, for keel "
    "label to show. Yes is +1, no -1, a skip 0.",
    {.writes = true});
  v(&live_judges, "live_judges", "Whose answers count with --live-reward.",
    one_of({"human", "simulated", "ai", "all"}));
  v(&live_seconds, "live_seconds",
    "Seconds that a step waits for --live-reward; what is not answered by then gets 0. 0: until all is.",
    at_least(0));
  v(&reference_model, "reference_model", "The frozen reference; default: the model itself.", input());
  v(&response_length, "response_length", "Longest response in tokens.", at_least(1));
  v(&samples_per_prompt, "samples_per_prompt", "Responses to each prompt; they share its computation.",
    {.lowest = 1, .letter = 'n'});
  v(&ppo_epochs, "ppo_epochs", "Passes over each batch of rollouts.", at_least(1));
  v(&mini_batches, "mini_batches", "Updates in each pass; at least as many with --tokens-per-batch.",
    at_least(1));
  v(&temperature, "temperature", "Of sampling; policy and reference are scored at it too.", at_least(1e-3));
  v(&top_k, "top_k", "Sample from the k likeliest tokens; biases the ratios.", at_least(0));
  v(&top_p, "top_p", "Sample from the likeliest tokens of this mass; biases the ratios.", within(1e-6, 1));
  v(&allow_biased_sampling, "allow_biased_sampling",
    "Go on though --top-k or --top-p make the sampled distribution another than the scored one.");
  v(&kl_coef, "kl_coef", "Weight of the KL penalty in the reward.", at_least(0));
  v(&kl_target, "kl_target", "Sequence KL in nats that the coefficient is steered to; 0: fixed.",
    at_least(0));
  v(&kl_horizon, "kl_horizon", "Episodes over which the coefficient adapts.", at_least(1));
  v(&kl_estimator, "kl_estimator", "Of the KL in the reward.", one_of({"k1", "k2", "k3"}));
  v(&clip, "clip", "The policy's ratio is clipped to 1 ± this.", at_least(0));
  v(&clip_value, "clip_value", "The value is clipped to its old one ± this.", at_least(0));
  v(&value_coefficient, "value_coefficient", "Weight of the value loss.", at_least(0));
  v(&entropy_coefficient, "entropy_coefficient", "Weight of the entropy bonus.", at_least(0));
  v(&gamma, "gamma", "Discount.", within(0, 1));
  v(&lambda, "lambda", "Of generalised advantage estimation.", within(0, 1));
  v(&whiten_rewards, "whiten_rewards", "Scale per-token rewards to variance 1.");
  v(&whiten_advantages, "whiten_advantages", "Scale advantages to mean 0 and variance 1.");
  v(&score_place, "score_place",
    "Where the score is given: on the last token, or after the end as TRL 0.24 does.",
    one_of({"last_token", "after_end"}));
  v(&missing_eos_penalty, "missing_eos_penalty", "For a response that was cut before its end.", at_least(0));
  v(&missing_eos, "missing_eos", "Whether that penalty is subtracted from the score or replaces it.",
    one_of({"subtract", "replace"}));
  v(&reward_scale, "reward_scale", "The score is multiplied by this before credit is given.");
  v(&value_init, "value_init",
    "What the value model starts from; auto: the reward model where its tokenizer is the policy's.",
    one_of({"auto", "reward", "policy"}));
  v(&shared_trunk, "shared_trunk", "The value is a second head on the policy's trunk.");
  v(&value_learning_rate, "value_learning_rate", "Of the value's own optimizer; 0: as the policy's.",
    at_least(0));
  v(&value_max_grad_norm, "value_max_grad_norm", "Clip the value's gradients; 0: never.", at_least(0));
  v(&exact, "exact",
    "Stop where a log-probability of the sampler is not the trainer's to the bit. (They agree on the "
    "processor: "
    "training and generation sum in one order, whatever stands beside a row.)");
  v(&log_samples, "log_samples", "Responses of each step kept in samples.jsonl.", at_least(0));
}

void PpoOptions::check() const {
  TrainingOptions::check();
  if ((top_k > 0 || top_p < 1) && !allow_biased_sampling)
    throw UsageError("--top-k, --top-p",
                     "expected untruncated sampling for ppo, since ratios and KL are of the whole "
                     "distribution: add --allow-biased-sampling to go on");
  if (scorer.models.empty() == live_reward.empty())
    throw UsageError("--reward-model", "expected either --reward-model or --live-reward");
  if (value_init == "reward" && scorer.models.empty())
    throw UsageError("--value-init", "expected auto or policy without a reward model");
  if (exact)
    compute.check_on_processor("--exact", "only its kernels sum in one order in training and generation");
  if (shared_trunk && value_init == "reward")
    throw UsageError(
        "--value-init",
        "expected auto or policy with --shared-trunk: a reward model's head reads its own trunk");
  if (batch_size == 0) throw UsageError("--batch-size", "expected at least 1 prompt in a step of ppo, got 0");
  if (batch_size * samples_per_prompt < mini_batches)
    throw UsageError("--mini-batches", "expected at most one mini-batch for each response of a step");
}

void train_ppo(PpoOptions& options) {
  // 1. Players, prompts, state.
  Cast cast = make_cast(options);
  const ExampleSet prompts = open_prompts(options.data, cast.policy,
                                          cast.tokenizer ? &*cast.tokenizer : nullptr, options.max_length);
  const auto size = static_cast<int64_t>(prompts.examples.size());
  const auto seed = static_cast<uint64_t>(options.seed);
  const DataOrder order(size, options.batch_size, seed, options.shuffle);
  const int64_t steps = options.steps > 0
                            ? options.steps
                            : (options.epochs * size + options.batch_size - 1) / options.batch_size;
  const Schedule schedule = options.learning_schedule(steps);
  const double value_rate =
      options.value_learning_rate > 0 ? options.value_learning_rate : options.learning_rate;
  AdamW policy_optimizer(cast.policy.parameters(), options.adamw()),
      value_optimizer(cast.value_parameters(), options.adamw(1));
  KlController controller{options.kl_coef, options.kl_target, options.kl_horizon};
  const UpdateOptions update = update_options(options, cast.policy);
  const auto visit = [&](Archive& archive) {
    policy_optimizer.visit(archive, "policy.");
    value_optimizer.visit(archive, "value.");
    archive("kl_coefficient", controller.coefficient);
  };
  TrainingRun run("ppo", options, inputs_of(options), steps, {{"", &cast.policy}, {"value", &cast.value}},
                  visit);
  if (run.finished()) return;
  run.plan_memory(bytes_of_steps(options, cast, prompts, update));

  Json last;
  Alarms alarms;
  for (int64_t step = run.first_step(); step < steps; ++step) {
    // 2. Rollout and score.
    const Rollouts rollouts = run.saving_if_stopped(
        step, [&] { return roll_out(options, cast, pick(prompts, order.batch(step)), step, run.times()); });
    // 3. Experience: log-probabilities, values, KL, advantages.
    const Players players = cast.players();
    const Experience experience = run.times().measure("experience", [&] {
      return make_experience(players, rollouts.episodes, controller.coefficient, update);
    });
    if (options.exact) check_exact(drift_of(experience.logp, rollouts.sampler_logps));
    // 4. Epochs of mini-batch updates.
    const auto episodes = static_cast<int64_t>(experience.episodes.size());
    const auto shuffled = [&](int64_t epoch) {
      const KeyedPermutation permutation(seed, static_cast<uint32_t>(step * options.ppo_epochs + epoch),
                                         episodes, Stream::selection);
      std::vector<int64_t> indices;
      for (int64_t i = 0; i < episodes; ++i) indices.push_back(permutation(i));
      return indices;
    };
    const double multiplier = schedule.multiplier(step);
    const UpdateReport report = run.times().measure("update", [&] {
      return update_policy(players, experience, shuffled,
                           {policy_optimizer, options.learning_rate * multiplier},
                           {value_optimizer, value_rate * multiplier}, update);
    });
    // 5. Log, steer the coefficient.
    last = metrics_of(rollouts, experience, report, controller);
    last["learning_rate"] = options.learning_rate * multiplier;
    controller.update(last["kl"].get<double>(), episodes);
    alarms.look_at(last);
    log_samples(run, options, rollouts, step);
    run.end_step(step, experience.offsets.back(), last,
                 "reward " + std::to_string(last["reward"].get<double>()).substr(0, 6) + "  kl " +
                     std::to_string(last["kl"].get<double>()).substr(0, 5));
  }
  run.finish(last);
}

}  // namespace keel
