"""What must not matter does not, through the binary: packing, order, micro-batches, sharing, cache, threads.

Scores and log-probabilities are compared absolutely. Trained weights are compared by the norm of their
difference over the norm of what training changed, so that a comparison cannot pass because nothing moved.
Adam's epsilon is raised to 1e-4 there: some gradients are zero but for rounding (a key's bias, a classifier's
last bias), and with 1e-8 Adam makes whole steps of that rounding.
"""

import itertools

import numpy as np
import pytest
from program import (
    MODELS,
    demonstrations,
    keel,
    labelled,
    needs_program,
    preferences,
    prompts,
    rankings,
    read_rows,
    texts,
    write_rows,
)
from safetensors.numpy import load_file

pytestmark = needs_program

LANGUAGE = ["llama_untied", "llama_tied", "llama_rope3", "gpt2", "qwen2"]
REWARD = ["llama_reward", "gpt2_reward", "llama_two_labels"]
ROUNDING = 1e-5  # of float32 log-probabilities and rewards


@pytest.fixture
def score(tmp_path):
    """score("gpt2", rows, batch_size=1): the output's rows, as flat arrays of numbers."""

    def run(model, rows, **options):
        data = write_rows(tmp_path / "score.jsonl", rows)
        lines = keel("score", model=MODELS / model, data=data, **options).rows()
        assert len(lines) == len(rows)
        return [
            np.hstack([line[name] for name in sorted(line) if name != "tokens"]).astype(float)
            for line in lines
        ]

    return run


def assert_equal(ours, theirs, tolerance=ROUNDING):
    assert len(ours) == len(theirs)
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, err_msg=f"row {index}")


def mixed_rows(model):
    return rankings(6) + preferences(5) + texts(6) if model in REWARD else demonstrations(9) + texts(6)


# Scoring.


@pytest.mark.parametrize("model", LANGUAGE + REWARD)
def test_packing_and_order_do_not_matter(score, model):
    rows = mixed_rows(model)
    order = np.random.default_rng(3).permutation(len(rows))
    together = score(model, rows)
    assert_equal(score(model, rows, batch_size=1), together)
    assert_equal(score(model, [rows[i] for i in order], batch_size=4), [together[i] for i in order])


@pytest.mark.parametrize("model", REWARD)
def test_a_shared_prompt_is_a_repeated_prompt(score, model):
    rows = rankings(5)
    shared = np.hstack(score(model, rows))
    pairs, texts_alone = [], []
    for row in rows:
        first, second, third, fourth = row["completions_ids"]
        for chosen, rejected in ((first, second), (third, fourth)):
            pairs.append({"prompt_ids": row["prompt_ids"], "chosen_ids": chosen, "rejected_ids": rejected})
        texts_alone += [{"input_ids": row["prompt_ids"] + ids} for ids in row["completions_ids"]]
    assert_equal([shared], [np.hstack(score(model, pairs))])
    assert_equal([shared], [np.hstack(score(model, texts_alone))])


@pytest.mark.parametrize("model", ["llama_untied", "gpt2"])
def test_a_completion_scores_as_the_end_of_its_text(score, model):
    rows = demonstrations(8)
    whole = score(model, [{"input_ids": row["prompt_ids"] + row["completion_ids"]} for row in rows])
    ends = [logps[-len(row["completion_ids"]) :] for logps, row in zip(whole, rows, strict=True)]
    assert_equal(score(model, rows), ends)


@pytest.mark.parametrize("model", ["llama_untied", "gpt2_reward"])
def test_threads_do_not_matter_to_scores(score, model):
    rows = mixed_rows(model)
    assert_equal(score(model, rows, threads=1), score(model, rows, threads=2))


# Decoding.


@pytest.fixture
def sample(tmp_path):
    def run(model, rows, /, **options):
        data = write_rows(tmp_path / "prompts.jsonl", rows)
        return keel("sample", model=MODELS / model, prompts=data, **options).rows()

    return run


