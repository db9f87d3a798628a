"""What `keel reward` learns from beside plain orders, and from where it starts: weights, numbers, heads of several
dimensions, ensembles, and scorers made of them."""

import json
import os
import random
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import torch
from program import (
    MODELS,
    contents,
    demonstrations,
    keel,
    labelled,
    needs_program,
    preferences,
    prompts,
    rankings,
    read_rows,
    texts,
    write_rows,
)
from safetensors.numpy import load_file
from transformers import AutoModelForSequenceClassification

pytestmark = needs_program
QUICK = {"steps": 3, "batch_size": 4, "learning_rate": 1e-2, "schedule": "constant", "precision": "float32"}


def reward(folder, name, rows, model=MODELS / "llama_untied", **options):
    """The run's folder."""
    data = write_rows(folder / f"{name}.jsonl", rows)
    keel("reward", model=model, data=data, output=folder / name, **QUICK | options)
    return folder / name


def metrics(run):
    rows = read_rows(run / "metrics.jsonl")
    return [{key: value for key, value in row.items() if key not in ("seconds", "timing")} for row in rows]


def weights_of(run):
    return (run / "final" / "model.safetensors").read_bytes()


def rated(count, dimensions=("helpful", "honest"), seed=1):
    source = random.Random(seed)
    return [row | {"ratings": {name: source.randint(1, 7) for name in dimensions}} for row in texts(count, seed)]


# Weights.


@pytest.mark.parametrize("make", [preferences, rankings, labelled])
def test_weights_of_one_change_nothing_and_a_common_factor_neither(tmp_path, make):
    plain = reward(tmp_path, "plain", make(12))
    ones = reward(tmp_path, "ones", [row | {"weight": 1} for row in make(12)])
    assert weights_of(plain) == weights_of(ones) and metrics(plain) == metrics(ones)
    fours = reward(tmp_path, "fours", [row | {"weight": 4.0} for row in make(12)])
    assert weights_of(plain) == weights_of(fours)
    assert [row["loss"] for row in metrics(fours)] == [row["loss"] for row in metrics(plain)]


@pytest.mark.parametrize("make", [preferences, rankings, labelled])
def test_a_row_of_weight_zero_is_as_if_it_were_not_there(tmp_path, make):
    rows = make(12)
    without = [row | {"weight": 0.5 + i % 3} for i, row in enumerate(rows)]
    beside = [part for i, row in enumerate(without) for part in ((row, make(12, seed=9)[i] | {"weight": 0}) if i % 4 == 1 else (row,))]
    assert len(beside) == 15
    a, b = reward(tmp_path, "without", without), reward(tmp_path, "beside", beside)
    assert weights_of(a) == weights_of(b) and metrics(a) == metrics(b)


@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_weights_are_shares_of_the_whole_batch_however_it_is_cut(tmp_path, stage):
    """A row of weight 2 is two rows, and micro-batches of one row change rounding alone."""
    rows = preferences(4)
    sources = {
        "weighted": [row | {"weight": 1 + i % 2} for i, row in enumerate(rows)],
        "repeated": [row for i, row in enumerate(rows) for _ in range(1 + i % 2)],
    }
    options = QUICK | {"steps": 2, "shuffle": False, "model": MODELS / "llama_untied", "batch_size": 6}
    found = []
    for name, size in (("weighted", 0), ("weighted", 1), ("repeated", 0)):
        data, output = write_rows(tmp_path / f"{name}.jsonl", sources[name]), tmp_path / f"{name}-{size}"
        keel(stage, data=data, output=output, **options | {"batch_size": len(sources[name]), "micro_batch_size": size})
        found.append([row["loss"] for row in metrics(output)])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-5)


def test_a_weighted_accuracy_stands_beside_the_plain_one(tmp_path):
    """All weight on the pairs that end right."""
    rows = preferences(8)
    plain = reward(tmp_path, "plain", rows)
    scored = keel("score", model=plain / "final", data=write_rows(tmp_path / "rows.jsonl", rows), precision="float32").rows()
    right = [row["reward_chosen"] > row["reward_rejected"] for row in scored]
    assert 0 < sum(right) < len(right)
    held_out = write_rows(tmp_path / "v.jsonl", [row | {"weight": 1.0 if r else 1e-9} for row, r in zip(rows, right)])
    options = {"model": plain / "final", "validation": held_out, "steps": 1, "learning_rate": 0}
    run = reward(tmp_path, "weighted", [row | {"weight": 2 if i else 1} for i, row in enumerate(rows)], **options)
    last = metrics(run)[-1]
    assert last["validation_accuracy"] == pytest.approx(sum(right) / len(right))
    assert last["validation_weighted_accuracy"] == pytest.approx(1, abs=1e-6)
    assert "weighted_accuracy" not in metrics(plain)[-1] and "weighted_accuracy" in last


