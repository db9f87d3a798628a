"""The loops of `keel sft` and `keel reward` through the binary: five steps on tests/golden/train, whose values are
torch's (float64); here in float32. GPT-2 is compared in float64 by the unit tests: its key bias has no gradient, and
Adam makes whole steps of float32's rounding (tests/golden/README.md)."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

GOLDEN = Path("tests/golden/train")
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


@pytest.mark.parametrize(
    "name, command, make",
    [("sft_llama", "sft", demonstrations), ("reward_llama", "reward", preferences), ("labels_llama", "reward", labelled)],
)
def test_five_steps_equal_torch(name, command, make, tmp_path):
    golden = load_file(GOLDEN / f"{name}.safetensors")
    data = [row for step in range(5) for row in make(golden, step)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    subprocess.run(
        [KEEL, command, "--model", GOLDEN / name, "--data", tmp_path / "rows.jsonl", "--output", tmp_path / "run"]
        + ["--steps", "5", "--batch-size", str(len(data) // 5), "--no-shuffle", "--schedule", "cosine", "--warmup-steps", "2"]
        + ["--learning-rate", repr(float(golden["peak_learning_rate"])), "--weight-decay", repr(float(golden["weight_decay"]))]
        + ["--max-grad-norm", repr(float(golden["max_norm"])), "--precision", "float32"]
        + (["--every-token", repr(float(golden["every_token"]))] if "every_token" in golden else []),
        check=True,
        capture_output=True,
    )
    metrics = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    np.testing.assert_allclose([row["loss"] for row in metrics], golden["loss"], rtol=2e-5)
    np.testing.assert_allclose([row["gradient_norm"] for row in metrics], golden["grad_norm"], rtol=2e-4)
    got, start = load_file(tmp_path / "run/final/model.safetensors"), load_file(GOLDEN / name / "model.safetensors")
    error = sum(np.sum((got[k] - golden["model." + k]) ** 2) for k in got)
    change = sum(np.sum((start[k] - golden["model." + k]) ** 2) for k in got)
    assert np.sqrt(error / change) < 1e-3
