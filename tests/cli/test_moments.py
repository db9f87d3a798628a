"""--moments bfloat16 through the binary: what a checkpoint holds, and that a run learns as with float32's.

That a killed run goes on to the same bits is tested with the other kills (test_kill.py: reward and ppo).
"""

import numpy as np
import pytest
import torch
from program import MODELS, demonstrations, keel, needs_program, read_rows, write_rows
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


def test_a_checkpoint_keeps_the_moments_in_bfloat16(train):
    states = {
        moments: load_file(train(moments, steps=4, save_every=2) / "checkpoints/step-2/trainer.safetensors")
        for moments in ("float32", "bfloat16")
    }
    assert states["float32"].keys() == states["bfloat16"].keys()
    for name, wide in states["float32"].items():
        narrow = states["bfloat16"][name]
        assert wide.dtype == torch.float32
        if name.endswith(".steps"):
            assert narrow.dtype == torch.float32 and narrow == wide == 2
            continue
        assert narrow.dtype == torch.bfloat16
        # Two roundings to 8 bits each, and what they changed in the second step's gradient.
        assert (narrow.float() - wide).norm() <= 0.02 * wide.norm(), name
        assert wide.norm() > 0, name


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