# Ties and margins.


def test_rankings_that_tie_everywhere_teach_with_halves_alone(tmp_path, refused):
    tied = [row | {"ranks": [1, 1, 1, 1]} for row in rankings(6)]
    data = write_rows(tmp_path / "tied.jsonl", tied)
    options = {"model": MODELS / "llama_untied", "data": data, "output": tmp_path / "run", **QUICK}
    refused("reward", **options, names=["ties alone"])
    keel("reward", **options | {"ties": "half", "steps": 60})
    final = metrics(tmp_path / "run")
    assert final[-1]["loss"] == pytest.approx(np.log(2), abs=0.02) and final[0]["loss"] > final[-1]["loss"] + 0.02


def test_margins_need_scores(tmp_path, refused):
    rows = [row | {"scores": [3, 1]} for row in preferences(3)] + preferences(2, seed=2)
    data = write_rows(tmp_path / "rows.jsonl", rows)
    options = {"model": MODELS / "llama_untied", "data": data, "output": tmp_path / "run", **QUICK}
    refused("reward", **options, margin_scale=0.5, names=["scores", "--margin-scale"])
    write_rows(tmp_path / "rows.jsonl", [row | {"score": 1.0} for row in texts(4)])
    refused("reward", **options, margin_scale=0.5, status=2, names=["--margin-scale", "rankings"])
    refused("reward", **options, ties="half", status=2, names=["--ties", "rankings"])


# Numbers and heads.


def classifier(folder):
    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


def logits_of(model, rows):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([row["input_ids"]])).logits for row in rows])


def test_numbers_are_learned_on_one_scale(tmp_path):
    """Elo values: standardised, their squared error starts near 1, and the learned order follows them."""
    rows = texts(16)
    elo = [row | {"score": 1000.0 + 10 * row["input_ids"][1]} for row in rows]
    run = reward(tmp_path, "run", elo, steps=80, batch_size=16, validation=write_rows(tmp_path / "v.jsonl", elo))
    last = metrics(run)[-1]
    assert last["validation_loss"] < 0.2 and last["validation_correlation"] > 0.9
    assert json.loads((run / "final/config.json").read_text())["id2label"] == {"0": "LABEL_0"}


def test_each_dimension_has_a_label_that_transformers_reads(tmp_path):
    rows = rated(12)
    run = reward(tmp_path, "run", rows, head_weights=["helpful=1", "honest=0.5"])
    folder = run / "final"
    model = classifier(folder)
    assert model.config.id2label == {0: "helpful", 1: "honest"} and model.config.problem_type == "regression"
    wanted = logits_of(model, rows)
    scored = keel("score", model=folder, data=write_rows(tmp_path / "t.jsonl", texts(12)), precision="float32", end="no").rows()
    for row, logits in zip(scored, wanted, strict=True):
        assert list(row["parts"]) == ["helpful", "honest"]
        np.testing.assert_allclose(list(row["parts"].values()), logits, atol=1e-4)
        assert row["reward"] == pytest.approx(logits[0].item() + 0.5 * logits[1].item(), abs=1e-4)
    other = keel(
        "score", model=folder, data=tmp_path / "t.jsonl", precision="float32", end="no", head_weights=["honest=-2"]
    ).rows()
    for row, logits in zip(other, wanted, strict=True):
        assert row["reward"] == pytest.approx(-2 * logits[1].item(), abs=1e-4)


