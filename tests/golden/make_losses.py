"""Loss goldens in float64: inputs, outputs, gradients. TRL 0.24's code is called where it is a function; what
is inline in PPOTrainer.train() comes from ../reference/trl_ppo.py, which test_trl_ppo.py proves against the
trainer. OpenRLHF is not installed: its conventions (openrlhf/models/loss.py, models/utils.py,
trainer/ppo_utils/experience_maker.py) are stated in the `openrlhf_` functions below; where it casts to
float32, float64 is kept.

Writes losses/*.safetensors. `grad_x` is the derivative of the value it is named after with respect to x.

    python tests/golden/make_losses.py
"""

import sys
from collections import defaultdict
from types import SimpleNamespace

import golden_files as golden
import torch
import torch.nn.functional as F

sys.path.insert(0, str(golden.GOLDEN.parent / "reference"))
import trl_ppo
from transformers import LlamaForSequenceClassification
from trl.core import masked_mean, masked_whiten
from trl.trainer.reward_trainer import RewardTrainer
from trl.trainer.utils import (
    entropy_from_logits,
    first_true_indices,
    get_reward,
    selective_log_softmax,
    truncate_response,
)

FOLDER = golden.GOLDEN / "losses"


def normal(seed, *shape, scale=1.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_gradients(loss, *inputs):
    """loss(*inputs) and its derivative with respect to each input."""
    leaves = [value.clone().requires_grad_() for value in inputs]
    value = loss(*leaves)
    return value.detach(), torch.autograd.grad(value, leaves)


# ---------------------------------------------------------------------------------------------- reward losses


def trl_reward_loss(chosen, rejected, margin=None, center=None):
    """RewardTrainer.compute_loss itself, on a model that returns the given rewards."""
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(center_rewards_coefficient=center),
        accelerator=SimpleNamespace(gather_for_metrics=lambda x: x, gather=lambda x: x),
        _total_train_tokens=0,
        _metrics={"train": defaultdict(list)},
    )
    inputs = {"attention_mask": torch.ones(1)}
    if margin is not None:
        inputs["margin"] = margin
    logits = torch.cat((chosen, rejected))[:, None]
    return RewardTrainer.compute_loss(trainer, lambda **_: SimpleNamespace(logits=logits), inputs)


def ranking_loss(rewards, ranks):
    """One prompt's mean of -log sigmoid(r_better - r_worse) over its strictly ordered pairs (rank 1 is "
    "best)."""
    better, worse = torch.nonzero(ranks[:, None] < ranks[None, :], as_tuple=True)
    return -F.logsigmoid(rewards[better] - rewards[worse]).mean()


def write_reward_losses():
    chosen, rejected, margin = normal(1, 7, scale=2), normal(2, 7, scale=2), normal(3, 7).abs()
    tensors = {"chosen": chosen, "rejected": rejected, "margin": margin, "center_coefficient": 0.01}
    for name, options in {
        "pairwise": {},
        "pairwise_margin": {"margin": margin},
        "pairwise_centered": {"center": 0.01},
    }.items():
        value, gradients = with_gradients(lambda c, r: trl_reward_loss(c, r, **options), chosen, rejected)
        tensors[f"{name}_loss"] = value
        tensors[f"{name}_grad_chosen"], tensors[f"{name}_grad_rejected"] = gradients
    assert torch.allclose(tensors["pairwise_loss"], -F.logsigmoid(chosen - rejected).mean())

    ranks, offsets = golden.pack(
        [torch.tensor(r) for r in ([1, 2], [2, 4, 1, 3], [1, 1, 3], [3, 1, 2, 2, 5, 5, 4, 6, 6])]
    )
    rewards = normal(4, len(ranks), scale=1.5)
    per_prompt = lambda r: torch.stack(
        [ranking_loss(r[a:b], ranks[a:b]) for a, b in zip(offsets[:-1], offsets[1:])]
    )
    value, (gradient,) = with_gradients(lambda r: per_prompt(r).mean(), rewards)
    tensors |= {
        "ranking_rewards": rewards,
        "ranking_ranks": ranks,
        "ranking_offsets": offsets,
        "ranking_loss": value,
        "ranking_prompt_losses": per_prompt(rewards),
        "ranking_grad_rewards": gradient,
    }

    logits, labels = normal(5, 9, scale=3), torch.tensor([1, 0, 0, 1, 1, 0, 1, 0, 1])
    value, (gradient,) = with_gradients(
        lambda x: F.binary_cross_entropy_with_logits(x, labels.double()), logits
    )
    tensors |= {
        "classifier_logits": logits,
        "classifier_labels": labels,
        "classifier_loss": value,
        "classifier_grad_logits": gradient,
    }
    golden.save(
        FOLDER / "reward",
        tensors,
        "pairwise: mean of -log sigmoid(chosen - rejected [- margin]) [+ c * mean((chosen + rejected)^2)], "
        "TRL RewardTrainer; ranking: mean over prompts of the mean over strictly ordered pairs, rank 1 "
        "best, ties skipped (InstructGPT eq. 1, 1/C(K,2) without ties); classifier: mean binary "
        "cross-entropy with logits",
    )


