"""kill -9 at random moments, then the same command again, until it ends: the same bits as without any kill.

The moments are seeded by the test's name. Some are drawn from the length of an undisturbed run; others are
inside the writing of a checkpoint, found by watching for the hidden folder that becomes it.
"""

import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from program import (
    DEVICE,
    MODELS,
    command,
    contents,
    demonstrations,
    keel,
    needs_program,
    prompts,
    rankings,
    surroundings,
    write_rows,
)
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

pytestmark = needs_program

KILLS = 4
MAKERS = {"sft": demonstrations, "reward": rankings, "dpo": rankings, "ppo": prompts}
# Each draws on more than weights and moments: dropout keys, the best weights so far, an adaptive coefficient,
# where a step that is filled by tokens begins, how moments are rounded.
NARROW_MOMENTS = {} if DEVICE == "cuda" else {"moments": "bfloat16"}  # the processor's alone
STAGE_OPTIONS = {
    "sft": {"steps": 40, "dropout": 0.1, "evaluate_every": 3, "select": "loss", "tokens_per_batch": 50},
    "reward": {"steps": 40, "dropout": 0.1, "micro_batch_size": 2, "average_weights": 0.9, **NARROW_MOMENTS},
    "dpo": {"steps": 40, "precompute_reference": True, "evaluate_every": 3, "select": "loss", "sft_coefficient": 0.3},
    "ppo": {
        "steps": 24,
        "reward_model": MODELS / "llama_reward",
        "response_length": 6,
        "samples_per_prompt": 2,
        "kl_target": 1.0,
        "kl_horizon": 50,
        "log_samples": 2,
        **NARROW_MOMENTS,
        "tokens_per_batch": 60,
    },
}


@pytest.fixture
def run(tmp_path, request):
    """A stage's words, its options, and how long its undisturbed run worked in seconds."""
    stage = request.param
    options = {
        "model": MODELS / "llama_untied",
        "data": write_rows(tmp_path / "rows.jsonl", MAKERS[stage](12)),
        "batch_size": 4,
        "learning_rate": 3e-3,
        "warmup_steps": 2,
        "save_every": 2,
        **STAGE_OPTIONS[stage],
    }
    if options.get("select"):
        options["validation"] = write_rows(tmp_path / "validation.jsonl", MAKERS[stage](5, seed=9))
    began = time.monotonic()
    keel("--version")
    ready = time.monotonic()
    keel(stage, **options, output=tmp_path / "undisturbed")
    return stage, options | {"output": tmp_path / "run"}, (time.monotonic() - ready) - (ready - began)