SAMPLING = {"samples_per_prompt": 3, "max_new_tokens": 40, "seed": 7}


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0])
@pytest.mark.parametrize("model", LANGUAGE)
def test_cached_decoding_is_the_full_forward_pass(sample, score, model, temperature):
    sampled = sample(model, prompts(6), temperature=temperature, **SAMPLING)
    assert max(len(row["tokens"]) for row in sampled) == SAMPLING["max_new_tokens"]
    rows = [{"prompt_ids": row["prompt_ids"], "completion_ids": row["tokens"]} for row in sampled]
    assert_equal([row["logps"] for row in sampled], score(model, rows, temperature=temperature or 1.0))


@pytest.mark.parametrize("model", ["llama_untied", "gpt2"])
def test_how_many_rows_run_at_once_does_not_matter(sample, model):
    alone, together = (sample(model, prompts(6), rows=rows, **SAMPLING) for rows in (1, 64))
    assert [row["tokens"] for row in alone] == [row["tokens"] for row in together]
    assert_equal([row["logps"] for row in alone], [row["logps"] for row in together])


def test_greedy_samples_of_one_prompt_are_equal(sample):
    rows = sample("llama_untied", prompts(4), temperature=0, **SAMPLING)
    for first, second, third in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        assert first["tokens"] == second["tokens"] == third["tokens"]


# Training.


@pytest.fixture
def train(tmp_path):
    """train("sft", rows, **options): final weights in float64, and the rows of metrics.jsonl."""
    count = itertools.count()

    def run(stage, rows, threads=2, **options):
        number = next(count)
        data = write_rows(tmp_path / f"rows-{number}.jsonl", rows)
        output = tmp_path / f"run-{number}"
        defaults = {
            "model": MODELS / "llama_untied",
            "batch_size": len(rows),
            "steps": 3,
            "learning_rate": 1e-3,
            "schedule": "constant",
            "epsilon": 1e-4,
        }
        if stage == "ppo":
            family = "gpt2_reward" if "gpt2" in str(options.get("model")) else "llama_reward"
            defaults |= {
                "reward_model": MODELS / family,
                "samples_per_prompt": 2,
                "mini_batches": 2,
                "ppo_epochs": 2,
                "response_length": 6,
                "entropy_coefficient": 0.01,
            }
        keel(stage, data=data, output=output, threads=threads, **(defaults | options))
        weights = {
            f"{path.parent.name}/{name}": values.astype(np.float64)
            for path in sorted((output / "final").rglob("*.safetensors"))
            for name, values in load_file(path).items()
        }
        return weights, read_rows(output / "metrics.jsonl")

    return run


def distance(ours, theirs):
    assert ours.keys() == theirs.keys()
    return np.sqrt(sum(np.sum((ours[name] - theirs[name]) ** 2) for name in ours))


def assert_trained_equal(ours, theirs, start, tolerance=3e-5):
    """`start`: the weights before training, from a run at learning rate 0."""
    moved = distance(theirs[0], start[0])
    assert moved > 1e-2, "training moved nothing, so there is nothing to compare"
    assert distance(ours[0], theirs[0]) <= tolerance * moved
    supervised = ("loss", "margin", "chosen_logp", "gradient_norm")
    for name in (*supervised, "reward", "kl", "entropy", "policy_loss", "value_loss"):
        if name not in theirs[1][0]:
            continue
        a, b = (np.array([row[name] for row in metrics]) for _, metrics in (ours, theirs))
        scale = max(np.abs(b).max(), 1e-2)
        assert np.abs(a - b).max() <= 1e-4 * scale, name
        assert abs(np.mean(a - b)) <= 5e-5 * scale, f"{name} drifts to one side"


DPO = {"beta": 0.5}
CASES = {
    "sft": ("sft", demonstrations, {}),
    "sft with dropout": ("sft", demonstrations, {"dropout": 0.2}),
    "sft of gpt2 on whole texts": ("sft", texts, {"model": MODELS / "gpt2", "completion_only": False}),
    "pairs": ("reward", preferences, {}),
    "rankings with ties on qwen2": ("reward", rankings, {"model": MODELS / "qwen2"}),
    "rankings with dropout": ("reward", rankings, {"dropout": 0.2}),
    "labels": ("reward", labelled, {}),
    "dpo on pairs": ("dpo", preferences, DPO),
    "dpo on rankings with ties, of gpt2": (
        "dpo",
        rankings,
        DPO | {"model": MODELS / "gpt2", "loss_type": "ipo", "sft_coefficient": 0.5},
    ),
    "dpo with dropout": ("dpo", rankings, DPO | {"dropout": 0.2, "loss_type": "hinge"}),
    "ppo of gpt2": ("ppo", prompts, {"model": MODELS / "gpt2"}),
    "ppo on a shared trunk": ("ppo", prompts, {"shared_trunk": True}),
    "ppo with whitened rewards": ("ppo", prompts, {"whiten_rewards": True, "score_place": "after_end"}),
}


