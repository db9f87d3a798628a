"""The feedback store through the binary: training from it, asking, archives, redaction, PostgreSQL."""

import json
import os
import subprocess

import pytest
from program import MODELS, contents, demonstrations, keel, needs_program, rankings, read_rows, write_rows

pytestmark = needs_program

TRAINING = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3}


def imported(folder, rows, annotator, kind="human", store="feedback.db"):
    data = write_rows(folder / f"{annotator}.jsonl", rows)
    keel("feedback", "import", store=folder / store, data=data, annotator=annotator, kind=kind)
    return folder / store


@pytest.fixture
def store(tmp_path):
    imported(tmp_path, rankings(6, seed=1), "anna")
    imported(tmp_path, rankings(4, seed=2), "ben")
    return imported(tmp_path, rankings(5, seed=3), "robot", kind="simulated")


def test_a_reward_model_is_trained_on_what_the_store_held(store, tmp_path):
    run = tmp_path / "reward"
    keel("reward", model=MODELS / "llama_tied", data=store, output=run, **TRAINING)
    frozen = tmp_path / "reward.rows.jsonl"
    rows = read_rows(frozen)
    assert len(rows) == 10 and {row["annotator"] for row in rows} == {"anna", "ben"}
    assert str(frozen) in (run / "manifest.json").read_text()
    direct = tmp_path / "direct"
    keel("reward", model=MODELS / "llama_tied", data=frozen, output=direct, **TRAINING)
    assert contents(direct / "final") == contents(run / "final")
    # People go on judging: the same command reads what it read, and has nothing left to do.
    imported(tmp_path, rankings(3, seed=4), "cleo")
    keel("reward", model=MODELS / "llama_tied", data=store, output=run, **TRAINING)
    assert len(read_rows(frozen)) == 10


def test_annotators_that_are_held_out_are_the_validation(store, tmp_path):
    run = tmp_path / "reward"
    keel("reward", model=MODELS / "llama_tied", data=store, output=run, judges="all",
         held_out_annotators=["ben"], evaluate_every=1, **TRAINING)
    assert {row["annotator"] for row in read_rows(tmp_path / "reward.rows.jsonl")} == {"anna", "robot"}
    assert {row["annotator"] for row in read_rows(tmp_path / "reward.held-out.jsonl")} == {"ben"}
    metrics = read_rows(run / "metrics.jsonl")[-1]
    assert metrics["validation_pairs"] > 0


def test_judgements_of_other_kinds_are_never_read_in_silence(store, tmp_path):
    ended = keel("reward", model=MODELS / "llama_tied", data=store, output=tmp_path / "run", judges="ai",
                 check=False, **TRAINING)
    assert ended.status == 1 and "expected judgements to train on, got none by ai annotators" in ended.err
    data = write_rows(tmp_path / "rows.jsonl", rankings(3))
    ended = keel("reward", model=MODELS / "llama_tied", data=data, output=tmp_path / "run",
                 held_out_annotators=["ben"], check=False, **TRAINING)
    assert ended.status == 2 and "expected a store as --data" in ended.err


def test_sft_learns_from_what_annotators_wrote_and_edited(tmp_path):
    """The golden models have no tokenizer: that the rows are right is seen before they are refused."""
    write_rows(tmp_path / "written.jsonl", [
        {"prompt": "Hello?", "completion": "Good day!"},
        {"prompt": "And?", "completion": "Mended.", "edit_of": "Brokn."},
        {"prompt": "And?", "chosen": "x", "rejected": "y"}])
    store = tmp_path / "feedback.db"
    keel("feedback", "import", store=store, data=tmp_path / "written.jsonl", annotator="anna")
    keel("sft", model=MODELS / "llama_tied", data=store, output=tmp_path / "sft", check=False, **TRAINING)
    rows = read_rows(tmp_path / "sft.rows.jsonl")
    assert [(row["prompt"], row["completion"]) for row in rows] == [("Hello?", "Good day!"), ("And?", "Mended.")]


def sampled(tmp_path, name, texts, prompts):
    return write_rows(tmp_path / f"{name}.jsonl", [
        {"prompt": prompt, "completion": text, "tokens": [3], "logps": [-1.0], "finish_reason": "stop"}
        for prompt in prompts for text in texts])


def test_samples_of_several_models_meet_in_rankings(tmp_path):
    sft = sampled(tmp_path, "sft", ["a", "b"], ["p", "q"])
    ppo = sampled(tmp_path, "ppo", ["a", "c"], ["p", "q"])
    ask = dict(store=tmp_path / "feedback.db", samples=[f"sft={sft}", f"ppo={ppo}"], parents=["ppo=sft"])
    assert "2 new rankings asked for" in keel("feedback", "ask", **ask).err
    assert "0 new rankings asked for" in keel("feedback", "ask", **ask).err  # again after a stop: nothing is added
    keel("feedback", "archive", store=tmp_path / "feedback.db", output=tmp_path / "archive.jsonl")
    lines = read_rows(tmp_path / "archive.jsonl")
    models = [line["row"] for line in lines if line.get("kind") == "model"]
    assert [model["name"] for model in models] == ["sft", "ppo"] and models[1]["parent"] == models[0]["id"]
    tasks = [line["row"] for line in lines if line.get("kind") == "task"]
    assert [len(task["completions"]) for task in tasks] == [3, 3]  # a, b, c: equal texts are one
    ended = keel("feedback", "ask", store=tmp_path / "x.db", samples=[str(sft)], check=False)
    assert ended.status == 2 and "expected model=path" in ended.err


