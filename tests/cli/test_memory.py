"""The memory that a run is thought to need, beside what it took: `timing` of the metrics."""

import os
import random
from pathlib import Path

import pytest
from program import ROOT, keel, needs_program, read_rows, write_rows

pytestmark = needs_program

TINYSTORIES = Path(os.environ.get("KEEL_TEST_DATA", ROOT / "../shared/data")) / "weights-tinystories-656k"


@pytest.mark.skipif(not TINYSTORIES.exists(), reason="TinyStories-656K is not there")
@pytest.mark.parametrize("options", [{}, {"micro_batch_size": 96}, {"micro_batch_size": 96, "recompute": True},
                                     {"micro_batch_size": 16}, {"precision": "float32"}], ids=str)
def test_the_plan_is_within_15_percent(options, tmp_path):
    dice = random.Random(1)
    rows = [{"input_ids": [dice.randrange(3, 2000) for _ in range(480)]} for _ in range(96)]
    keel("sft", model=TINYSTORIES, data=write_rows(tmp_path / "rows.jsonl", rows), output=tmp_path / "run",
         batch_size=96, steps=2, save_every=0, **options)  # fmt: skip
    timing = read_rows(tmp_path / "run/metrics.jsonl")[-1]["timing"]
    assert timing["planned_memory_gb"] == pytest.approx(timing["peak_memory_gb"], rel=0.15)
