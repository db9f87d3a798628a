"""`keel ppo --live-reward`: people's yes, no and skip are the reward of a running policy, +1, -1 and 0."""

import os
import shutil
import threading
from pathlib import Path

import pytest
from label_server import Server, small_server
from program import ROOT, keel, needs_program, read_rows, write_rows

TINYSTORIES = Path(os.environ.get("KEEL_TEST_DATA", ROOT / "../shared/data")) / "weights-tinystories-656k"
pytestmark = [
    needs_program,
    pytest.mark.skipif(not TINYSTORIES.exists(), reason="TinyStories-656K is not there"),
]
PROMPTS = [{"prompt": text} for text in ("Once upon a time", "The little dog ran", "Tom and his mom went")]


class Judge(threading.Thread):
    """Answers every task of the page: `answer(text)` is True, False or None, a skip."""

    def __init__(self, server, answer):
        super().__init__()
        self.server, self.answer, self.done, self.answers = server, answer, threading.Event(), {}
        self.start()

    def run(self):
        identity = self.server.call("GET", "/api/state")[1]["store"]
        while not self.done.is_set():
            task = self.server.call("POST", "/api/claim", {"holder": "judge"})[1]["task"]
            if task is None:
                self.done.wait(0.05)
                continue
            (completion,) = task["completions"]
            answer = self.answer(completion["text"])
            body = {"store": identity, "key": f"key-{task['id']}", "task": task["id"], "prompt": task["prompt"],
                    "completions": [completion["id"]], "type": "skip" if answer is None else "label"}  # fmt: skip
            status, receipt = self.server.call("POST", "/api/submit", body | ({} if answer is None else {"label": answer}))
            assert status == 200, receipt
            self.answers[completion["text"]] = answer

    def stop(self):
        self.done.set()
        self.join()


def ppo(folder, name="run", check=True, **options):
    rows = write_rows(folder / "prompts.jsonl", PROMPTS)
    return keel("ppo", check=check, model=TINYSTORIES, data=rows, output=folder / name, live_reward=folder / "feedback.db",
                batch_size=3, response_length=12, samples_per_prompt=2, steps=2, log_samples=6, ppo_epochs=1,
                precision="float32", **options)  # fmt: skip


def test_answers_are_the_reward(tmp_path):
    server = Server(tmp_path / "feedback.db", "--pairs", "0", command=[small_server()])
    sign = lambda text: None if len(text) % 3 == 0 else len(text) % 3 == 1
    judge = Judge(server, sign)
    try:
        ppo(tmp_path)
    finally:
        judge.stop()
        server.kill()
    samples = read_rows(tmp_path / "run" / "samples.jsonl")
    assert len(samples) == 12 and {row["reward"] for row in samples} > {1, -1}
    for row in samples:
        assert row["reward"] == {True: 1, False: -1, None: 0}[sign(row["completion"])]
    assert set(judge.answers) == {row["completion"] for row in samples}
    # The same run anew finds its answers and waits for nobody.
    shutil.rmtree(tmp_path / "run")
    assert "answers wait" not in ppo(tmp_path).err
    assert read_rows(tmp_path / "run" / "samples.jsonl") == samples


def test_what_nobody_answers_in_time_is_nothing(tmp_path):
    said = ppo(tmp_path, live_seconds=0.3).err
    assert "6 answers wait for a yes or no: keel label --store" in said
    assert {row["reward"] for row in read_rows(tmp_path / "run" / "samples.jsonl")} == {0}


def test_one_of_both_kinds_of_judge(tmp_path):
    refused = ppo(tmp_path, check=False, reward_model=TINYSTORIES)
    assert refused.status == 2 and "either --reward-model or --live-reward" in refused.err
    refused = ppo(tmp_path, check=False, value_init="reward")
    assert refused.status == 2 and "--value-init" in refused.err
