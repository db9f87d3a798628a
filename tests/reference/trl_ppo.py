"""TRL 0.24's PPO update restated in plain PyTorch, so that golden files can be made without its trainer.

Source: trl/trainer/ppo_trainer.py of the trl 0.24.0 wheel (lines are given as "L608"), trl/trainer/utils.py.
That this file does what PPOTrainer does, weight for weight, is asserted by test_trl_ppo.py; nothing here is
used otherwise.

Shapes: B rollouts, Q padded query length, R padded response length, V vocabulary. A response's length counts
its EOS. `response_mask` (B, R) is true on the response's tokens, `value_mask` (B, R) where a value is read.

What TRL does, and a reader would not expect:
- The score of a finished response lies one place AFTER its EOS, and there is an extra value there: V of the
  row whose last token is the EOS (L555, L565). A response that fills all R places has neither: its score is
  on its last token, even when that token is EOS, and nothing is bootstrapped although it may have been cut by
  length.
- Values after that place are 0, log-probabilities after the EOS are +1 on both sides (INVALID_LOGPROB), so
  their KL and their ratio's logarithm are 0; both kinds of place are masked out of the losses.
- logits are divided by temperature + 1e-7 (L609), at temperature 1 too.
- advantages are whitened over the whole batch with the unbiased variance and an epsilon of 1e-8 under the
  root (L584).
- Policy and value losses are token means of their own mini-batch, over different token counts (L624, L633).
- One AdamW for both models; gradients are never clipped (max_grad_norm is ignored).
- With gradient accumulation the schedule of optimizer steps is Accelerate's: see `accumulated_steps`.

`score_position="last"` is the other convention (OpenRLHF's, and Keel's default): score on the last token, no
extra value. It is the same code with value_mask = response_mask.
"""

from dataclasses import dataclass, replace

import torch

INVALID_LOGPROB = 1.0  # L76


@dataclass(frozen=True)
class Settings:
    """PPOConfig's fields that enter the update, with its defaults; below the line: no switch in TRL."""

    learning_rate: float = 3e-6
    adam_epsilon: float = 1e-8
    num_ppo_epochs: int = 4
    num_mini_batches: int = 1
    gradient_accumulation_steps: int = 1
    temperature: float = 0.7
    kl_coef: float = 0.05
    kl_estimator: str = "k1"
    cliprange: float = 0.2
    vf_coef: float = 0.1
    cliprange_value: float = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    whiten_rewards: bool = False
    missing_eos_penalty: float | None = None
    # -------------------------------------------------
    score_position: str = "after_eos"
    whiten_advantages: bool = True
    temperature_epsilon: float = 1e-7


@dataclass(frozen=True)
class Rollouts:
    """queries (B, Q) int64 left-padded; responses (B, R) int64 padded after the first EOS; scores (B) without
    penalty.

    old_logps (B, R): the sampler's own log-probabilities, to start the update from; else recomputed.
    """

    queries: torch.Tensor
    responses: torch.Tensor
    scores: torch.Tensor
    eos: int
    pad: int
    old_logps: torch.Tensor | None = None

    @property
    def lengths(self):
        """(B) tokens of each response, its EOS counted."""
        return (self.responses != self.pad).cumprod(1).sum(1)

    @property
    def finished(self):
        return (self.responses == self.eos).any(1)

    @property
    def sequences(self):
        return torch.cat((self.queries, self.responses), 1)


# ------------------------------------------------------------------------------------ masks, means, whitening


def places(lengths, response_length):
    return torch.arange(response_length).expand(len(lengths), -1)


def response_mask(lengths, response_length):
    """~padding_mask, L551."""
    return places(lengths, response_length) < lengths[:, None]


def value_mask(lengths, response_length, score_position):
    """~padding_mask_p1, L555: one place more, if there is one."""
    extra = 1 if score_position == "after_eos" else 0
    return places(lengths, response_length) < lengths[:, None] + extra


def masked_mean(values, mask):
    return (values * mask).sum() / mask.sum()


def whiten(values, mask, shift_mean=True):
    """trl.core.masked_whiten: variance over n - 1, epsilon inside the root."""
    mean = masked_mean(values, mask)
    count = mask.sum()
    variance = masked_mean((values - mean) ** 2, mask) * (count / (count - 1))
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    return whitened if shift_mean else whitened + mean


