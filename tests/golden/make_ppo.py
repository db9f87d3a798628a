"""Ten PPO updates of a tiny Llama in float64, as TRL 0.24 would make them (../reference/trl_ppo.py).

One update = one batch of rollouts with all its epochs. The rollouts are random tokens fixed in the file, not
samples of the policy, so the run needs no sampler; queries and responses are of mixed lengths, some responses
end in EOS, one of them on the last place, some are cut. The reference is the initial policy. Old
log-probabilities are recomputed by the policy at the start of each update. Learning rate constant, AdamW
without decay, no gradient clipping.

Writes ppo/: policy/, value/ (start, Hugging Face folders in float32, to be read as float64),
rollouts.safetensors, settings.json, and for each of RUNS one file with the final weights.

AdamW does not notice the scale of a gradient, and here nothing couples the two models' gradients: with its
usual epsilon a wrong vf_coef, or n for n-1 in the whitening, changes the weights by less than 1e-4. The third
run's epsilon of 1e-3 makes scales visible (test_ppo_golden.py measures both).

    python tests/golden/make_ppo.py
"""

import copy
import sys
from dataclasses import asdict, replace

import golden_files as golden
import torch

sys.path.insert(0, str(golden.GOLDEN.parent / "reference"))
import trl_ppo
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

FOLDER = golden.GOLDEN / "ppo"
VOCABULARY, PAD, EOS = 60, 0, 2
UPDATES, ROWS, WIDTH = 10, 12, 10
QUERY_LENGTHS = (3, 6, 1, 4, 6, 2, 5, 6, 3, 4, 2, 5)
# lengths count EOS; WIDTH: EOS exactly at the end; None: cut at WIDTH
RESPONSE_LENGTHS = (4, None, 10, 1, 9, 7, None, 2, 8, None, 5, 6)
SETTINGS = trl_ppo.Settings(
    learning_rate=3e-3,
    num_ppo_epochs=3,
    num_mini_batches=3,
    temperature=1.0,
    kl_coef=0.05,
    cliprange=0.2,
    cliprange_value=0.2,
    vf_coef=0.1,
    gamma=1.0,
    lam=0.95,
)
RUNS = {  # file name: settings
    "score_position_after_eos": SETTINGS,
    "score_position_last": replace(SETTINGS, score_position="last"),
    "score_position_after_eos_large_epsilon": replace(SETTINGS, adam_epsilon=1e-3),
}


def tiny_llama(cls, seed, **changes):
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=EOS,
        pad_token_id=PAD,
        **changes,
    )
    return golden.seed_weights(cls(config), seed)


def start_models():
    """(policy, value model) in float32, as their folders hold them."""
    return tiny_llama(LlamaForCausalLM, 201), tiny_llama(LlamaForSequenceClassification, 202, num_labels=1)


def make_rollouts(update):
    """One batch: queries (B, 6) left-padded, responses (B, WIDTH), scores (B), permutations (epochs, B)."""
    generator = torch.Generator().manual_seed(300 + update)
    queries = torch.full((ROWS, max(QUERY_LENGTHS)), PAD)
    responses = torch.randint(3, VOCABULARY, (ROWS, WIDTH), generator=generator)
    order = torch.randperm(ROWS, generator=generator).tolist()  # other pairs of lengths in each update
    for row, length in enumerate(QUERY_LENGTHS):
        queries[row, -length:] = torch.randint(3, VOCABULARY, (length,), generator=generator)
    for row, place in enumerate(order):
        length = RESPONSE_LENGTHS[place]
        if length is not None:
            responses[row, length - 1] = EOS
            responses[row, length:] = PAD
    scores = torch.randn(ROWS, generator=generator, dtype=torch.float64)
    permutations = torch.stack(
        [torch.randperm(ROWS, generator=generator) for _ in range(SETTINGS.num_ppo_epochs)]
    )
    return trl_ppo.Rollouts(queries, responses, scores, EOS, PAD), permutations