RANKS = ([1, 1], [2, 4, 1, 3], [1, 1, 3], [3, 1, 2, 2, 5, 5, 4, 6, 6])
ROW_WEIGHTS = torch.tensor([0.5, 2.0, 0.25, 1.5], dtype=torch.float64)


def judged_ranking_loss(rewards, ranks, scores, ties, scale):
    """One ranking's mean over its pairs i < j of torch's binary cross-entropy of (r_i - r_j) - scale (s_i - s_j)
    with target 1, 0 or, of a tie, 1/2; None without a pair."""
    i, j = torch.triu_indices(len(ranks), len(ranks), 1)
    if ties == "drop":
        strict = ranks[i] != ranks[j]
        i, j = i[strict], j[strict]
    if not len(i):
        return None
    target = 0.5 + 0.5 * torch.sign(ranks[j] - ranks[i]).double()
    logit = rewards[i] - rewards[j] - scale * (scores[i] - scores[j])
    return F.binary_cross_entropy_with_logits(logit, target)


def write_judgement_losses():
    """Rows that count more or less, ties, margins, numbers."""
    chosen, rejected = normal(21, 7, scale=2), normal(22, 7, scale=2)
    times = torch.tensor([2, 0, 1, 3, 1, 0, 2])
    repeated = lambda c, r: trl_reward_loss(c.repeat_interleave(times), r.repeat_interleave(times))
    value, gradients = with_gradients(repeated, chosen, rejected)
    tensors = {"chosen": chosen, "rejected": rejected, "pair_weights": times.double(), "weighted_loss": value}
    tensors["weighted_grad_chosen"], tensors["weighted_grad_rejected"] = gradients

    # TRL on a tied pair in both orders, beside strict pairs that are there twice
    both = lambda c, r: trl_reward_loss(
        torch.cat((c, c[:4], r[4:])), torch.cat((r, r[:4], c[4:]))
    )
    value, gradients = with_gradients(both, chosen, rejected)
    tensors["tied_loss"] = value
    tensors["tied_grad_chosen"], tensors["tied_grad_rejected"] = gradients

    ranks, offsets = golden.pack([torch.tensor(r) for r in RANKS])
    rewards, scores = normal(23, len(ranks), scale=1.5), normal(24, len(ranks))
    tensors |= {"ranks": ranks, "offsets": offsets, "rewards": rewards, "scores": scores}
    tensors |= {"row_weights": ROW_WEIGHTS, "margin_scale": 0.7}
    for ties in ("drop", "half"):
        for name, scale in (("plain", 0.0), ("margin", 0.7)):

            def loss(r):
                rows = [slice(a, b) for a, b in zip(offsets[:-1], offsets[1:])]
                parts = [judged_ranking_loss(r[x], ranks[x], scores[x], ties, scale) for x in rows]
                kept = [(w, part) for w, part in zip(ROW_WEIGHTS, parts) if part is not None]
                return sum(w * part for w, part in kept) / sum(w for w, _ in kept)

            value, (gradient,) = with_gradients(loss, rewards)
            tensors[f"{ties}_{name}_loss"], tensors[f"{ties}_{name}_grad"] = value, gradient

    predicted, targets, weights = normal(25, 9), normal(26, 9), normal(27, 9).abs()
    value, (gradient,) = with_gradients(lambda p: F.mse_loss(p, targets, weight=weights), predicted)
    tensors |= {"predicted": predicted, "targets": targets, "value_weights": weights}
    tensors |= {"regression_loss": value, "regression_grad": gradient}
    golden.save(
        FOLDER / "judgements",
        tensors,
        "weighted: TRL's RewardTrainer on each pair pair_weights times; tied: TRL on the first four pairs twice and "
        "the others in both orders; drop and half, plain and margin: mean by row_weights over the rankings with a "
        "pair, of the mean over their pairs of binary cross-entropy of r_i - r_j - margin_scale (s_i - s_j), a tie's "
        "target 1/2 (half) or left out (drop); regression: F.mse_loss with weights",
    )


# ----------------------------------------------------------------------------- log-probabilities, entropy, KL


