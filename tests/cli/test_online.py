"""Online feedback in rounds: the recipe made small, judged by simulated annotators over HTTP; stopped and gone on."""

import json
import signal
import subprocess
import time

from program import ROOT, command, keel, needs_program, read_rows, surroundings

pytestmark = needs_program

SMALL = {
    "corpus.count": 300, "demonstrations.count": 60, "tokenizer.vocabulary_size": 300,
    "base.steps": 12, "base.hidden": 32, "sft.epochs": 1,
    "prompts.count": 12, "newest.max_new_tokens": 12, "ancestor.max_new_tokens": 12, "newest.samples_per_prompt": 2,
    "reward.epochs": 1, "ppo.steps": 2, "ppo.batch_size": 4, "ppo.response_length": 12,
    "last_prompts.count": 12, "last_newest.max_new_tokens": 12, "last_ancestor.max_new_tokens": 12,
    "judge.port": 0, "last_judge.port": 0,
}
STAGES = 5 + 3 * 8 + 6


def run_online(folder, **more):
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    return keel("run", ROOT / "recipes/online.yaml", output=folder, seed=5, set=settings, timeout=300, **more)


def judgements(folder):
    keel("feedback", "export", store=folder / "feedback.db", kinds="simulated", output=folder / "all.jsonl")
    return read_rows(folder / "all.jsonl")


def test_three_rounds_end_with_a_table_of_versions(tmp_path):
    folder = tmp_path / "online"
    ended = run_online(folder)
    table = json.loads((folder / "elo.json").read_text())
    names = {row["model"] for row in table["models"]}
    assert names == {"base", "sft", "ppo-1", "ppo-2", "ppo-3"}
    for row in table["models"]:
        assert row["battles"] > 0 and row["bradley_terry"]["low"] <= row["bradley_terry"]["value"]
        if row["model"] != "base":
            assert row["verdict"] in ("better", "worse", "no difference that the judgements show")
    assert "over its parent" in ended.out and "over sft: " in ended.out
    rows = judgements(folder)
    assert len(rows) == table_size(folder) and {row["annotator"] for row in rows} == {"careful", "ordinary", "hurried"}
    assert all(row["shown"] for row in rows)  # they saw an order, as people do
    rounds = [len(read_rows(folder / f"data/rankings-{n}.jsonl")) for n in (1, 2, 3)]
    assert rounds == sorted(rounds) and rounds[0] > 0  # the reward model reads all rounds
    again = run_online(folder)
    assert again.err.count("skipped") == STAGES


def table_size(folder):
    keel("feedback", "archive", store=folder / "feedback.db", output=folder / "archive.jsonl")
    return sum(line.get("kind") == "task" for line in read_rows(folder / "archive.jsonl"))


def test_stopped_anywhere_it_goes_on(tmp_path):
    folder = tmp_path / "online"
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    arguments = command("run", ROOT / "recipes/online.yaml", output=folder, seed=5, set=settings)
    for seconds, stop in ((6, signal.SIGKILL), (8, signal.SIGINT), (10, signal.SIGKILL)):
        process = subprocess.Popen(arguments, cwd=ROOT, env=surroundings(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(stop)
        process.wait(timeout=60)
    run_online(folder)
    assert {row["model"] for row in json.loads((folder / "elo.json").read_text())["models"]} == {
        "base", "sft", "ppo-1", "ppo-2", "ppo-3"}
    rows = judgements(folder)
    keys = [row["key"] for row in rows]
    assert len(keys) == len(set(keys)) == table_size(folder)
