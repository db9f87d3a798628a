"""--moments bfloat16 through the binary: what a checkpoint holds, and that a run learns as with float32's.

That a killed run goes on to the same bits is tested with the other kills (test_kill.py: reward and ppo).
"""

import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from program import MODELS, command, demonstrations, keel, needs_program, read_rows, surroundings, write_rows
from safetensors.torch import load_file

pytestmark = needs_program


@pytest.fixture
def train(tmp_path):
    data = write_rows(tmp_path / "rows.jsonl", demonstrations(24))

    def run(moments, seed=1, **options):
        output = tmp_path / f"{moments}-{seed}"
        keel(
            "sft",
            model=MODELS / "llama_untied",
            data=data,
            output=output,
            moments=moments,
            seed=seed,
            batch_size=8,
            learning_rate=1e-2,
            **options,
        )
        return output

    return run


def losses(folder):
    return np.array([row["loss"] for row in read_rows(folder / "metrics.jsonl")])


@pytest.mark.parametrize("moments, dtype", [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_checkpoint_keeps_the_moments_in_their_format(moments, dtype, tmp_path):
    """A run that is stopped leaves its checkpoint; one that ends removes it."""
    data, output = write_rows(tmp_path / "rows.jsonl", demonstrations(24)), tmp_path / "run"
    options = {"model": MODELS / "llama_untied", "data": data, "output": output, "moments": moments}
    running = subprocess.Popen(command("sft", **options, steps=10**6), env=surroundings(), stderr=subprocess.DEVNULL)
    while running.poll() is None and not (output / "metrics.jsonl").exists():
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) == 1
    (checkpoint,) = (output / "checkpoints").iterdir()
    state = load_file(checkpoint / "trainer.safetensors")
    kept = {name.rsplit(".", 1)[1]: tensor.dtype for name, tensor in state.items()}
    assert kept == {"mean": dtype, "square": dtype, "steps": torch.float32}


def test_the_loss_falls_as_with_float32(train):
    """By seed the losses of the last steps differ less than two seeds do, and on average by next to nothing."""
    ends, falls = {}, []
    for moments in ("float32", "bfloat16"):
        ends[moments] = []
        for seed in (1, 2, 3):
            curve = losses(train(moments, seed, steps=90, schedule="constant"))
            falls.append(curve[:3].mean() - curve[-9:].mean())
            ends[moments].append(curve[-9:].mean())
    assert min(falls) > 1.5, "the runs learned too little to compare"
    difference = np.array(ends["bfloat16"]) - np.array(ends["float32"])
    assert np.all(difference != 0) and np.abs(difference).max() < 0.05 * min(falls)
    assert abs(difference.mean()) < 0.03 * min(falls)
