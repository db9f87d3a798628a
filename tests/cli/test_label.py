"""`keel label` on a demo's store: judge, see the agreement with the reward model, train it again."""

import json
import shutil
import time
from pathlib import Path

import pytest
from label_server import Server, new_judgement
from program import BINARY, keel, needs_program, read_rows

pytestmark = needs_program


@pytest.fixture
def label(demo, tmp_path):
    """A server on a copy of the demo's store, with the reward model beside it."""
    folder = tmp_path / "run"
    shutil.copytree(demo, folder)
    command = [str(BINARY), "label"]
    return Server(folder / "feedback.db", "--steps", "3", "--annotator", "anna", command=command), folder


def state_of(server):
    status, state = server.call("GET", "/api/state")
    assert status == 200
    return state


def judge(server, choice="first"):
    task = server.claim()
    status, answer = server.call("POST", "/api/submit", new_judgement(state_of(server)["store"], task, choice))
    assert status == 200, answer
    return task, answer


def test_a_reader_sees_text_and_no_reward_before_judging(label):
    server, _ = label
    task = server.claim()
    assert task["text"].startswith("Customer: ") and len(task["completions"]) == 2
    assert all(set(completion) == {"id", "text", "html"} for completion in task["completions"])


def test_judgements_are_human_and_count_in_the_agreement(label):
    server, folder = label
    for choice in ("first", "second", "tie", "first"):
        judge(server, choice)
    agreement = state_of(server)["agreement"]
    assert agreement["total"] == 3 and 0 <= agreement["count"] <= 3  # a tie agrees with nobody
    server.kill()
    keel("feedback", "export", store=folder / "feedback.db", kinds="human", output=folder / "human.jsonl")
    rows = read_rows(folder / "human.jsonl")
    assert [row["annotator"] for row in rows] == ["anna"] * 4 and rows[0]["kind"] == "human"


def test_training_again_uses_the_new_rankings(label):
    server, folder = label
    assert server.call("POST", "/api/train", {})[0] != 200  # nothing new yet
    for _ in range(3):
        judge(server)
    assert server.call("POST", "/api/train", {})[0] == 200
    deadline = time.monotonic() + 60
    while (training := state_of(server)["training"])["phase"] == "running":
        assert time.monotonic() < deadline, training
        time.sleep(0.05)
    assert training["phase"] == "done" and training["new_rankings"] == 0, training
    run = Path(training["detail"]).parent
    assert len(read_rows(run / "metrics.jsonl")) == 3
    manifest = json.loads((run / "manifest.json").read_text())
    assert len(read_rows(next(name for name in manifest["inputs"] if name.endswith(".jsonl")))) == 3
    judge(server)  # the page goes on with the new model
    assert state_of(server)["agreement"]["total"] == 4


def test_a_page_that_is_opened_again_goes_on_with_what_was_trained(label):
    server, folder = label
    judge(server), judge(server)
    assert server.call("POST", "/api/train", {})[0] == 200
    while state_of(server)["training"]["phase"] == "running":
        time.sleep(0.05)
    agreement = state_of(server)["agreement"]
    server.kill()
    again = Server(folder / "feedback.db", "--annotator", "anna", command=[str(BINARY), "label"])
    assert state_of(again)["training"]["new_rankings"] == 0
    assert state_of(again)["agreement"] == agreement
    judge(again)
    assert state_of(again)["training"]["new_rankings"] == 1