def test_a_new_head_weighs_its_dimensions_evenly_and_an_old_one_goes_on(tmp_path):
    rows = rated(8)
    first = reward(tmp_path, "first", rows)
    assert json.loads((first / "final/config.json").read_text())["keel_head_weights"] == {"helpful": 0.5, "honest": 0.5}
    again = reward(tmp_path, "again", rows, model=first / "final", learning_rate=0)
    one, two = load_file(first / "final/model.safetensors"), load_file(again / "final/model.safetensors")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_ppo_optimises_the_weighted_dimensions(tmp_path):
    run = reward(tmp_path, "judge", rated(12))
    data = write_rows(tmp_path / "prompts.jsonl", prompts(8))
    options = {"model": MODELS / "llama_untied", "data": data, "reward_model": run / "final", "response_length": 5, **QUICK}
    rewards = {}
    for name, weights in {"both": ["helpful=1", "honest=1"], "helpful": ["helpful=1"], "honest": ["honest=1"]}.items():
        keel("ppo", output=tmp_path / name, head_weights=weights, **options)
        rewards[name] = metrics(tmp_path / name)[0]["reward"]
        value = classifier(tmp_path / name / "final" / "value")
        assert value.config.num_labels == 1
    assert rewards["both"] == pytest.approx(rewards["helpful"] + rewards["honest"], abs=1e-4)


@pytest.mark.parametrize(
    "weights, names",
    [(["kind=1"], ["--head-weights", "helpful, honest", "kind"]), (["helpful"], ["name=number"]), (["helpful=much"], ["name=number"])],
)
def test_weights_of_labels_that_are_not_there_are_refused(tmp_path, refused, weights, names):
    run = reward(tmp_path, "judge", rated(8))
    data = write_rows(tmp_path / "rows.jsonl", texts(3))
    refused("score", model=run / "final", data=data, head_weights=weights, status=2, names=names)


def test_a_head_of_many_labels_needs_weights(tmp_path, refused):
    """Three classes of transformers: none of them is known to be the reward."""
    model = AutoModelForSequenceClassification.from_pretrained(MODELS / "llama_reward", num_labels=3, ignore_mismatched_sizes=True)
    model.save_pretrained(tmp_path / "three")
    data = write_rows(tmp_path / "rows.jsonl", texts(4))
    refused("score", model=tmp_path / "three", data=data, names=["--head-weights", "3"])
    rows = keel("score", model=tmp_path / "three", data=data, head_weights=["LABEL_2=1"], precision="float32", end="no").rows()
    np.testing.assert_allclose([row["reward"] for row in rows], logits_of(model.eval(), read_rows(data))[:, 2], atol=1e-4)


# Where training starts.