@pytest.mark.parametrize("case", CASES)
def test_micro_batches_do_not_matter(train, case):
    stage, make, options = CASES[case]
    rows = make(7)
    start = train(stage, rows, **options | {"learning_rate": 0})
    whole = train(stage, rows, **options)
    for limits in ({"micro_batch_size": 1}, {"micro_batch_size": 3}, {"micro_batch_tokens": 40}):
        assert_trained_equal(train(stage, rows, **limits, **options), whole, start)


@pytest.mark.parametrize(
    "case", ["sft with dropout", "pairs", "dpo with dropout", "ppo of gpt2", "ppo on a shared trunk"]
)
def test_recomputing_blocks_changes_no_bit(train, case):
    stage, make, options = CASES[case]
    rows = make(7)
    kept, again = (train(stage, rows, recompute=recompute, **options) for recompute in (False, True))
    assert distance(again[0], kept[0]) == 0
    assert distance(kept[0], train(stage, rows, **options | {"learning_rate": 0})[0]) > 1e-2


@pytest.mark.parametrize("case", ["sft with dropout", "rankings with ties on qwen2", "ppo of gpt2"])
def test_threads_do_not_matter_to_training(train, case):
    stage, make, options = CASES[case]
    rows = make(7)
    start = train(stage, rows, **options | {"learning_rate": 0})
    one, two = (train(stage, rows, threads=threads, **options) for threads in (1, 2))
    assert_trained_equal(one, two, start)


@pytest.mark.parametrize("stage, make", [("sft", demonstrations), ("reward", rankings), ("dpo", rankings)])
def test_order_within_a_batch_does_not_matter(train, stage, make):
    rows = make(7)
    start = train(stage, rows, shuffle=False, learning_rate=0)
    forward, backward = (train(stage, part, shuffle=False) for part in (rows, rows[::-1]))
    assert_trained_equal(backward, forward, start)


@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_a_ranking_trains_as_all_its_pairs(train, stage):
    """Ouyang et al. 2022: one element of K(K-1)/2 pairs over a shared prompt, 1/C(K,2) each."""
    together = [row for row in rankings(9) if len(set(row["ranks"])) == 4]
    assert len(together) > 3
    apart = [
        {
            "prompt_ids": row["prompt_ids"],
            "chosen_ids": row["completions_ids"][i],
            "rejected_ids": row["completions_ids"][j],
        }
        for row in together
        for i, j in itertools.permutations(range(4), 2)
        if row["ranks"][i] < row["ranks"][j]
    ]
    assert len(apart) == 6 * len(together)
    start = train(stage, together, learning_rate=0)
    assert_trained_equal(train(stage, apart), train(stage, together), start)


@pytest.mark.parametrize("reference", ["llama_untied", "llama_rope3"])
def test_when_the_reference_is_asked_does_not_matter(train, reference):
    rows = rankings(7)
    options = {"reference_model": MODELS / reference, "beta": 0.3, "micro_batch_size": 3}
    start = train("dpo", rows, **options | {"learning_rate": 0})
    before, meanwhile = (train("dpo", rows, **options, precompute_reference=early) for early in (True, False))
    assert_trained_equal(before, meanwhile, start)


def test_dropout_is_keyed_by_seed_step_and_document(train):
    """What dropout leaves out must change with the seed, or the tests above say nothing about it."""
    rows = demonstrations(7)
    start, none, first, again, other = (
        train("sft", rows, shuffle=False, **options)
        for options in (
            {"learning_rate": 0},
            {},
            {"dropout": 0.2},
            {"dropout": 0.2},
            {"dropout": 0.2, "seed": 2},
        )
    )
    moved = distance(first[0], start[0])
    assert distance(first[0], again[0]) == 0
    assert distance(first[0], none[0]) > 0.05 * moved < distance(first[0], other[0])
