"""The loops of `keel sft`, `keel reward` and `keel dpo` through the binary: five steps on tests/golden/train, whose
values are torch's, ten on tests/golden/dpo, whose are TRL's (float64); here in float32. GPT-2 is compared in float64 by the unit tests: its key bias has no gradient, and
Adam makes whole steps of float32's rounding (tests/golden/README.md)."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

GOLDEN, DPO = Path("tests/golden/train"), Path("tests/golden/dpo")
KEEL = os.environ.get("KEEL_BINARY", "build/keel")


def rows(golden, prefix):
    tokens, offsets = golden[prefix + "tokens"], golden[prefix + "offsets"]
    return [tokens[a:b].tolist() for a, b in zip(offsets[:-1], offsets[1:])]


def demonstrations(golden, step):
    lengths = golden[f"step_{step}_prompt_lengths"]
    return [
        {"prompt_ids": ids[:n], "completion_ids": ids[n:]} for ids, n in zip(rows(golden, f"step_{step}_"), lengths)
    ]


def preferences(golden, step):
    parts = [rows(golden, f"step_{step}_{name}_") for name in ("prompt", "chosen", "rejected")]
    return [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in zip(*parts)]


def labelled(golden, step):
    labels = golden[f"step_{step}_labels"]
    return [{"input_ids": ids, "label": bool(label)} for ids, label in zip(rows(golden, f"step_{step}_"), labels)]


def ranked(golden, step):
    name = f"step_{step}_"
    prompts, completions = rows(golden, name + "prompt_"), rows(golden, name + "completion_")
    ends = golden[name + "row_offsets"]
    return [
        {
            "prompt_ids": prompt,
            "completions_ids": completions[a:b],
            "ranks": golden[name + "ranks"][a:b].tolist(),
            "scores": golden[name + "scores"][a:b].tolist(),
            "weight": float(weight),
        }
        for prompt, a, b, weight in zip(prompts, ends[:-1], ends[1:], golden[name + "weights"])
    ]


def valued(golden, step):
    """One dimension is a `score`; of three, one that a row says nothing of is absent or null."""
    made = []
    for ids, values, weight in zip(rows(golden, f"step_{step}_"), golden[f"step_{step}_values"], golden[f"step_{step}_weights"]):
        row = {"input_ids": ids, "weight": float(weight)}
        if len(values) == 1:
            row["score"] = float(values[0])
        else:
            row["ratings"] = {
                name: None if np.isnan(value) else float(value)
                for name, value in zip(("harmless", "helpful", "honest"), values)
                if name != "harmless" or not np.isnan(value)
            }
        made.append(row)
    return made


@pytest.mark.parametrize(
    "name, command, make, options",
    [
        ("sft_llama", "sft", demonstrations, []),
        ("reward_llama", "reward", preferences, []),
        ("labels_llama", "reward", labelled, []),
        ("ranked_llama", "reward", ranked, ["--ties", "half", "--micro-batch-size", "3"]),
        ("values_llama", "reward", valued, ["--standardise", "none"]),
        ("ratings_llama", "reward", valued, ["--standardise", "none", "--micro-batch-size", "1"]),
    ],
)
def test_five_steps_equal_torch(name, command, make, options, tmp_path):
    golden = load_file(GOLDEN / f"{name}.safetensors")
    data = [row for step in range(5) for row in make(golden, step)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    subprocess.run(
        [KEEL, command, "--model", GOLDEN / name, "--data", tmp_path / "rows.jsonl", "--output", tmp_path / "run"]
        + ["--steps", "5", "--batch-size", str(len(data) // 5), "--no-shuffle", "--schedule", "cosine", "--warmup-steps", "2"]
        + ["--learning-rate", repr(float(golden["peak_learning_rate"])), "--weight-decay", repr(float(golden["weight_decay"]))]
        + ["--max-grad-norm", repr(float(golden["max_norm"])), "--precision", "float32"]
        + [word for name in ("every_token", "margin_scale") if name in golden for word in (f"--{name.replace('_', '-')}", repr(float(golden[name])))]
        + options,
        check=True,
        capture_output=True,
    )
    assert_trained(tmp_path / "run", golden, GOLDEN / name, golden["grad_norm"], golden["loss"])


@pytest.mark.parametrize(
    "name, options",
    [
        ("sigmoid", ["--beta", "0.3"]),
        ("sigmoid_other_reference", ["--beta", "0.1", "--reference-model", DPO / "reference", "--precompute-reference"]),
        ("conservative_with_sft", ["--beta", "0.5", "--label-smoothing", "0.2", "--sft-coefficient", "0.7"]),
        ("ipo", ["--beta", "0.2", "--loss-type", "ipo"]),
        ("hinge", ["--beta", "0.4", "--loss-type", "hinge", "--micro-batch-size", "3"]),
    ],
)
def test_ten_steps_of_dpo_equal_trl(name, options, tmp_path):
    golden, pairs = load_file(DPO / f"{name}.safetensors"), load_file(DPO / "pairs.safetensors")
    data = [row for step in range(10) for row in preferences(pairs, step)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    subprocess.run(
        [KEEL, "dpo", "--model", DPO / "policy", "--data", tmp_path / "rows.jsonl", "--output", tmp_path / "run"]
        + ["--steps", "10", "--batch-size", "4", "--no-shuffle", "--schedule", "constant", "--learning-rate", "3e-3"]
        + ["--weight-decay", "0.1", "--precision", "float32"]
        + options,
        check=True,
        capture_output=True,
    )
    metrics = assert_trained(tmp_path / "run", golden, DPO / "policy", golden["log.grad_norm"], golden["log.loss"])
    for key in ("accuracy", "margin", "chosen_reward", "rejected_reward", "chosen_logp", "rejected_logp"):
        np.testing.assert_allclose([row[key] for row in metrics], golden[f"log.{key}"], rtol=2e-5, atol=5e-5)


def assert_trained(run, golden, start_folder, gradient_norm, loss):
    """Metrics, and weights by the norm of their difference over that of what training changed."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    np.testing.assert_allclose([row["loss"] for row in metrics], loss, rtol=2e-5)
    np.testing.assert_allclose([row["gradient_norm"] for row in metrics], gradient_norm, rtol=2e-4)
    got, start = load_file(run / "final/model.safetensors"), load_file(start_folder / "model.safetensors")
    error = sum(np.sum((got[k] - golden["model." + k]) ** 2) for k in got)
    change = sum(np.sum((start[k] - golden["model." + k]) ** 2) for k in got)
    assert np.sqrt(error / change) < 1e-3
    return metrics
