#include "keel/trainers/policy_update.h"

#include <algorithm>

#include "keel/rollout/exact_logp.h"

namespace keel {
namespace {

constexpr int64_t kTokensAtOnce = 16384;  // bounds the memory of a pass without gradients

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

// Consecutive episodes whose tokens fit a pass.
std::vector<std::vector<int64_t>> passes(const std::vector<Episode>& episodes, int64_t most_tokens) {
  std::vector<std::vector<int64_t>> result;
  int64_t tokens = most_tokens;
  for (size_t i = 0; i < episodes.size(); ++i) {
    const auto size = static_cast<int64_t>(episodes[i].prompt.size() + episodes[i].response.size());
    if (tokens + size > most_tokens) {
      result.emplace_back();
      tokens = 0;
    }
    result.back().push_back(static_cast<int64_t>(i));
    tokens += size;
  }
  return result;
}

void append_offsets(std::vector<int64_t>& all, const std::vector<int64_t>& part) {
  const int64_t base = all.back();
  for (size_t i = 1; i < part.size(); ++i) all.push_back(base + part[i]);
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
  e.offsets = e.state_offsets = {0};
  std::vector<Tensor> logp, entropy, value, reference, token_states;
  for (const auto& chosen : passes(e.episodes, kTokensAtOnce)) {
    const EpisodeBatch batch = episode_batch(pointers(e.episodes, chosen), after_end_rule(options));
    const Readings read = read_models(players, batch, options.temperature, /*with_reference=*/true);
    logp.push_back(read.logp);
    entropy.push_back(read.entropy);
    value.push_back(read.value);
    reference.push_back(read.logp_reference);
    token_states.push_back(batch.token_states + e.state_offsets.back());
    append_offsets(e.offsets, batch.offsets);
    append_offsets(e.state_offsets, batch.state_offsets);
  }
  e.logp = at::cat(logp);
  e.entropy = at::cat(entropy);
  e.value = at::cat(value);
  e.logp_reference = at::cat(reference);
  give_credit(e, at::cat(token_states), kl_coefficient, options);
  return e;
}

UpdateReport update_policy(const Players& players, const Experience& experience, const EpisodeOrder& order,
                           AdamW& policy_optimizer, double policy_rate, AdamW& value_optimizer,
                           double value_rate, const UpdateOptions& options) {
  UpdateReport report;
  report.logp_change.resize(experience.episodes.size());
  const auto count = static_cast<int64_t>(experience.episodes.size());
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const std::vector<int64_t> shuffled = order(epoch);
    for (int64_t m = 0; m < options.mini_batches; ++m) {
      // Neighbours in the data share their prompts: inside a mini-batch the data's order is as good as any.
      std::vector<int64_t> chosen(shuffled.begin() + m * count / options.mini_batches,
                                  shuffled.begin() + (m + 1) * count / options.mini_batches);
      std::sort(chosen.begin(), chosen.end());
      const MiniBatch whole{size_of(experience.offsets, chosen), size_of(experience.state_offsets, chosen)};
      const auto piece = static_cast<size_t>(options.micro_batch_size > 0 ? options.micro_batch_size : count);
      policy_optimizer.zero_grad();
      value_optimizer.zero_grad();
      for (size_t begin = 0; begin < chosen.size(); begin += piece)
        accumulate(players, experience,
                   std::span(chosen).subspan(begin, std::min(piece, chosen.size() - begin)), whole, options,
                   report);
      report.gradient_norm += policy_optimizer.clip(options.max_grad_norm);
      report.value_gradient_norm += value_optimizer.clip(options.value_max_grad_norm);
      policy_optimizer.step(policy_rate);
      value_optimizer.step(value_rate);
    }
  }
  divide(report, static_cast<double>(options.epochs * options.mini_batches));
  return report;
}

}  // namespace keel
