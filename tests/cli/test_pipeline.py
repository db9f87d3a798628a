"""The demo's recipe, made small, through the binary: every stage, its report, and what a second run does."""

import json
import re

from program import contents, keel, needs_program, read_rows
from small_demo import SMALL, run_demo

pytestmark = needs_program

STAGES = 16


def said(ended, word):
    return [line for line in ended.err.splitlines() if word in line]


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def test_the_report_is_one_file_without_outside_resources(demo):
    page = (demo / "report.html").read_text()
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?!#)|@import|url\(|https?://(?!www\.w3\.org/)", page)
    assert "<script" not in page


def test_the_report_begins_with_the_verdict_and_ends_with_what_it_does_not_show(demo):
    page, report = (demo / "report.html").read_text(), report_of(demo)
    sentence = report["verdict"]["sentence"]
    assert sentence.startswith("PPO ") and "95 % interval" in sentence
    places = [page.index(text) for text in (sentence, "Value loss", "√KL", "Calibration", "Win rates", "Samples", "does not show")]
    assert places == sorted(places)


def test_the_report_holds_every_number_with_its_count(demo):
    report = report_of(demo)
    assert [arm["name"] for arm in report["arms"]] == ["base", "SFT", "best-of-4", "PPO"]
    for arm in report["arms"]:
        low, high = arm["gold"]["interval"]
        assert low <= arm["gold"]["value"] <= high
    assert [curve["name"] for curve in report["curves"]] == ["reward", "kl", "value_loss", "entropy", "response_length"]
    assert all(len(curve["values"]) == SMALL["ppo.steps"] for curve in report["curves"])
    assert len(report["duels"]) == 6 and all(sum(duel[k] for k in ("wins", "ties", "losses")) == 12 for duel in report["duels"])


def test_the_annotators_are_measured_against_the_gold_judge(demo):
    accuracies = report_of(demo)["reward_model"]["accuracies"]
    assert accuracies[0]["name"].startswith("reward model") and accuracies[0]["pairs"] > 0
    names = [entry["name"] for entry in accuracies[1:]]
    assert len(names) == 3 and all("simulated annotator" in name for name in names)
    assert all(0 <= entry["right"] <= entry["pairs"] for entry in accuracies)


def test_the_final_policy_stands_on_the_frontier(demo):
    points = report_of(demo)["ppo_frontier"]
    final = points[-1]
    arm = next(arm for arm in report_of(demo)["arms"] if arm["name"] == "PPO")
    assert "held-out" in final["label"] and final["gold"]["value"] == arm["gold"]["value"]
    assert not any(point["gold"] for point in points[:-1])  # PPO never saw it


def test_every_stage_is_recorded_with_seed_and_hashes(demo):
    page, stages = (demo / "report.html").read_text(), report_of(demo)["stages"]
    assert len(stages) == STAGES - 1  # all but the report itself
    assert all(f">{stage['name']}<" in page for stage in stages)
    assert {stage["seed"] for stage in stages if stage["name"] != "tokenizer"} == {5}


def test_the_shown_prompts_follow_from_the_seed_alone(demo, tmp_path):
    shown = [sample["index"] for sample in report_of(demo)["samples"]]
    run_demo(tmp_path / "other", **{"ppo.learning_rate": 0.01})
    assert [sample["index"] for sample in report_of(tmp_path / "other")["samples"]] == shown


def test_rankings_are_kept_as_simulated(demo):
    stats = json.loads(keel("feedback", "stats", store=demo / "feedback.db").out)
    assert stats["kinds"] == {"simulated": 30} or "simulated" in json.dumps(stats)
    assert {row["kind"] for row in read_rows(demo / "data/rankings.jsonl")} == {"simulated"}


def test_a_second_run_skips_everything_and_changes_nothing(demo):
    before = contents(demo)
    assert len(said(run_demo(demo), "done before, skipped")) == STAGES
    assert contents(demo) == before


def test_a_changed_option_runs_only_what_depends_on_it(demo, tmp_path):
    folder = tmp_path / "run"
    run_demo(folder)
    ended = run_demo(folder, **{"ppo.steps": 3})
    ran = [line.split(": keel")[0].split()[-1] for line in said(ended, ": keel ")]
    assert ran == ["ppo", "ppo_samples", "report"]
    assert len(read_rows(folder / "ppo/metrics.jsonl")) == 3