def write_distributions():
    """(N, V) logits of a policy and a reference; gradients are of sum_i weight_i * value_i."""
    logits, ref_logits, weight = normal(10, 13, 11, scale=2), normal(11, 13, 11, scale=2), normal(12, 13)
    tokens = torch.randint(0, 11, (13,), generator=torch.Generator().manual_seed(13))
    logps, ref_logps = selective_log_softmax(logits, tokens), selective_log_softmax(ref_logits, tokens)
    p, q = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    tensors = {
        "logits": logits,
        "ref_logits": ref_logits,
        "tokens": tokens,
        "weight": weight,
        "logps": logps,
        "ref_logps": ref_logps,
    }
    of_logits = {
        "logps": lambda x: selective_log_softmax(x, tokens),
        "entropy": entropy_from_logits,
        "kl_exact": lambda x: (x.softmax(-1) * (x.log_softmax(-1) - q)).sum(-1),
    }
    of_logps = {
        "kl_k1": lambda x: x - ref_logps,
        "kl_k2": lambda x: (x - ref_logps) ** 2 / 2,
        "kl_k3": lambda x: torch.exp(ref_logps - x) - 1 - (ref_logps - x),
    }
    for name, value in of_logits.items():
        tensors[name] = value(logits)
        tensors[f"{name}_grad_logits"] = with_gradients(lambda x: (weight * value(x)).sum(), logits)[1][0]
    for name, value in of_logps.items():
        tensors[name] = value(logps)
        tensors[f"{name}_grad_logps"] = with_gradients(lambda x: (weight * value(x)).sum(), logps)[1][0]
    assert torch.allclose((p.exp() * (p - q)).sum(-1), tensors["kl_exact"])
    assert torch.allclose((p.exp() * (torch.exp(q - p) - 1 - (q - p))).sum(-1), tensors["kl_exact"])
    golden.save(
        FOLDER / "distributions",
        tensors,
        "N rows, V = 11; logps, entropy in nats; k1 = logp - ref_logp, k2 = k1^2 / 2, k3 = exp(-k1) - 1 + "
        "k1 (Schulman); kl_exact = sum_v p (log p - log q), p the policy; grad_* are of sum_i weight_i * "
        "value_i",
    )


# ------------------------------------------------------------------------------------ rewards, GAE, whitening

LENGTHS = torch.tensor([1, 9, 4, 9, 8, 6])  # EOS counted; R = 9
FINISHED = torch.tensor([True, True, True, False, True, True])  # row 1 ends in EOS at R, row 3 is cut
WIDTH = 9
GAE_SETTINGS = {"plain": (1.0, 0.95), "discounted": (0.9, 0.8)}
KL_COEF, MISSING_EOS_PENALTY = 0.05, 1.5


def packed(padded, mask):
    """(B, R) and its mask -> (N), row by row."""
    return padded[mask]


def offsets_of(mask):
    return torch.cat((torch.zeros(1, dtype=torch.int64), mask.sum(1).cumsum(0)))


def openrlhf_advantages(rewards, values, mask, gamma, lam):
    """get_advantages_and_returns: values and rewards outside the mask are zero, then plain GAE."""
    return trl_ppo.gae(rewards * mask, values * mask, gamma, lam)


def openrlhf_whiten(advantages, mask):
    """compute_advantages_and_returns: population variance, clamped from below at 1e-8, over the whole "
    "batch."""
    mean = advantages[mask].mean()
    variance = ((advantages[mask] - mean) ** 2).mean()
    return (advantages - mean) * variance.clamp(min=1e-8).rsqrt()


def rollouts():
    """Padded inputs (B, R) and the two masks, shared by the three functions below."""
    tokens = trl_ppo.response_mask(LENGTHS, WIDTH)
    logps = -normal(20, 6, WIDTH).abs() * 1.5
    ref_logps = logps + normal(21, 6, WIDTH, scale=0.5)
    return SimpleNamespace(
        tokens=tokens,
        places=trl_ppo.value_mask(LENGTHS, WIDTH, "after_eos"),
        logps=logps.masked_fill(~tokens, trl_ppo.INVALID_LOGPROB),
        ref_logps=ref_logps.masked_fill(~tokens, trl_ppo.INVALID_LOGPROB),
        values=normal(22, 6, WIDTH),
        scores=normal(23, 6, scale=2),
    )


