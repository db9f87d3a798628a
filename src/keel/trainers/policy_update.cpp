#include "keel/trainers/policy_update.h"

#include <algorithm>
#include <numeric>

#include "keel/rollout/exact_logp.h"

namespace keel {
namespace {

std::function<bool(const Episode&)> after_end_rule(const UpdateOptions& options) {
  if (options.score_place == ScorePlace::last_token) return {};
  return [length = options.response_length](const Episode& episode) {
    return episode.finished && static_cast<int64_t>(episode.response.size()) < length;
  };
}

// What the models say about some episodes.
struct Readings {
  Tensor logp, entropy;   // (N)
  Tensor value;           // (M)
  Tensor logp_reference;  // (N), when a reference plays
};

LogProbs read_tokens(const Role& role, const Tensor& hidden, const EpisodeBatch& batch, double temperature) {
  LogProbs read = language_logprobs(role, hidden, batch.from, batch.tokens, temperature);
  if (role.exact != nullptr)
    read.logp =
        with_values(read.logp, exact_logp(*role.exact, batch.forest, batch.from, batch.tokens, temperature));
  return read;
}

Readings read_models(const Players& players, const EpisodeBatch& batch, double temperature,
                     bool with_reference) {
  std::vector<Role> roles = {players.policy, players.value};
  if (with_reference) roles.push_back(players.reference);
  const std::vector<Tensor> hidden =
      forward(batch.forest, roles, distinct_rows({batch.from, batch.state_rows}));
  const LogProbs policy = read_tokens(players.policy, hidden[0], batch, temperature);
  Readings readings{
      policy.logp, policy.entropy, scalar_values(players.value, hidden[1], batch.state_rows), {}};
  if (with_reference)
    readings.logp_reference = read_tokens(players.reference, hidden[2], batch, temperature).logp;
  return readings;
}

std::vector<const Episode*> pointers(const std::vector<Episode>& episodes, std::span<const int64_t> chosen) {
  std::vector<const Episode*> result;
  for (const int64_t i : chosen) result.push_back(&episodes[static_cast<size_t>(i)]);
  return result;
}

// Micro-batches of some episodes, which are given in the data's order: neighbours may share their prompts.
std::vector<std::vector<int64_t>> pieces_of(const std::vector<Episode>& episodes,
                                            std::span<const int64_t> chosen, const MicroBatchLimits& limits) {
  auto pieces = micro_batches(shapes_of(pointers(episodes, chosen)), limits);
  for (auto& piece : pieces)
    for (int64_t& row : piece) row = chosen[static_cast<size_t>(row)];
  return pieces;
}

// An epoch's order in `parts` equal parts. Neighbours in the data share their prompts: inside a mini-batch
// the data's order is as good as any.
std::vector<std::vector<int64_t>> equal_parts(const std::vector<int64_t>& order, int64_t parts) {
  std::vector<std::vector<int64_t>> result;
  const auto count = std::ssize(order);
  for (int64_t m = 0; m < parts; ++m) {
    result.emplace_back(order.begin() + m * count / parts, order.begin() + (m + 1) * count / parts);
    std::sort(result.back().begin(), result.back().end());
  }
  return result;
}

// The mini-batches of an epoch. Equal parts: the last of a greedy filling could be one episode, whose step is
// as long as any.
std::vector<std::vector<int64_t>> mini_batches(const std::vector<Episode>& episodes,
                                               const std::vector<int64_t>& order,
                                               const UpdateOptions& options) {
  if (options.tokens_per_mini_batch == 0) return equal_parts(order, options.mini_batches);
  const auto tokens_of = [&](std::span<const int64_t> chosen) {
    return forest_tokens(shapes_of(pointers(episodes, chosen)));
  };
  const auto too_large = [&](const std::vector<int64_t>& part) {
    return tokens_of(part) > options.tokens_per_mini_batch;
  };
  const int64_t all = tokens_of(equal_parts(order, 1).front()), count = std::ssize(order);
  int64_t parts = std::max(options.mini_batches, all / options.tokens_per_mini_batch);
  for (parts = std::clamp<int64_t>(parts, 1, count);; ++parts) {
    auto cut = equal_parts(order, parts);
    if (parts == count || std::none_of(cut.begin(), cut.end(), too_large)) return cut;
  }
}

// Puts `values` into their rows of a tensor of `size` rows, made when its first values come.
void place(Tensor& whole, int64_t size, const Tensor& rows, const Tensor& values) {
  if (!whole.defined()) whole = at::empty({size}, values.options());
  whole.index_copy_(0, rows, values);
}

// Where each episode's tokens and states lie among all, and each token's state.
Tensor lay_out(Experience& e, const std::function<bool(const Episode&)>& after_end) {
  e.offsets = e.state_offsets = {0};
  std::vector<int64_t> token_states;
  for (const Episode& episode : e.episodes) {
    const int64_t size = std::ssize(episode.response), first_state = e.state_offsets.back();
    for (int64_t t = 0; t < size; ++t) token_states.push_back(first_state + t);
    e.offsets.push_back(e.offsets.back() + size);
    e.state_offsets.push_back(first_state + size + (after_end && after_end(episode) ? 1 : 0));
  }
  return at::tensor(token_states, at::kLong);
}

// Credit for what is already read: rewards by state, advantages by token.
void give_credit(Experience& e, const Tensor& token_states, double kl_coefficient,
                 const UpdateOptions& options) {
  e.kl = kl_estimate(e.logp, e.logp_reference, options.kl_estimator);
  const Tensor state_kl =
      at::zeros_like(e.value).index_copy_(0, token_states, e.kl.to(e.value.scalar_type()));
  std::vector<double> scores;
  for (const Episode& episode : e.episodes) scores.push_back(episode.score);
  e.rewards = token_rewards(state_kl, at::tensor(scores, at::kDouble), e.state_offsets, kl_coefficient);
  if (options.whiten_rewards) e.rewards = whiten(e.rewards, options.variance, /*keep_mean=*/true);
  const Advantages credit =
      generalized_advantages(e.rewards, e.value, e.state_offsets, options.gamma, options.lambda);
  e.returns = credit.returns;
  e.advantage = credit.advantage.index_select(0, token_states);
  if (options.whiten_advantages && e.advantage.numel() > 1)
    e.advantage = whiten(e.advantage, options.variance);
}

// One mini-batch: what its losses are means over, and what they add up to.
struct MiniBatch {
  int64_t tokens = 0, states = 0;
};

int64_t size_of(const std::vector<int64_t>& offsets, std::span<const int64_t> chosen) {
  int64_t size = 0;
  for (const int64_t i : chosen)
    size += offsets[static_cast<size_t>(i) + 1] - offsets[static_cast<size_t>(i)];
  return size;
}

void note_logp_change(UpdateReport& report, const Tensor& change, const EpisodeBatch& batch,
                      std::span<const int64_t> chosen) {
  const Tensor values = change.detach().to(at::kDouble);
  for (size_t i = 0; i < chosen.size(); ++i)
    report.logp_change[static_cast<size_t>(chosen[i])] =
        values.slice(0, batch.offsets[i], batch.offsets[i + 1]).sum().item().toDouble();
}

// Forward and backward over a micro-batch. Its shares of the means are added to the report.
void accumulate(const Players& players, const Experience& e, std::span<const int64_t> chosen,
                const MiniBatch& whole, const UpdateOptions& options, UpdateReport& report) {
  const EpisodeBatch batch = episode_batch(pointers(e.episodes, chosen), after_end_rule(options));
  const Readings now = read_models(players, batch, options.temperature, /*with_reference=*/false);
  const Tensor at_tokens = range_indices(e.offsets, chosen),
               at_states = range_indices(e.state_offsets, chosen);
  const Tensor logp_old = e.logp.index_select(0, at_tokens),
               advantage = e.advantage.index_select(0, at_tokens);
  const Tensor value_old = e.value.index_select(0, at_states), returns = e.returns.index_select(0, at_states);
  const Tensor weight = at::full_like(logp_old, 1.0 / static_cast<double>(whole.tokens));
  const Tensor state_weight = at::full_like(value_old, 1.0 / static_cast<double>(whole.states));

  const Tensor policy_loss = ppo_policy_loss(now.logp, logp_old, advantage, weight, options.clip);
  const Tensor value_loss = ppo_value_loss(now.value, value_old, returns, state_weight, options.value_clip);
  const Tensor entropy = (now.entropy * weight).sum();
  (policy_loss + options.value_coefficient * value_loss - options.entropy_coefficient * entropy).backward();

  at::NoGradGuard no_grad;
  const double share = static_cast<double>(at_tokens.numel()) / static_cast<double>(whole.tokens);
  const double state_share = static_cast<double>(at_states.numel()) / static_cast<double>(whole.states);
  report.policy_loss += policy_loss.item().toDouble();
  report.value_loss += value_loss.item().toDouble();
  report.entropy += entropy.item().toDouble();
  report.policy_clip_fraction +=
      share * policy_clip_fraction(now.logp, logp_old, advantage, weight, options.clip);
  report.value_clip_fraction +=
      state_share * value_clip_fraction(now.value, value_old, returns, state_weight, options.value_clip);
  report.ratio_kl += (kl_estimate(logp_old, now.logp, KlEstimator::k3) * weight).sum().item().toDouble();
  note_logp_change(report, now.logp - logp_old, batch, chosen);
}

void divide(UpdateReport& report, double count) {
  for (double UpdateReport::*figure :
       {&UpdateReport::policy_loss, &UpdateReport::value_loss, &UpdateReport::entropy,
        &UpdateReport::policy_clip_fraction, &UpdateReport::value_clip_fraction, &UpdateReport::ratio_kl,
        &UpdateReport::gradient_norm, &UpdateReport::value_gradient_norm})
    report.*figure /= count;
}

}  // namespace

Experience make_experience(const Players& players, std::vector<Episode> episodes, double kl_coefficient,
                           const UpdateOptions& options) {
  at::NoGradGuard no_grad;
  Experience e;
  e.episodes = std::move(episodes);
  const auto after_end = after_end_rule(options);
  const Tensor token_states = lay_out(e, after_end);
  const int64_t tokens = e.offsets.back(), states = e.state_offsets.back();
  MicroBatchLimits limits = options.limits;
  limits.tokens = limits.tokens > 0 ? std::min(limits.tokens, kTokensAtOnce) : kTokensAtOnce;
  std::vector<int64_t> all(e.episodes.size());
  std::iota(all.begin(), all.end(), 0);
  for (const auto& chosen : pieces_of(e.episodes, all, limits)) {
    const EpisodeBatch batch = episode_batch(pointers(e.episodes, chosen), after_end);
    const Readings read = read_models(players, batch, options.temperature, /*with_reference=*/true);
    const Tensor at_tokens = range_indices(e.offsets, chosen),
                 at_states = range_indices(e.state_offsets, chosen);
    place(e.logp, tokens, at_tokens, read.logp);
    place(e.entropy, tokens, at_tokens, read.entropy);
    place(e.value, states, at_states, read.value);
    place(e.logp_reference, tokens, at_tokens, read.logp_reference);
  }
  give_credit(e, token_states, kl_coefficient, options);
  return e;
}

UpdateReport update_policy(const Players& players, const Experience& experience, const EpisodeOrder& order,
                           AdamW& policy_optimizer, double policy_rate, AdamW& value_optimizer,
                           double value_rate, const UpdateOptions& options) {
  UpdateReport report;
  report.logp_change.resize(experience.episodes.size());
  int64_t updates = 0;
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch)
    for (const auto& chosen : mini_batches(experience.episodes, order(epoch), options)) {
      const MiniBatch whole{size_of(experience.offsets, chosen), size_of(experience.state_offsets, chosen)};
      policy_optimizer.zero_grad();
      value_optimizer.zero_grad();
      for (const auto& piece : pieces_of(experience.episodes, chosen, options.limits))
        accumulate(players, experience, piece, whole, options, report);
      report.gradient_norm += policy_optimizer.clip(options.max_grad_norm);
      report.value_gradient_norm += value_optimizer.clip(options.value_max_grad_norm);
      policy_optimizer.step(policy_rate);
      value_optimizer.step(value_rate);
      ++updates;
    }
  divide(report, static_cast<double>(updates));
  return report;
}

}  // namespace keel
