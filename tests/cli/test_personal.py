"""`keel reward --personal`: what each person adds to everyone's reward, against torch; its gain on held-out judgements of
the same people, and its absence where they agree."""

import json
import os
import random

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from program import MODELS, keel, needs_program, preferences, read_rows, write_rows
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification

pytestmark = needs_program
LABELS = ["everyone", "ann", "bob"]
RATE, PENALTY = 1e-2, 0.3


def judged(count, seed, people=("ann", "bob"), field="annotator"):
    """Pairs of an even and an odd id; bob likes the odd one, the others the even one."""
    source = random.Random(seed)
    rows = []
    for i in range(count):
        person = people[i % len(people)]
        odd = source.randrange(11, 40, 2)
        even = source.randrange(10, 40, 2)
        better, worse = (odd, even) if person in ("bob", "odd") else (even, odd)
        rows.append({"prompt_ids": [5, 6], "chosen_ids": [better], "rejected_ids": [worse], field: person})
    return rows


def train(folder, data, held_out=None, model=MODELS / "llama_untied", **options):
    rows = write_rows(folder / "train.jsonl", data)
    more = {"validation": write_rows(folder / "held-out.jsonl", held_out)} if held_out else {}
    keel("reward", model=model, data=rows, output=folder / "run", precision="float32", schedule="constant",
         learning_rate=RATE, **more | options)  # fmt: skip
    return folder / "run"


def start(folder):
    """A classifier whose head has the labels already, so that torch starts from the same weights."""
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_pretrained(
        MODELS / "llama_untied", num_labels=3, dtype=torch.float32, id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)})  # fmt: skip
    model.config.pad_token_id = 0
    model.save_pretrained(folder)
    return model


def test_learning_is_torchs(tmp_path):
    model = start(tmp_path / "start")
    rows = [row for row in judged(6, 1)] + [row | {"annotator": "ann"} for row in judged(2, 2)]
    run = train(tmp_path, rows, model=tmp_path / "start", steps=3, batch_size=8, shuffle=False,
                personal="annotator", personal_penalty=PENALTY, max_grad_norm=0)  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    losses = []
    for _ in range(3):
        loss = 0
        for row in rows:
            read = lambda side: model(torch.tensor([row["prompt_ids"] + row[side]])).logits[0]
            lead = read("chosen_ids") - read("rejected_ids")
            loss = loss - logsigmoid(lead[0] + lead[LABELS.index(row["annotator"])]) / len(rows)
        losses.append(loss.item())
        (loss + PENALTY * model.score.weight[1:].square().sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert [row["loss"] for row in read_rows(run / "metrics.jsonl")] == pytest.approx(losses, abs=2e-5)
    trained = AutoModelForSequenceClassification.from_pretrained(run / "final", dtype=torch.float32)
    assert [trained.config.id2label[i] for i in range(3)] == LABELS
    torch.testing.assert_close(trained.score.weight, model.score.weight, rtol=0, atol=2e-5)


@pytest.mark.parametrize("field", ["annotator", "group"])
def test_people_who_differ_are_told_apart_and_people_who_agree_gain_nothing(field, tmp_path):
    options = {"personal": field, "batch_size": 16, "epochs": 6, "personal_penalty": 0.001}
    (tmp_path / "same").mkdir()
    people = ("even", "odd") if field == "group" else ("ann", "bob")
    differ = train(tmp_path, judged(200, 1, people, field), judged(120, 2, people, field), **options)
    agree = ("even", "also") if field == "group" else ("ann", "eve")
    same = train(tmp_path / "same", judged(200, 1, agree, field), judged(120, 2, agree, field), **options)
    told, alike = (read_rows(run / "metrics.jsonl")[-1] for run in (differ, same))
    assert told["validation_personal_gain_low"] > 0.05
    assert told["validation_accuracy"] - told["validation_accuracy_everyone"] == pytest.approx(told["validation_personal_gain"])
    assert alike["validation_personal_gain_low"] < 0.03 and alike["validation_accuracy_everyone"] > 0.7


def test_a_person_is_read_by_head_weights(tmp_path):
    run = train(tmp_path, judged(60, 1), personal="annotator", steps=20, batch_size=16)
    (row,) = [judged(1, 9)[0]]
    data = write_rows(tmp_path / "row.jsonl", [{"prompt_ids": row["prompt_ids"], "completion_ids": row["chosen_ids"]}])

    def score(*weights):
        more = {"head_weights": list(weights)} if weights else {}
        keel("score", model=run / "final", data=data, output=tmp_path / "scores.jsonl", precision="float32", end="no", **more)
        return read_rows(tmp_path / "scores.jsonl")[0]

    plain, everyone, ann, own = score(), score("everyone=1"), score("everyone=1", "ann=1"), score("ann=1")
    reward = lambda row: row["reward"] if "reward" in row else row["score"]
    assert reward(plain) == reward(everyone) and own != everyone
    assert reward(ann) == pytest.approx(reward(everyone) + reward(own), abs=1e-6)


def test_it_is_refused_where_nobody_is_known(tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", preferences(6))
    refused = keel("reward", check=False, model=MODELS / "llama_untied", data=rows, output=tmp_path / "run", steps=1,
                   personal="annotator")  # fmt: skip
    assert refused.status == 2 and "expected rows with a field annotator" in refused.err
    assert not (tmp_path / "run" / "final").exists() and json.dumps(refused.err).count("\\n") <= 1
