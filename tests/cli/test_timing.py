"""Where a step's time goes: the share of each phase, tokens a second and the share of the matrix rate."""

import pytest
from program import MODELS, demonstrations, keel, needs_program, prompts, rankings, read_rows, write_rows

pytestmark = needs_program

STAGES = {
    "sft": (demonstrations, {}, {"gradient", "optimizer"}),
    "reward": (rankings, {}, {"gradient", "optimizer"}),
    "ppo": (
        prompts,
        {"reward_model": MODELS / "llama_reward", "response_length": 6},
        {"rollout", "score", "experience", "update"},
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_says_where_its_time_went(stage, tmp_path):
    make, options, phases = STAGES[stage]
    ended = keel(
        stage,
        model=MODELS / "llama_untied",
        data=write_rows(tmp_path / "rows.jsonl", make(12)),
        output=tmp_path / "run",
        steps=4,
        batch_size=6,
        **options,
    )
    for row in read_rows(tmp_path / "run/metrics.jsonl"):
        timing = row["timing"]
        assert timing.pop("tokens_per_second") == pytest.approx(row["tokens"] / row["seconds"])
        assert 0 < timing.pop("matrix_rate_share") < 1
        assert timing.pop("peak_memory_gb") > 0.05 and timing.pop("planned_memory_gb") > 0.05
        assert set(timing) == phases
        assert 0.3 < sum(timing.values()) <= 1.001  # the rest: reading rows, metrics, checkpoints
    last = [line for line in ended.err.splitlines() if line.startswith(stage)][-1]
    assert "of the matrix rate" in last and all(phase in last for phase in phases)