def test_a_redacted_text_leaves_the_archive_and_the_rows(store, tmp_path):
    keel("feedback", "redact", store=store, kind="completion", id=1, reason="a name", requested_by="its bearer")
    keel("feedback", "export", store=store, output=tmp_path / "rows.jsonl")
    assert len(read_rows(tmp_path / "rows.jsonl")) == 9
    ended = keel("feedback", "redact", store=store, kind="completion", id=999, reason="x", requested_by="y",
                 check=False)
    assert ended.status == 1 and "got number 999" in ended.err


def test_guidelines_are_versions(store, tmp_path):
    text = tmp_path / "guidelines.md"
    text.write_text("Prefer the truth.")
    assert "version 1" in keel("feedback", "guidelines", store=store, text=text).err
    text.write_text("Prefer the whole truth.")
    assert "version 2" in keel("feedback", "guidelines", store=store, text=text).err


@pytest.fixture
def postgres_store():
    address = os.environ.get("KEEL_TEST_POSTGRES")
    if not address:
        pytest.skip("no KEEL_TEST_POSTGRES: python tests/postgres.py COMMAND")
    schema = f"keel_cli_{os.getpid()}"
    subprocess.run(["psql", address, "-qc", f"CREATE SCHEMA {schema}"], check=True)
    yield f"{address}&options=-csearch_path%3D{schema}"
    subprocess.run(["psql", address, "-qc", f"DROP SCHEMA {schema} CASCADE"], check=True, capture_output=True)


def test_an_archive_goes_to_postgresql_and_back(store, tmp_path, postgres_store):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    keel("feedback", "archive", store=store, output=first)
    keel("feedback", "restore", store=postgres_store, archive=first)
    keel("feedback", "archive", store=postgres_store, output=second)
    assert first.read_bytes() == second.read_bytes()
    keel("feedback", "restore", store=tmp_path / "third.db", archive=second)
    stats = [json.loads(keel("feedback", "stats", store=where).out)
             for where in (store, postgres_store, tmp_path / "third.db")]
    assert stats[0] == stats[1] == stats[2]
    keel("reward", model=MODELS / "llama_tied", data=postgres_store, output=tmp_path / "run", **TRAINING)
    assert len(read_rows(tmp_path / "run.rows.jsonl")) == 10


def test_a_postgresql_that_is_not_there_is_one_line_without_its_password(tmp_path):
    ended = keel("feedback", "stats", store="postgresql://anna:secret@127.0.0.1:1/keel", check=False)
    assert ended.status == 1 and len(ended.messages()) == 1
    assert "[postgresql://anna@127.0.0.1:1/keel] cannot connect" in ended.err and "secret" not in ended.err


def test_a_model_leads_back_to_its_judgements(store, tmp_path):
    run = tmp_path / "reward"
    keel("reward", model=MODELS / "llama_tied", data=store, output=run, **TRAINING)
    found = json.loads(keel("feedback", "lineage", store=store, run=run / "final", json=True,
                            output=tmp_path / "lineage.jsonl").out)
    assert found["judgements"] == 10 and found["unknown"] == found["corrected"] == 0
    assert {one["name"]: one["judgements"] for one in found["annotators"]} == {"anna": 6, "ben": 4}
    lines = read_rows(tmp_path / "lineage.jsonl")
    assert [line["key"] for line in lines] == [row["key"] for row in read_rows(tmp_path / "reward.rows.jsonl")]
    assert "10 rows, judged from" in keel("feedback", "lineage", store=store, run=run).out


def test_rankings_are_exported_as_trls_preferences(tmp_path):
    rows = [{"prompt": "Hello?", "completions": ["a", "b", "c"], "ranks": [2, 1, 2]},
            {"prompt": "And?", "completions": ["x", "y"], "ranks": [1, 1]},
            {"prompt": "So?", "completion": "z", "label": True}]
    store = imported(tmp_path, rows, "anna")
    said = keel("feedback", "export", store=store, output=tmp_path / "trl.jsonl", format="trl").err
    pairs = read_rows(tmp_path / "trl.jsonl")
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in pairs] == [("Hello?", "b", "a"), ("Hello?", "b", "c")]
    assert "2 pairs in" in said and "1 left out: ties alone" in said and "1 left out: no comparison" in said
    again = imported(tmp_path, pairs, "ben", store="again.db")
    keel("feedback", "export", store=again, output=tmp_path / "again.jsonl")
    assert [row["ranks"] for row in read_rows(tmp_path / "again.jsonl")] == [[1, 2], [1, 2]]
    refused = keel("feedback", "export", check=False, store=store, output=tmp_path / "x.jsonl", format="trl", targets="elo")
    assert refused.status == 2


def test_margins_come_from_ratings_and_from_strength(tmp_path):
    ids = lambda *words: [list(word) for word in words]
    rankings_ = [{"prompt_ids": [5], "completions_ids": ids([6], [7]), "ranks": [1, 2]},
                 {"prompt_ids": [8], "completions_ids": ids([9], [10]), "ranks": [2, 1], "strength": 3},
                 {"prompt_ids": [11], "completions_ids": ids([12], [13]), "ranks": [1, 2]}]
    ratings = [{"prompt_ids": [5], "completion_ids": [word], "ratings": {"helpful": value, "honest": 3}}
               for word, value in ((6, 5), (7, 1))]
    store = imported(tmp_path, rankings_ + ratings, "anna")
    keel("reward", model=MODELS / "llama_tied", data=store, output=tmp_path / "run", margins=True, margin_scale=0.5, **TRAINING)
    rows = read_rows(tmp_path / "run.rows.jsonl")
    assert [row["scores"] for row in rows] == [[4, 2], [0, 3], [0, 0]]
    ended = keel("reward", check=False, model=MODELS / "llama_tied", data=store, output=tmp_path / "plain", margin_scale=0.5,
                 **TRAINING)
    assert ended.status == 1 and "scores" in ended.err
