"""`keel label --chat-model`: a real model answers a dialogue twice, and what it says is kept in the store."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest
from label_server import Server
from program import BINARY, MODELS, ROOT, keel, needs_program, write_rows

TINYSTORIES = Path(os.environ.get("KEEL_TEST_DATA", ROOT / "../shared/data")) / "weights-tinystories-656k"
pytestmark = [
    needs_program,
    pytest.mark.skipif(not TINYSTORIES.exists(), reason="TinyStories-656K is not there"),
]


@pytest.fixture
def store(tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", [{"prompt": "Hello?", "chosen": "Good day!", "rejected": "What?"}])
    keel("feedback", "import", store=tmp_path / "feedback.db", data=rows, annotator="anna")
    return tmp_path / "feedback.db"


def test_two_answers_to_a_dialogue_however_long(store):
    server = Server(store, "--chat-model", str(TINYSTORIES), "--chat-tokens", "12", command=[str(BINARY), "label"])
    try:
        assert server.call("GET", "/api/state")[1]["chat"] is True
        messages = [{"role": "user", "content": "Once upon a time there was a little dog."}]
        first = server.call("POST", "/api/chat", {"messages": messages, "mode": "chat"})[1]
        texts = [completion["text"] for completion in first["completions"]]
        assert len(set(texts)) == 2 and all(texts)
        messages += [{"role": "assistant", "content": "It ran. " * 900}, {"role": "user", "content": "And then?"}]
        status, second = server.call("POST", "/api/chat", {"messages": messages, "mode": "red-team"})
        assert status == 200 and second["prompt"] != first["prompt"]
    finally:
        server.kill()
    with contextlib.closing(sqlite3.connect(store)) as database:
        rows = database.execute("SELECT model, sampling FROM completions WHERE model <> ''").fetchall()
    assert [model for model, _ in rows] == [str(TINYSTORIES)] * 4
    assert [("red-team" in sampling) for _, sampling in rows] == [False, False, True, True]


def test_a_model_without_tokenizer_is_refused(store):
    ended = keel("label", check=False, store=store, chat_model=MODELS / "llama_tied", port=0)
    assert ended.status == 1 and "expected a tokenizer beside a model to talk to" in ended.err
