"""Who can be relied on, whether enough was judged, what carries a conclusion, what to ask next: through the binary."""

import json

import pytest
from program import MODELS, keel, needs_program, read_rows, write_rows

pytestmark = needs_program

PROMPTS, ANNOTATORS = 60, 8


def judged(annotator, prompt, right):
    """"new" is better on every prompt."""
    return {"prompt": f"Question {prompt}", "completions": [f"good {prompt}", f"bad {prompt}"],
            "models": ["new", "old"], "ranks": [1, 2] if right else [2, 1],
            "annotator": f"annotator-{annotator}", "kind": "human"}


def imported(folder, rows):
    data = write_rows(folder / "judged.jsonl", rows)
    keel("feedback", "import", store=folder / "feedback.db", data=data)
    return folder / "feedback.db"


@pytest.fixture
def store(tmp_path):
    """Seven honest annotators, who err on a prompt of nine, and one who says the contrary."""
    rows = [judged(annotator, prompt, (annotator == 7) == (prompt % 9 == annotator))
            for prompt in range(PROMPTS) for annotator in range(ANNOTATORS) if (prompt + annotator) % 2]
    return imported(tmp_path, rows)


def test_reliability_says_who_is_hostile_and_why(store, tmp_path):
    ended = keel("feedback", "reliability", store=store)
    assert "annotator-7" in ended.out and "hostile: says the contrary" in ended.out
    report = json.loads(keel("feedback", "reliability", store=store, json=True,
                             output=tmp_path / "reliability.json").out)
    assert report == json.loads((tmp_path / "reliability.json").read_text())
    verdicts = {one["annotator"]: one["verdict"] for one in report["annotators"]}
    assert verdicts["annotator-7"] == "hostile: says the contrary"
    assert sum(verdict == "reliable" for verdict in verdicts.values()) == 7
    assert all(one["accuracy"]["low"] < one["accuracy"]["value"] < one["accuracy"]["high"]
               for one in report["annotators"])


def test_two_camps_cannot_be_told(tmp_path):
    store = imported(tmp_path, [judged(annotator, prompt, annotator < 5)
                                for prompt in range(PROMPTS) for annotator in range(ANNOTATORS)])
    assert "cannot be told without gold items" in keel("feedback", "reliability", store=store).out
    ended = keel("feedback", "export", store=store, weigh="reliability", output=tmp_path / "rows.jsonl", check=False)
    assert ended.status == 1 and "cannot be told without gold items" in ended.err
    assert not (tmp_path / "rows.jsonl").exists()
    keel("feedback", "export", store=store, weigh="reliability", most_hostile=0.5, output=tmp_path / "rows.jsonl")
    rows = read_rows(tmp_path / "rows.jsonl")
    assert all(row["ranks"] == [1, 2] and row["weight"] > 0.9 for row in rows)
    assert {row["annotator"] for row in rows if row.get("turned")} == {f"annotator-{i}" for i in (5, 6, 7)}


def test_reward_models_learn_from_weighed_rows(store, tmp_path):
    write_rows(tmp_path / "ids.jsonl",
               [{"prompt_ids": [1, 3 + prompt], "completions_ids": [[5, 2], [6, 2]],
                 "ranks": [1, 2] if annotator < 4 else [2, 1], "annotator": f"annotator-{annotator}", "kind": "human"}
                for prompt in range(20) for annotator in range(5)])
    store = tmp_path / "ids.db"
    keel("feedback", "import", store=store, data=tmp_path / "ids.jsonl")
    keel("reward", model=MODELS / "llama_tied", data=store, output=tmp_path / "reward", weigh="reliability",
         steps=2, batch_size=4)
    rows = read_rows(tmp_path / "reward.rows.jsonl")
    assert len(rows) == 100 and sum(row.get("turned", False) for row in rows) == 20
    assert all(row["ranks"] == [1, 2] for row in rows)
    keel("reward", model=MODELS / "llama_tied", data=store, output=tmp_path / "scalar", targets="bradley_terry",
         steps=2, batch_size=4)
    rows = read_rows(tmp_path / "scalar.rows.jsonl")
    assert len(rows) == 40 and abs(sum(row["score"] for row in rows)) < 1e-6
    ended = keel("reward", model=MODELS / "llama_tied", data=tmp_path / "ids.jsonl", output=tmp_path / "no",
                 weigh="reliability", check=False)
    assert ended.status == 2 and "expected a store as --data" in ended.err


def test_certify_says_better_or_how_many_votes_are_missing(store, tmp_path):
    ended = keel("feedback", "certify", store=store, better="new", than="old")
    assert ended.out.startswith("better at 95 %: new against old wins ")
    (tmp_path / "few").mkdir()
    few = imported(tmp_path / "few", [judged(0, prompt, True) for prompt in range(5)])
    ended = keel("feedback", "certify", store=few, better="new", than="old")
    assert ended.out.startswith("undecided at 95 %") and "about 2 more votes" in ended.out
    ended = keel("feedback", "certify", store=few, better="new", than="old", confidence=0.9, json=True)
    assert json.loads(ended.out)["verdict"] == "undecided"


def test_influence_names_those_who_carry_a_conclusion(tmp_path):
    rows = [judged(annotator, prompt, annotator == 0 or prompt % 2 == 0)
            for prompt in range(20) for annotator in range(4)]
    store = imported(tmp_path, rows)
    found = json.loads(keel("feedback", "influence", store=store, better="new", than="old", json=True).out)
    assert found["wins"]["annotators"] == ["annotator-0"] and found["wins"]["exact"]
    assert found["bradley_terry"]["poison_budget"] == 1
    ended = keel("feedback", "influence", store=store, better="new", than="third", check=False)
    assert ended.status == 1 and "got none" in ended.err


def test_choose_sets_what_is_asked_first(store):
    for by in ("random", "uncertain", "diverse"):
        keel("feedback", "choose", store=store, by=by)
    ended = keel("feedback", "choose", store=store, by="diverse", reward_models=["nowhere"], check=False)
    assert ended.status == 2 and "expected --by uncertain" in ended.err


def test_the_page_asks_until_it_is_decided_and_no_longer(tmp_path):
    """Simulated annotators at the page: one of two models is plainly better."""
    prompts = [f"Customer: My blue kettle number {i} does not work." for i in range(1500)]
    answers = {"new": "I am sorry about your blue kettle. I will send you a replacement today. Thank you.", "old": "No."}
    for model, text in answers.items():
        write_rows(tmp_path / f"{model}.jsonl", [
            {"prompt": prompt, "completion": text, "tokens": [3], "logps": [-1.0], "finish_reason": "stop"}
            for prompt in prompts])
    store = tmp_path / "feedback.db"
    keel("feedback", "ask", store=store, samples=[f"{model}={tmp_path / model}.jsonl" for model in answers],
         width=2, copies=1)
    ended = keel("label", store=store, port=0, simulated=3, until_better="new", than="old", confidence=0.99)
    assert "better at 99 %" in ended.err
    found = json.loads(keel("feedback", "certify", store=store, kinds="simulated", better="new", than="old",
                            confidence=0.99, json=True).out)
    assert found["verdict"] == "better" and found["votes"] < len(prompts)
    refused = keel("label", check=False, store=store, until_better="new")
    assert refused.status == 2 and "expected --until-better and --than together" in refused.err