@pytest.mark.parametrize("start", ["llama_untied", "gpt2", "llama_reward"])
def test_reward_models_start_from_language_and_reward_models(tmp_path, start):
    """Without a learning rate the trunk is the start's; a reward model keeps its head."""
    run = reward(tmp_path, "run", preferences(8), model=MODELS / start, learning_rate=0)
    before = {}
    for file in (MODELS / start).glob("*.safetensors"):
        before |= load_file(file)
    after = load_file(run / "final/model.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in after if name != "score.weight")
    assert ("score.weight" in before) == (start == "llama_reward")
    if start == "llama_reward":
        assert np.array_equal(before["score.weight"], after["score.weight"])


def test_from_scratch_reads_no_weights(tmp_path):
    """The folder has none: an architecture is enough, also a smaller one than the policy's."""
    folder = tmp_path / "small"
    shutil.copytree(MODELS / "llama_untied", folder)
    for file in folder.glob("model*"):
        file.unlink()
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": config["hidden_size"] // 2, "num_hidden_layers": 1}
    config["head_dim"] = config["hidden_size"] // config["num_attention_heads"]
    (folder / "config.json").write_text(json.dumps(config))
    run = reward(tmp_path, "run", preferences(8), model=folder, from_scratch=True)
    other = reward(tmp_path, "other", preferences(8), model=folder, from_scratch=True, seed=2)
    assert weights_of(run) != weights_of(other)
    model = classifier(run / "final")
    assert model.config.hidden_size == config["hidden_size"] and model.config.eos_token_id == 2
    data = write_rows(tmp_path / "prompts.jsonl", prompts(8))
    keel("ppo", model=MODELS / "llama_untied", reward_model=run / "final", data=data, output=tmp_path / "ppo", response_length=5, **QUICK)
    assert classifier(tmp_path / "ppo/final/value").config.hidden_size == config["hidden_size"]


# Ensembles.


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    return reward(tmp_path_factory.mktemp("ensemble"), "run", preferences(12), members=3, seed=5)


def test_members_are_runs_of_their_own_seeds(ensemble, tmp_path):
    assert json.loads((ensemble / "ensemble.json").read_text())["members"] == [f"member-{i}/final" for i in (1, 2, 3)]
    for number, seed in ((1, 5), (3, 2005)):
        alone = reward(tmp_path, f"alone-{seed}", preferences(12), seed=seed)
        assert weights_of(alone) == weights_of(ensemble / f"member-{number}")
    before = contents(ensemble)
    data = write_rows(ensemble.parent / "run.jsonl", preferences(12))
    keel("reward", model=MODELS / "llama_untied", data=data, output=ensemble, members=3, seed=5, **QUICK)
    assert contents(ensemble) == before


RULES = {
    "mean": lambda parts: np.mean(parts),
    "minimum": lambda parts: np.min(parts),
    "mean_minus_deviation": lambda parts: np.mean(parts) - 0.5 * np.std(parts),
}


@pytest.mark.parametrize("rule", RULES)
def test_an_ensemble_is_one_scorer(ensemble, tmp_path, rule):
    data = write_rows(tmp_path / "rows.jsonl", texts(5) + rankings(2))
    options = {"data": data, "precision": "float32"}
    members = [ensemble / f"member-{i}" / "final" for i in (1, 2, 3)]
    alone = [keel("score", model=member, **options).rows() for member in members]
    for folders in (ensemble, members):
        rows = keel("score", model=folders, ensemble=rule, ensemble_lambda=0.5, **options).rows()
        for row, *parts in zip(rows, *alone, strict=True):
            if "rewards" in row:
                each = list(zip(*(part["rewards"] for part in parts)))
                assert row["parts"] == [list(part) for part in each]
                np.testing.assert_allclose(row["rewards"], [RULES[rule](part) for part in each], atol=1e-12)
            else:
                assert row["parts"] == [part["reward"] for part in parts]
                assert row["reward"] == pytest.approx(RULES[rule](row["parts"]), abs=1e-12)


def test_ppo_takes_an_ensemble_and_tells_its_disagreement(ensemble, tmp_path):
    data = write_rows(tmp_path / "prompts.jsonl", prompts(8))
    options = {"model": MODELS / "llama_untied", "data": data, "response_length": 5, **QUICK}
    rows = {}
    for rule in RULES:
        keel("ppo", output=tmp_path / rule, reward_model=ensemble, ensemble=rule, ensemble_lambda=2, **options)
        rows[rule] = metrics(tmp_path / rule)[0]
    mean, spread = rows["mean"]["reward"], rows["mean"]["reward_disagreement"]
    assert spread > 0 and rows["minimum"]["reward"] < mean
    assert rows["mean_minus_deviation"]["reward"] == pytest.approx(mean - 2 * spread, abs=1e-6)
    keel("ppo", output=tmp_path / "one", reward_model=ensemble / "member-1/final", **options)
    assert "reward_disagreement" not in metrics(tmp_path / "one")[0]


def test_a_recipe_hands_an_ensemble_on(tmp_path):
    """A stage that trains members and one that takes all of them by the run's folder; again, both are skipped."""
    pairs, data = write_rows(tmp_path / "pairs.jsonl", preferences(8)), write_rows(tmp_path / "rows.jsonl", texts(4))
    train = {"command": "reward", "model": str(MODELS / "llama_untied"), "data": str(pairs), "output": "judge", "members": 2, **QUICK}
    score = {"command": "score", "model": "judge", "data": str(data), "output": "scores.jsonl", "ensemble": "minimum"}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps({"output": str(tmp_path / "run"), "stages": {"judge": train, "scores": score}}))
    keel("run", recipe)
    rows = read_rows(tmp_path / "run/scores.jsonl")
    assert len(rows) == 4 and all(len(row["parts"]) == 2 and row["reward"] == min(row["parts"]) for row in rows)
    before = contents(tmp_path / "run")
    keel("run", recipe)
    assert contents(tmp_path / "run") == before


def test_an_ensemble_that_was_cut_is_refused(ensemble, tmp_path, refused):
    shutil.copytree(ensemble, tmp_path / "cut")
    (tmp_path / "cut/ensemble.json").unlink()
    refused("score", model=tmp_path / "cut", data=write_rows(tmp_path / "rows.jsonl", texts(3)), names=["cut", "ensemble"])


# Normalisation.


@pytest.mark.parametrize("normalization", ["mean", "unit"])
def test_rewards_of_references_have_mean_zero_and_variance_one(tmp_path, normalization):
    references = write_rows(tmp_path / "references.jsonl", demonstrations(40))
    run = reward(tmp_path, "run", preferences(12), center_on=references, normalization=normalization)
    rewards = [row["reward"] for row in keel("score", model=run / "final", data=references, precision="float32").rows()]
    assert np.mean(rewards) == pytest.approx(0, abs=1e-6)
    assert np.std(rewards, ddof=1) == pytest.approx(1, abs=1e-5) or normalization == "mean"
    assert abs(np.std(rewards, ddof=1) - 1) > 1e-3 or normalization == "unit"