# ------------------------------------------------------------------------------------- rewards and advantages


def token_rewards(logps, ref_logps, scores, lengths, settings):
    """(B, R): -kl_coef * kl on each token, and the score on its place (L559-L571)."""
    rows, width = logps.shape
    log_ratio = ref_logps - logps
    kl = -log_ratio if settings.kl_estimator == "k1" else log_ratio.exp() - 1 - log_ratio
    rewards = -settings.kl_coef * kl
    place = lengths - 1
    if settings.score_position == "after_eos":
        place = torch.where(lengths < width, lengths, lengths - 1)
    rewards[torch.arange(rows), place] += scores
    if settings.whiten_rewards:
        mask = value_mask(lengths, width, settings.score_position)
        rewards = whiten(rewards, mask, shift_mean=False).masked_fill(~mask, 0)
    return rewards


def gae(rewards, values, gamma, lam):
    """Advantages and returns (B, R), L573-L583; after the last place the value is 0."""
    advantage = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(rewards[:, 0])
    advantages = torch.zeros_like(rewards)
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = delta + gamma * lam * advantage
        advantages[:, t] = advantage
        next_value = values[:, t]
    return advantages, advantages + values


# ----------------------------------------------------------------------------------------------------- losses


def policy_loss_tokens(logps, old_logps, advantages, cliprange):
    """Each token's clipped loss and whether the clipped branch is the larger (L628-L632, L640)."""
    ratio = torch.exp(logps - old_logps)
    plain = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - cliprange, 1 + cliprange)
    return torch.max(plain, clipped), clipped > plain


def value_loss_tokens(values, old_values, returns, cliprange_value):
    """Each place's clipped squared error, WITHOUT the half, and whether the clipped one is the larger
    (L616-L626).
    """
    near = torch.clamp(values, old_values - cliprange_value, old_values + cliprange_value)
    plain, clipped = (values - returns) ** 2, (near - returns) ** 2
    return torch.max(plain, clipped), clipped > plain


# ----------------------------------------------------------------------------------------------- model passes


def model_inputs(sequences, pad):
    """utils.forward: padding is masked, replaced by id 0, and not counted in positions."""
    mask = sequences != pad
    return dict(
        input_ids=sequences.masked_fill(~mask, 0),
        attention_mask=mask,
        position_ids=mask.cumsum(1) - mask.long(),
        return_dict=True,
        use_cache=False,
    )


def response_logits(model, rollouts, settings):
    """(B, R, V) at the rows before each response token, divided by the temperature (L608)."""
    first = rollouts.queries.shape[1] - 1
    logits = model(**model_inputs(rollouts.sequences, rollouts.pad)).logits[:, first:-1]
    return logits / (settings.temperature + settings.temperature_epsilon)


def token_logps(logits, tokens):
    return logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)


def response_logps(model, rollouts, settings):
    return token_logps(response_logits(model, rollouts, settings), rollouts.responses)


def response_values(value_model, rollouts):
    """(B, R): place t holds V of the state before response token t, so place L is V after the EOS (L519,
    L614).
    """
    first = rollouts.queries.shape[1] - 1
    trunk = getattr(value_model, value_model.base_model_prefix)
    hidden = trunk(**model_inputs(rollouts.sequences, rollouts.pad)).last_hidden_state
    return value_model.score(hidden)[:, first:-1, 0]


# ------------------------------------------------------------------------------------------------- the update


@dataclass(frozen=True)
class Experience:
    """What one batch of rollouts fixes before any step, each (B, R) unless said otherwise."""

    rollouts: Rollouts
    logps: torch.Tensor
    ref_logps: torch.Tensor
    values: torch.Tensor
    rewards: torch.Tensor
    raw_advantages: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    response_mask: torch.Tensor
    value_mask: torch.Tensor