def input_tensors(r):
    return {
        "lengths": LENGTHS,
        "finished": FINISHED.to(torch.int64),
        "scores": r.scores,
        "padded_mask": r.tokens.to(torch.int64),
        "padded_place_mask": r.places.to(torch.int64),
        "offsets": offsets_of(r.tokens),
        "place_offsets": offsets_of(r.places),
        "padded_logps": r.logps,
        "padded_ref_logps": r.ref_logps,
        "padded_values": r.values * r.places,
        "logps": packed(r.logps, r.tokens),
        "ref_logps": packed(r.ref_logps, r.tokens),
        "values": packed(r.values, r.tokens),
        "place_values": packed(r.values, r.places),
        "kl_coef": KL_COEF,
        "missing_eos_penalty": MISSING_EOS_PENALTY,
        "scores_penalized": torch.where(FINISHED, r.scores, r.scores - MISSING_EOS_PENALTY),
    }


def token_rewards(r, **options):
    settings = trl_ppo.Settings(kl_coef=KL_COEF, **options)
    return trl_ppo.token_rewards(r.logps, r.ref_logps, r.scores, LENGTHS, settings)


def reward_tensors(r):
    tensors = {}
    for prefix, position, mask in (("trl", "after_eos", r.places), ("last", "last", r.tokens)):
        for estimator in ("k1", "k3"):
            options = {"score_position": position, "kl_estimator": estimator}
            tensors[f"{prefix}_rewards_{estimator}"] = packed(token_rewards(r, **options), mask)
            whitened = token_rewards(r, whiten_rewards=True, **options)
            tensors[f"{prefix}_whitened_rewards_{estimator}"] = packed(whitened, mask)
    return tensors


def advantage_tensors(r, name, gamma, lam):
    advantages, returns = trl_ppo.gae(token_rewards(r), r.values * r.places, gamma, lam)
    whitened = masked_whiten(advantages, r.tokens)
    assert torch.equal(whitened, trl_ppo.whiten(advantages, r.tokens))
    tensors = {
        f"gamma_{name}": gamma,
        f"lambda_{name}": lam,
        f"trl_advantages_{name}": packed(advantages, r.tokens),
        f"trl_returns_{name}": packed(returns, r.places),
        f"trl_whitened_{name}": packed(whitened, r.tokens),
    }
    rewards = token_rewards(r, score_position="last")
    advantages, returns = openrlhf_advantages(rewards, r.values, r.tokens, gamma, lam)
    cumulative, _ = trl_ppo.gae(rewards * r.tokens, torch.zeros_like(rewards), gamma, 1.0)
    return tensors | {
        f"last_advantages_{name}": packed(advantages, r.tokens),
        f"last_returns_{name}": packed(returns, r.tokens),
        f"last_whitened_{name}": packed(openrlhf_whiten(advantages, r.tokens), r.tokens),
        f"last_whitened_unbiased_{name}": packed(masked_whiten(advantages, r.tokens), r.tokens),
        f"last_cumulative_returns_{name}": packed(cumulative, r.tokens),
    }


def write_rollouts():
    r = rollouts()
    tensors = input_tensors(r) | reward_tensors(r)
    for name, (gamma, lam) in GAE_SETTINGS.items():
        tensors |= advantage_tensors(r, name, gamma, lam)
    golden.save(
        FOLDER / "rollouts",
        tensors,
        "trl_*: PPOTrainer, score one place after EOS with an extra value there (place_offsets), variance "
        "over n-1; last_*: OpenRLHF, score on the last token (offsets), population variance "
        "(whitened_unbiased: over n-1); values are V before each token, the extra one V after EOS; nothing "
        "is bootstrapped; rewards_* use kl_coef and k1 or k3, advantages_* the k1 rewards; "
        "cumulative_returns: discounted sums without values",
    )


# -------------------------------------------------------------------------------------- policy and value loss


