#include "keel/trainers/policy_update.h"

#include <algorithm>
#include <numeric>

namespace keel {
namespace {

std::function<bool(const Episode&)> after_end_rule(const UpdateOptions& options) {
  if (options.score_place == ScorePlace::last_token) return {};
  return [length = options.response_length](const Episode& episode) {
    return episode.finished && static_cast<int64_t>(episode.response.size()) < length;
  };
}

// What the models say about some episodes, on their device.
struct Readings {
  Tensor logp, entropy;   // (N)
  Tensor value;           // (M)
  Tensor logp_reference;  // (N)
};

Tensor rows_read(const EpisodeBatch& batch) {
  return distinct_rows({batch.from, batch.state_rows});
}

// Of all players, without gradients.
Readings read_models(const Players& players, const EpisodeBatch& batch, double temperature) {
  const std::vector<Role> roles = {players.policy, players.value, players.reference};
  const std::vector<Tensor> hidden = forward(batch.forest, roles, rows_read(batch));
  const auto logprobs = [&](const Role& role, const Tensor& of) {
    return language_logprobs(role, of, batch.from, batch.tokens, temperature);
  };
  const LogProbs policy = logprobs(players.policy, hidden[0]),
                 reference = logprobs(players.reference, hidden[2]);
  return {policy.logp, policy.entropy, scalar_values(players.value, hidden[1], batch.state_rows),
          reference.logp};
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
  const Tensor values = change.detach().to(at::kCPU, at::kDouble);
  for (size_t i = 0; i < chosen.size(); ++i)
    report.logp_change[static_cast<size_t>(chosen[i])] =
        values.slice(0, batch.offsets[i], batch.offsets[i + 1]).sum().item().toDouble();
}

// A mini-batch that is being learned from, by micro-batches.
struct Lesson {
  const Players& players;
  const Experience& experience;
  const MiniBatch whole;
  const UpdateOptions& options;
  UpdateReport& report;  // the micro-batches' shares of the means are added to it
};

Tensor shares(const Tensor& like, int64_t count) {
  return at::full_like(like, 1.0 / static_cast<double>(count));
}

double share(const Tensor& part, int64_t count) {
  return static_cast<double>(part.numel()) / static_cast<double>(count);
}

// Rows of what is known of all, where `like` is.
Tensor rows_beside(const Tensor& like, const Tensor& all, const Tensor& rows) {
  return all.index_select(0, rows).to(like.device());
}

// A loss, and what to report of it behind its way back: a figure that is read waits for the device.
struct Objective {
  Tensor loss;
  std::function<void()> note;
};

Objective policy_objective(const Lesson& lesson, const LogProbs& now, const EpisodeBatch& batch,
                           std::span<const int64_t> chosen) {
  const auto& [players, e, whole, options, report] = lesson;
  const Tensor rows = range_indices(e.offsets, chosen), logp_old = rows_beside(now.logp, e.logp, rows),
               advantage = rows_beside(now.logp, e.advantage, rows), weight = shares(logp_old, whole.tokens);
  const Tensor loss = ppo_policy_loss(now.logp, logp_old, advantage, weight, options.clip);
  const Tensor entropy = (now.entropy * weight).sum(), logp = now.logp.detach();
  const auto note = [=, &lesson, &batch] {
    UpdateReport& to = lesson.report;
    to.policy_loss += loss.item().toDouble();
    to.entropy += entropy.item().toDouble();
    to.policy_clip_fraction += share(rows, lesson.whole.tokens) *
                               policy_clip_fraction(logp, logp_old, advantage, weight, lesson.options.clip);
    to.ratio_kl += (kl_estimate(logp_old, logp, KlEstimator::k3) * weight).sum().item().toDouble();
    note_logp_change(to, logp - logp_old, batch, chosen);
  };
  return {loss - options.entropy_coefficient * entropy, note};
}

Objective value_objective(const Lesson& lesson, const Tensor& value, std::span<const int64_t> chosen) {
  const auto& [players, e, whole, options, report] = lesson;
  const Tensor rows = range_indices(e.state_offsets, chosen), value_old = rows_beside(value, e.value, rows),
               returns = rows_beside(value, e.returns, rows), weight = shares(value_old, whole.states);
  const Tensor loss = ppo_value_loss(value, value_old, returns, weight, options.value_clip);
  const auto note = [=, &lesson, now = value.detach()] {
    lesson.report.value_loss += loss.item().toDouble();
    lesson.report.value_clip_fraction +=
        share(rows, lesson.whole.states) *
        value_clip_fraction(now, value_old, returns, weight, lesson.options.value_clip);
  };
  return {options.value_coefficient * loss, note};
}

// The gradients of a micro-batch, of the policy, of the value or of both.
void learn(const Lesson& lesson, std::span<const int64_t> chosen, bool policy, bool value) {
  const Players& players = lesson.players;
  const EpisodeBatch batch =
      episode_batch(pointers(lesson.experience.episodes, chosen), after_end_rule(lesson.options));
  Tensor hidden, loss;  // one trunk is read once
  const auto read = [&](const Role& role) {
    if (!hidden.defined()) hidden = forward(batch.forest, {&role, 1}, rows_read(batch)).front();
    return hidden;
  };
  std::vector<Objective> objectives;
  if (policy)
    objectives.push_back(policy_objective(lesson,
                                          language_logprobs(players.policy, read(players.policy), batch.from,
                                                            batch.tokens, lesson.options.temperature),
                                          batch, chosen));
  if (value)
    objectives.push_back(
        value_objective(lesson, scalar_values(players.value, read(players.value), batch.state_rows), chosen));
  for (const Objective& objective : objectives)
    loss = loss.defined() ? loss + objective.loss : objective.loss;
  loss.backward();
  for (const Objective& objective : objectives) objective.note();
}

// A step of the policy and the value from the micro-batches of one mini-batch. Models of their own learn one
// after the other: the activations and gradients of one live at a time.
void learn_and_step(const Lesson& lesson, const std::vector<std::vector<int64_t>>& pieces, Learner policy,
                    Learner value) {
  const auto step = [](Learner& learner, double max_norm) {
    const double norm = learner.optimizer.clip(max_norm);
    learner.optimizer.step(learner.rate);
    learner.optimizer.zero_grad();
    return norm;
  };
  const bool together = lesson.players.policy.trunk == lesson.players.value.trunk;
  for (const auto& piece : pieces) learn(lesson, piece, true, together);
  lesson.report.gradient_norm += step(policy, lesson.options.max_grad_norm);
  if (!together)
    for (const auto& piece : pieces) learn(lesson, piece, false, true);
  lesson.report.value_gradient_norm += step(value, lesson.options.value_max_grad_norm);
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
    const Readings read = read_models(players, batch, options.temperature);
    const Tensor at_tokens = range_indices(e.offsets, chosen),
                 at_states = range_indices(e.state_offsets, chosen);
    place(e.logp, tokens, at_tokens, read.logp.cpu());
    place(e.entropy, tokens, at_tokens, read.entropy.cpu());
    place(e.value, states, at_states, read.value.cpu());
    place(e.logp_reference, tokens, at_tokens, read.logp_reference.cpu());
  }
  give_credit(e, token_states, kl_coefficient, options);
  return e;
}

UpdateReport update_policy(const Players& players, const Experience& experience, const EpisodeOrder& order,
                           Learner policy, Learner value, const UpdateOptions& options) {
  UpdateReport report;
  report.logp_change.resize(experience.episodes.size());
  int64_t updates = 0;
  policy.optimizer.zero_grad();
  value.optimizer.zero_grad();
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch)
    for (const auto& chosen : mini_batches(experience.episodes, order(epoch), options)) {
      const MiniBatch whole{size_of(experience.offsets, chosen), size_of(experience.state_offsets, chosen)};
      learn_and_step({players, experience, whole, options, report},
                     pieces_of(experience.episodes, chosen, options.limits), policy, value);
      ++updates;
    }
  divide(report, static_cast<double>(updates));
  return report;
}

}  // namespace keel