@torch.no_grad()
def make_experience(policy, reference, value_model, rollouts, settings):
    """L461-L586."""
    lengths, width = rollouts.lengths, rollouts.responses.shape[1]
    tokens, valued = response_mask(lengths, width), value_mask(lengths, width, settings.score_position)
    logps = rollouts.old_logps
    if logps is None:
        logps = response_logps(policy, rollouts, settings)
    logps = logps.masked_fill(~tokens, INVALID_LOGPROB)
    ref_logps = response_logps(reference, rollouts, settings).masked_fill(~tokens, INVALID_LOGPROB)
    values = response_values(value_model, rollouts).masked_fill(~valued, 0)
    scores = rollouts.scores.clone()
    if settings.missing_eos_penalty is not None:
        scores[~rollouts.finished] -= settings.missing_eos_penalty
    rewards = token_rewards(logps, ref_logps, scores, lengths, settings)
    raw_advantages, returns = gae(rewards, values, settings.gamma, settings.lam)
    advantages = whiten(raw_advantages, tokens) if settings.whiten_advantages else raw_advantages
    advantages = advantages.masked_fill(~tokens, 0)
    return Experience(
        rollouts, logps, ref_logps, values, rewards, raw_advantages, advantages, returns, tokens, valued
    )


def minibatch_loss(policy, value_model, experience, rows, settings):
    """L600-L634: the joint loss of some rows, and diagnostics as numbers."""
    e = experience
    part = replace(e.rollouts, queries=e.rollouts.queries[rows], responses=e.rollouts.responses[rows])
    tokens, valued = e.response_mask[rows], e.value_mask[rows]
    logits = response_logits(policy, part, settings)
    logps = token_logps(logits, part.responses).masked_fill(~tokens, INVALID_LOGPROB)
    values = response_values(value_model, part).masked_fill(~valued, 0)
    pg, pg_clipped = policy_loss_tokens(logps, e.logps[rows], e.advantages[rows], settings.cliprange)
    vf, vf_clipped = value_loss_tokens(values, e.values[rows], e.returns[rows], settings.cliprange_value)
    policy_loss, value_loss = masked_mean(pg, tokens), 0.5 * masked_mean(vf, valued)
    with torch.no_grad():
        entropy = logits.logsumexp(-1) - (logits.softmax(-1) * logits).sum(-1)
        diagnostics = {
            "policy_loss": policy_loss.item(),
            "value_loss": value_loss.item(),
            "policy_clip_fraction": masked_mean(pg_clipped.to(values.dtype), tokens).item(),
            "value_clip_fraction": masked_mean(vf_clipped.to(values.dtype), valued).item(),
            "approximate_kl": 0.5 * masked_mean((logps - e.logps[rows]) ** 2, tokens).item(),
            "entropy": masked_mean(entropy, tokens).item(),
        }
    return policy_loss + settings.vf_coef * value_loss, diagnostics


def make_optimizer(policy, value_model, settings):
    """transformers' Trainer defaults: AdamW, betas 0.9 and 0.999, no weight decay."""
    parameters = list(policy.parameters()) + list(value_model.parameters())
    return torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=(0.9, 0.999), eps=settings.adam_epsilon, weight_decay=0.0
    )


def accumulated_steps(micro_batches, accumulation, last_batch_of_data):
    """Whether Accelerate really steps after each micro-batch of an update (accelerate 1.15, `_do_sync`).

    PPOTrainer calls optimizer.step() after every micro-batch and leaves it to Accelerate to ignore the call.
    It steps at every `accumulation`-th micro-batch, whatever the mini-batches are (with two mini-batches and
    an accumulation of four: once an epoch); but on the data loader's last batch, at every single one, on a
    gradient divided by `accumulation`.
    """
    return [last_batch_of_data or (i + 1) % accumulation == 0 for i in range(micro_batches)]


def ppo_update(policy, value_model, experience, permutations, optimizer, settings, last_batch_of_data=True):
    """All epochs over one batch of rollouts (L588-L637); permutations: (epochs, B). Returns a dict a
    micro-batch.
    """
    rows = len(experience.rollouts.responses)
    minibatch = rows // settings.num_mini_batches
    micro_batch = rows // settings.gradient_accumulation_steps
    chunks = [
        chunk
        for permutation in permutations
        for part in permutation.split(minibatch)
        for chunk in part.split(micro_batch)
    ]
    steps = accumulated_steps(len(chunks), settings.gradient_accumulation_steps, last_batch_of_data)
    log = []
    for chunk, step in zip(chunks, steps):
        loss, diagnostics = minibatch_loss(policy, value_model, experience, chunk, settings)
        (loss / settings.gradient_accumulation_steps).backward()
        if step:
            optimizer.step()
            optimizer.zero_grad()
        log.append(diagnostics)
    return log
