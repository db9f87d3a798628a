"""Batches filled by tokens, through the binary: what a step holds, how many there are, what equals what."""

import numpy as np
import pytest
from program import (
    MODELS,
    contents,
    demonstrations,
    keel,
    needs_program,
    prompts,
    rankings,
    read_rows,
    texts,
    write_rows,
)

pytestmark = needs_program


@pytest.fixture
def train(tmp_path):
    """train("sft", rows, **options): hashes of final/, and the rows of metrics.jsonl."""
    runs = []

    def run(stage, rows, **options):
        runs.append(tmp_path / f"run-{len(runs)}")
        data = write_rows(tmp_path / f"rows-{len(runs)}.jsonl", rows)
        defaults = {"model": MODELS / "llama_untied", "learning_rate": 1e-3, "schedule": "linear"}
        if stage == "ppo":
            defaults |= {"reward_model": MODELS / "llama_reward", "response_length": 6, "samples_per_prompt": 2}
        keel(stage, data=data, output=runs[-1], **(defaults | options))
        return contents(runs[-1] / "final"), read_rows(runs[-1] / "metrics.jsonl")

    return run


def tokens_of(row):
    """Of a row as a forest holds it: its prompt once."""
    return len(row.get("prompt_ids", [])) + sum(
        len(ids) for ids in [row.get("completion_ids", []), row.get("input_ids", []), *row.get("completions_ids", [])]
    )


def steps_of(sizes, bound, rows=10**9):
    """The greedy cut of the sizes in their order: tokens of each step."""
    steps, count = [], 0
    for size in sizes:
        if not steps or count == rows or steps[-1] + size > bound:
            steps.append(0)
            count = 0
        steps[-1] += size
        count += 1
    return steps


@pytest.mark.parametrize("stage, make", [("sft", demonstrations), ("sft", texts), ("reward", rankings)])
def test_steps_are_filled_by_tokens(train, stage, make):
    rows = make(23)
    sizes = [tokens_of(row) for row in rows]
    options = {"tokens_per_batch": 90, "epochs": 2, "shuffle": False}
    for batch_size, most in ((0, 10**9), (3, 3)):
        _, metrics = train(stage, rows, batch_size=batch_size, **options)
        assert [row["tokens"] for row in metrics] == steps_of(sizes * 2, 90, most)
        rates = [row["learning_rate"] for row in metrics]
        planned = len(metrics)
        np.testing.assert_allclose(rates, [1e-3 * (1 - i / planned) for i in range(planned)], rtol=1e-12)


def test_an_epoch_in_keyed_order_sees_every_row(train):
    rows = texts(23)
    _, metrics = train("sft", rows, tokens_per_batch=70, batch_size=0, epochs=3)
    tokens = [row["tokens"] for row in metrics]
    assert sum(tokens) == 3 * sum(map(tokens_of, rows)) and max(tokens) <= 70
    assert len(set(tokens)) > 3


def test_a_long_row_is_a_step_of_its_own(train):
    rows = [{"input_ids": [1, *range(3, 3 + size)]} for size in (4, 40, 4, 4)]
    _, metrics = train("sft", rows, tokens_per_batch=12, batch_size=0, shuffle=False)
    assert [row["tokens"] for row in metrics] == [5, 41, 10]


def test_equal_rows_are_cut_as_by_rows(train):
    rows = [{"input_ids": [1, *range(3 + i, 12 + i)]} for i in range(12)]
    by_rows, _ = train("sft", rows, batch_size=4, epochs=2)
    by_tokens, _ = train("sft", rows, batch_size=0, tokens_per_batch=49, epochs=2)
    other, _ = train("sft", rows, batch_size=0, tokens_per_batch=39, epochs=2)
    assert by_rows == by_tokens != other


def test_validation_does_not_depend_on_the_cut(train, tmp_path):
    validation = write_rows(tmp_path / "validation.jsonl", demonstrations(11, seed=5))
    losses = []
    for options in ({"batch_size": 3}, {"batch_size": 0, "tokens_per_batch": 60}):
        _, metrics = train("sft", demonstrations(4), steps=1, learning_rate=0, validation=validation, **options)
        losses.append(metrics[-1]["validation_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_ppo_has_as_many_mini_batches_as_the_bound_takes(train):
    rows = prompts(5)
    options = {"batch_size": 5, "steps": 2, "schedule": "constant"}
    usual, _ = train("ppo", rows, **options)
    wide, _ = train("ppo", rows, tokens_per_batch=10_000, **options)
    single, _ = train("ppo", rows, mini_batches=10, **options)
    narrow, metrics = train("ppo", rows, tokens_per_batch=1, **options)
    assert usual == wide != single == narrow
    assert all(row["gradient_norm"] > 0 for row in metrics)