def run(settings, updates=UPDATES):
    """All updates; returns the two trained models, a log by update, and the first update's experience."""
    policy, value_model = (model.double() for model in start_models())
    reference = copy.deepcopy(policy)
    optimizer = trl_ppo.make_optimizer(policy, value_model, settings)
    logs, first = [], None
    for update in range(updates):
        rollouts, permutations = make_rollouts(update)
        experience = trl_ppo.make_experience(policy, reference, value_model, rollouts, settings)
        first = first or experience
        steps = trl_ppo.ppo_update(policy, value_model, experience, permutations, optimizer, settings)
        kl = (experience.logps - experience.ref_logps).sum(1).mean().item()
        logs.append({"kl": kl, **{name: [step[name] for step in steps] for name in steps[0]}})
    return policy, value_model, logs, first


def assert_clipping_is_active(logs):
    for name in ("policy_clip_fraction", "value_clip_fraction"):
        fractions = [fraction for log in logs for fraction in log[name]]
        share = sum(fraction > 0 for fraction in fractions) / len(fractions)
        print(
            f"{name}: above 0 in {share:.0%} of the mini-batches, mean {sum(fractions) / len(fractions):.2f}"
        )
        assert share > 0.5, (name, share)


def write_rollouts():
    tensors = {}
    for update in range(UPDATES):
        rollouts, permutations = make_rollouts(update)
        queries = [row[row != PAD] for row in rollouts.queries]
        responses = [row[:length] for row, length in zip(rollouts.responses, rollouts.lengths)]
        name = f"update_{update}_"
        tensors[name + "query_tokens"], tensors[name + "query_offsets"] = golden.pack(queries)
        tensors[name + "response_tokens"], tensors[name + "response_offsets"] = golden.pack(responses)
        tensors[name + "finished"] = rollouts.finished.to(torch.int64)
        tensors[name + "scores"], tensors[name + "permutations"] = rollouts.scores, permutations
    golden.save(
        FOLDER / "rollouts",
        tensors,
        "update_u_: query_tokens, query_offsets (B+1), response_tokens with EOS, response_offsets (B+1), "
        "finished (B): 1 ends in EOS, 0 cut at 10; scores (B) float64; permutations (epochs, B): mini-batch "
        "m of an epoch is rows 4m..4m+3 of its permutation, one optimizer step each",
    )


def write_run(name, settings):
    policy, value_model, logs, first = run(settings)
    assert_clipping_is_active(logs)
    tokens, places = first.response_mask, first.value_mask
    tensors = {f"policy.{key}": value for key, value in policy.state_dict().items()}
    tensors |= {f"value.{key}": value for key, value in value_model.state_dict().items()}
    tensors |= {
        f"log.{key}": torch.tensor([log[key] for log in logs], dtype=torch.float64) for key in logs[0]
    }
    tensors |= {
        "first.logps": first.logps[tokens],
        "first.advantages": first.advantages[tokens],
        "first.raw_advantages": first.raw_advantages[tokens],
        "first.values": first.values[places],
        "first.rewards": first.rewards[places],
        "first.returns": first.returns[places],
        "first.place_offsets": torch.cat((torch.zeros(1, dtype=torch.int64), places.sum(1).cumsum(0))),
    }
    golden.save(
        FOLDER / name,
        tensors,
        "policy.*, value.*: weights after the tenth update, float64; log.kl (10): mean over responses of "
        "the sum of logp - ref_logp before the update; log.* (10, 9): before each step, epoch-major; "
        "first.*: update 0 packed by response_offsets (logps, advantages) or place_offsets (values, "
        "rewards, returns)",
    )


if __name__ == "__main__":
    golden.check_versions()
    golden.use_true_float64()
    for name, model in zip(("policy", "value"), start_models()):
        golden.save_model(FOLDER / name, model)
    write_rollouts()
    for name, settings in RUNS.items():
        write_run(name, settings)
    fixed = {
        "updates": UPDATES,
        "rows": ROWS,
        "response_length": WIDTH,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
    }
    runs = {name: {**asdict(settings), **fixed, "betas": [0.9, 0.999]} for name, settings in RUNS.items()}
    golden.save_json(FOLDER / "settings", runs)