# Evaluation.


def test_evaluation_tells_groups_lengths_and_members(ensemble, tmp_path):
    rows = [row | {"turns": 1 + i % 3} for i, row in enumerate(preferences(60, seed=4) + rankings(6))]
    data = write_rows(tmp_path / "pairs.jsonl", rows)
    part = json.loads(keel("eval", "reward", model=ensemble, data=data, group_by="turns", precision="float32").out)
    (accuracy,) = part["accuracies"]
    assert accuracy["pairs"] == part["calibration"]["count"] == sum(b["count"] for b in part["calibration"]["bins"])
    assert [table["name"].split()[1] for table in part["tables"]] == ["difference", "length", "margin", "group"]
    for table in part["tables"]:
        assert sum(group["pairs"] for group in table["groups"]) == accuracy["pairs"]
        assert sum(group["right"] for group in table["groups"]) == accuracy["right"]
        assert all(group["interval"][0] <= group["right"] / group["pairs"] <= group["interval"][1] for group in table["groups"])
    assert sorted(group["name"] for group in part["tables"][-1]["groups"]) == ["1", "2", "3"]
    length = part["length"]
    assert length["shorter"]["right"] + length["longer"]["right"] == length["model"]["pairs"] <= accuracy["pairs"]
    assert -1 <= length["correlation"] <= 1
    assert len(part["ensemble"]["members"]) == 3 and part["ensemble"]["disagreement"] > 0
    assert part["ensemble"]["unanimous"]["pairs"] <= accuracy["pairs"]


def test_a_reward_that_is_length_is_warned_of(tmp_path):
    """The longer one is always better, and nothing else tells them apart."""
    source = random.Random(3)
    rows = []
    for _ in range(80):
        short = source.randint(1, 10)
        rows.append({"prompt_ids": [1, 5], "chosen_ids": [9] * (short + 6), "rejected_ids": [9] * short})
    run = reward(tmp_path, "run", rows, steps=150, batch_size=20)
    done = keel("eval", "reward", model=run / "final", data=tmp_path / "run.jsonl")
    length = json.loads(done.out)["length"]
    assert length["warning"] and any(length["warning"] in line for line in done.messages())
    assert length["longer"]["right"] == length["longer"]["pairs"]


def test_a_field_to_group_by_must_be_there(tmp_path, refused):
    data = write_rows(tmp_path / "pairs.jsonl", preferences(3))
    refused("eval", "reward", model=MODELS / "llama_reward", data=data, group_by="topic", names=["pairs.jsonl:1", "topic"])


# Bad input.


@pytest.mark.parametrize(
    "row, names",
    [
        ({"weight": -1}, ["rows.jsonl:2", "weight"]),
        ({"weight": "heavy"}, ["rows.jsonl:2", "weight"]),
        ({"scores": [1, 2, 3]}, ["rows.jsonl:2", "scores", "2 completions"]),
    ],
)
def test_judgements_that_cannot_be_meant_are_refused(tmp_path, refused, row, names):
    rows = preferences(3)
    rows[1] |= row
    data = write_rows(tmp_path / "rows.jsonl", rows)
    refused("reward", model=MODELS / "llama_untied", data=data, output=tmp_path / "run", names=names)


def test_completions_without_numbers_and_mixed_kinds_are_refused(tmp_path, refused):
    options = {"model": MODELS / "llama_untied", "data": tmp_path / "rows.jsonl", "output": tmp_path / "run"}
    write_rows(tmp_path / "rows.jsonl", [row | {"score": 1} for row in texts(2)] + texts(1))
    refused("reward", **options, names=["rows.jsonl:3", "score"])
    write_rows(tmp_path / "rows.jsonl", [row | {"score": 1} for row in texts(2)] + preferences(1))
    refused("reward", **options, names=["one kind"])
    write_rows(tmp_path / "rows.jsonl", [row | {"weight": 0} for row in preferences(2)])
    refused("reward", **options, names=["weight above 0"])
    write_rows(tmp_path / "rows.jsonl", rated(4))
    held_out = write_rows(tmp_path / "held-out.jsonl", rated(4, dimensions=("kind",)))
    refused("reward", **options, validation=held_out, names=["dimensions", "kind"])