def start(stage, options):
    return subprocess.Popen(
        command(stage, **options), env=surroundings(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def kill(process):
    """True when the signal, and not the end of its work, ended the program."""
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err.decode()
    return process.returncode != 0


def kill_when(stage, options, ready):
    process = start(stage, options)
    while process.poll() is None and not ready():
        pass  # a checkpoint of such a model is written in milliseconds
    return kill(process)


def last_change(folder):
    return os.stat(folder).st_mtime_ns if folder.exists() else 0


def kill_after(stage, options, seconds):
    """Kills that long after the run's folder was opened."""
    before = last_change(options["output"])
    process = start(stage, options)
    while process.poll() is None and last_change(options["output"]) == before:
        time.sleep(0.005)
    time.sleep(seconds)
    return kill(process)


def parts(folder, name):
    """The hidden folders that `name` is written to before it gets its name."""
    try:
        return {entry for entry in os.listdir(folder) if entry.startswith(f".{name}") and ".part-" in entry}
    except FileNotFoundError:
        return set()


def kill_inside(stage, options, folder, name, count=1):
    """Kills inside the count-th writing of a folder of that name; False if the moment was missed."""
    seen = parts(folder, name)
    last = len(seen) + count

    def writing():
        seen.update(parts(folder, name))
        return len(seen) >= last

    return kill_when(stage, options, writing) and bool(parts(folder, name) & seen)


def metrics(folder):
    """The rows of metrics.jsonl but for the wall clock."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert all(row.pop("seconds") > 0 and row.pop("timing")["tokens_per_second"] > 0 for row in rows)
    return rows


def flat(row):
    """{"timing": {"rollout": 0.2}} → {"timing/rollout": 0.2}, as TensorBoard groups figures."""
    groups = {name: value for name, value in row.items() if isinstance(value, dict)}
    inner = {f"{name}/{key}": value for name, group in groups.items() for key, value in group.items()}
    return {name: value for name, value in row.items() if name not in groups} | inner


def assert_events_are_the_metrics(folder):
    """What TensorBoard reads: every number of every row once, under its step, in order of time."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    wanted = [
        (row["step"], {k: float(np.float32(v)) for k, v in flat(row).items() if k != "step" and v is not None})
        for row in rows
    ]
    first, *events = EventFileLoader(str(folder / "events.out.tfevents.keel")).Load()
    assert first.file_version == "brain.Event:2"
    # The loader gives a simple value as a tensor.
    assert [(e.step, {v.tag: v.tensor.float_val[0] for v in e.summary.value}) for e in events] == wanted
    times = [event.wall_time for event in events]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 3600


def assert_equal_to_undisturbed(stage, options, tmp_path):
    """Runs the command once more to its end and compares."""
    keel(stage, **options)
    ours, wanted = options["output"], tmp_path / "undisturbed"
    assert contents(ours / "final") == contents(wanted / "final")
    assert metrics(ours) == metrics(wanted)
    assert_events_are_the_metrics(ours)
    assert_events_are_the_metrics(wanted)
    assert [row["step"] for row in metrics(ours)] == list(range(1, options["steps"] + 1))
    if stage == "ppo":
        assert (ours / "samples.jsonl").read_bytes() == (wanted / "samples.jsonl").read_bytes()
    assert not [name for name in contents(ours) if ".part-" in name], "a killed write left its parts"


@pytest.mark.parametrize("run", MAKERS, indirect=True)
def test_kills_at_random_moments_change_nothing(run, tmp_path, dice):
    stage, options, seconds = run
    killed = sum(kill_after(stage, options, dice.uniform(0, 0.3) * seconds) for _ in range(KILLS))
    assert killed >= 1, "no kill met the run at work"
    assert_equal_to_undisturbed(stage, options, tmp_path)


@pytest.mark.parametrize("run", MAKERS, indirect=True)
def test_kills_inside_a_checkpoint_change_nothing(run, tmp_path, dice):
    stage, options, _ = run
    folder = options["output"] / "checkpoints"
    caught = [kill_inside(stage, options, folder, "step-", dice.randint(1, 4)) for _ in range(KILLS)]
    assert any(caught), "no checkpoint was being written when the kill came"
    assert_equal_to_undisturbed(stage, options, tmp_path)


@pytest.mark.parametrize("run", ["sft"], indirect=True)
def test_a_kill_inside_the_writing_of_final_changes_nothing(run, tmp_path):
    stage, options, _ = run
    for _ in range(10):
        shutil.rmtree(options["output"], ignore_errors=True)
        if kill_inside(stage, options | {"save_every": 0}, options["output"], "final"):
            break
    else:
        pytest.fail("final/ was never being written when the kill came")
    assert not (options["output"] / "final").exists()
    assert_equal_to_undisturbed(stage, options, tmp_path)


@pytest.mark.parametrize("run", ["sft"], indirect=True)
def test_metrics_beyond_the_checkpoint_are_taken_back(run, tmp_path):
    """With a checkpoint every 8 steps a kill leaves rows that no checkpoint backs, and half a row."""
    stage, options, _ = run
    options["save_every"] = 8
    path = options["output"] / "metrics.jsonl"
    assert kill_when(stage, options, lambda: path.exists() and path.read_bytes().count(b"\n") >= 11)
    with path.open("a") as file:
        file.write('{"step": 39, "seconds": 1.0, "loss": 7.0}\n{"step": 40, "sec')
    assert_equal_to_undisturbed(stage, options, tmp_path)
