"""Recipes with rounds: names and values of each round, what runs again, errors."""

import json

from program import MODELS, demonstrations, keel, needs_program, read_rows, write_rows

pytestmark = needs_program

RECIPE = """
output: unused
seed: 3
stages:
  start: {{command: sft, model: {model}, data: {data}, output: start, steps: 1, batch_size: 2}}
rounds:
  count: 3
  first: {{policy: start/final, arms: [start/final]}}
  then: {{policy: sft-$round/final, arms: [$arms, sft-$round/final]}}
  stages:
    sft: {{command: sft, model: $policy, data: {data}, output: sft-$round, steps: 1, batch_size: 2}}
    mean: {{command: average, models: $arms, output: mean-$round}}
"""


def recipe(tmp_path, text=RECIPE, **values):
    data = write_rows(tmp_path / "rows.jsonl", demonstrations(6))
    path = tmp_path / "rounds.yaml"
    path.write_text(text.format(model=MODELS / "llama_tied", data=data, **values))
    return path


def said(ended):
    return [line.split("info: ")[1] for line in ended.err.splitlines() if "/7 " in line]


def test_each_round_starts_from_the_one_before(tmp_path):
    output = tmp_path / "out"
    keel("run", recipe(tmp_path), output=output)
    names = [stage["name"] for stage in json.loads((output / "stages.json").read_text())["stages"]]
    assert names == ["start", "sft-1", "mean-1", "sft-2", "mean-2", "sft-3", "mean-3"]
    options = json.loads((output / "sft-3" / "manifest.json").read_text())["options"]
    assert options["model"] == str(output / "sft-2" / "final")
    stages = json.loads((output / "stages.json").read_text())["stages"]
    assert stages[-1]["options"]["models"] == [str(output / name / "final") for name in ("start", "sft-1", "sft-2")]
    again = said(keel("run", recipe(tmp_path), output=output))
    assert len(again) == 7 and all("skipped" in line for line in again)


def test_set_names_one_round_or_all(tmp_path):
    output = tmp_path / "out"
    keel("run", recipe(tmp_path), output=output, set=["sft.steps=2", "sft-2.steps=3"])
    assert [len(read_rows(output / f"sft-{n}" / "metrics.jsonl")) for n in (1, 2, 3)] == [2, 3, 2]
    ended = keel("run", recipe(tmp_path), output=output, set=["sft-4.steps=2"], check=False)
    assert ended.status == 2 and "expected a stage" in ended.err


def test_what_is_wrong_with_rounds_is_said_with_its_line(tmp_path):
    def message(*change):
        ended = keel("run", recipe(tmp_path, RECIPE.replace(*change)), output=tmp_path / "bad", check=False)
        assert ended.status == 2 and len(ended.messages()) == 1, ended.err
        return ended.err

    assert "rounds.yaml:11] expected a known variable, got $polcy" in message("$policy", "$polcy")
    assert "rounds.yaml:11] expected one value within a text, got 2 of $arms" in message("$policy", "x$arms")
    assert "expected count, first, then" in message("  stages:\n    sft", "  steps:\n    sft")
    assert "rounds.yaml:7] expected" in message("count: 3", "count: 0")
    assert not (tmp_path / "bad").exists()