def write_ppo_losses():
    mask = trl_ppo.response_mask(LENGTHS, WIDTH)
    old_logps = -normal(30, 6, WIDTH).abs() * 1.5
    logps, advantages = old_logps + normal(31, 6, WIDTH, scale=0.4), normal(32, 6, WIDTH)
    old_values, returns = normal(34, 6, WIDTH), normal(35, 6, WIDTH)
    values = old_values + normal(33, 6, WIDTH, scale=0.4)
    inputs = {
        "logps": logps,
        "old_logps": old_logps,
        "advantages": advantages,
        "values": values,
        "old_values": old_values,
        "returns": returns,
    }
    tensors = {name: packed(value, mask) for name, value in inputs.items()}
    tensors |= {f"padded_{name}": value * mask for name, value in inputs.items()}
    tensors |= {"offsets": offsets_of(mask), "lengths": LENGTHS, "padded_mask": mask.to(torch.int64)}
    per_row = lambda x: ((x * mask).sum(1) / mask.sum(1)).mean()
    for clip in (0.2, 0.05):
        name = str(clip).replace(".", "")
        policy = lambda x: trl_ppo.policy_loss_tokens(x, old_logps, advantages, clip)
        value = lambda x: trl_ppo.value_loss_tokens(x, old_values, returns, clip)
        for kind, tokens_of, start in (("policy", policy, logps), ("value", value, values)):
            half = 0.5 if kind == "value" else 1.0
            loss, (gradient,) = with_gradients(lambda x: half * masked_mean(tokens_of(x)[0], mask), start)
            rows, (rows_gradient,) = with_gradients(lambda x: half * per_row(tokens_of(x)[0]), start)
            clipped = packed(tokens_of(start)[1], mask)
            assert 0.05 < clipped.double().mean() < 0.95
            tensors |= {
                f"{kind}_{name}_loss": loss,
                f"{kind}_{name}_grad": packed(gradient, mask),
                f"{kind}_{name}_tokens": half * packed(tokens_of(start)[0], mask),
                f"{kind}_{name}_clip_fraction": clipped.double().mean(),
                f"{kind}_{name}_sequence_mean_loss": rows,
                f"{kind}_{name}_sequence_mean_grad": packed(rows_gradient, mask),
            }
    golden.save(
        FOLDER / "ppo",
        tensors,
        "policy_02_*: max(-A r, -A clip(r, 1 - c, 1 + c)), r = exp(logp - old_logp), c = 0.2 (005: c = "
        "0.05), grad with respect to logps; value_*: half of max((v - R)^2, (clip(v, v_old - c, v_old + c) "
        "- R)^2), grad with respect to values; loss: mean over tokens; sequence_mean: mean over rows of the "
        "row's token mean; clip_fraction: share of tokens whose clipped branch is strictly larger",
    )


# ------------------------------------------------------------------------------- controller and TRL's helpers


def write_kl_controller():
    """Ziegler 2019, section 2.2; the same formula as OpenRLHF's AdaptiveKLController."""
    kls = 6 * torch.exp(normal(40, 20, scale=0.4))
    coefficient, target, horizon, batch = 0.15, 6.0, 1000.0, 64.0
    coefficients = []
    for kl in kls.tolist():
        coefficient *= 1 + min(max(kl / target - 1, -0.2), 0.2) * batch / horizon
        coefficients.append(coefficient)
    clipped = ((kls / target - 1).abs() > 0.2).sum()
    assert 3 < clipped < 17, clipped
    golden.save(
        FOLDER / "kl_controller",
        {
            "kl": kls,
            "coefficient": torch.tensor(coefficients, dtype=torch.float64),
            "initial": 0.15,
            "target": target,
            "horizon": horizon,
            "episodes_per_step": batch,
        },
        "coefficient[t]: after the update with kl[t]; beta *= 1 + clip(kl / target - 1, -0.2, 0.2) * "
        "episodes / horizon",
    )


def write_trl_helpers():
    """truncate_response, first_true_indices and get_reward on left-padded queries and noise after EOS."""
    pad, eos, context = 0, 2, 5
    model = LlamaForSequenceClassification.from_pretrained(
        golden.MODELS / "llama_reward", dtype=torch.float32
    ).double()
    generator = torch.Generator().manual_seed(50)
    queries = torch.randint(3, 97, (5, context), generator=generator)
    responses = torch.randint(3, 97, (5, 8), generator=generator)
    for row, padding in enumerate((0, 2, 4, 1, 3)):
        queries[row, :padding] = pad
    for row, place in enumerate((3, 7, 0, None, 5)):
        if place is not None:
            responses[row, place] = eos
    responses[0, 6] = eos  # a second EOS: only the first counts
    truncated = truncate_response(eos, pad, responses)
    sequences = torch.cat((queries, truncated), 1)
    with torch.no_grad():
        _, rewards, last = get_reward(model, sequences, pad, context)
    golden.save(
        FOLDER / "trl_helpers",
        {
            "queries": queries,
            "responses": responses,
            "truncated": truncated,
            "rewards": rewards,
            "last_index": last,
            "lengths": first_true_indices(truncated == pad),
        },
        "queries (5, 5) left-padded with 0; responses (5, 8) with EOS 2 inside; truncated: padding after "
        "the first EOS; lengths: tokens of a response, EOS counted; rewards (5) float64 of "
        "models/llama_reward on its last token, positions without padding; last_index: that token's column "
        "in (query, response)",
    )


if __name__ == "__main__":
    golden.check_versions()
    golden.use_true_float64()
    write_reward_losses()
    write_judgement_losses()
    write_distributions()
    write_rollouts()
    write_ppo_losses()
    write_kl_controller()
    write_trl_helpers()
