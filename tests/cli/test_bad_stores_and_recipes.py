"""Bad input of the commands around training: stores, annotators, evaluations, recipes, the label page."""

import json
import os
import signal
import subprocess

import pytest
from program import MODELS, command, contents, demonstrations, keel, needs_program, rankings, read_rows, write_rows

pytestmark = needs_program

POLICY, REWARD = MODELS / "llama_untied", MODELS / "llama_reward"
TEXTS = [{"prompt": f"p{i}", "completions": ["a", "b", "c"], "ranks": [1, 2, 3]} for i in range(5)]


@pytest.fixture
def store(tmp_path):
    """A feedback store with five rankings."""
    path = tmp_path / "store.db"
    data = write_rows(tmp_path / "taken.jsonl", TEXTS)
    keel("feedback", "import", store=path, data=data, annotator="anna")
    return path


@pytest.fixture
def samples(tmp_path):
    """Rows as `keel sample` writes them: two prompts, two completions each."""
    rows = [
        {
            "prompt": f"p{i}",
            "completion": f"c{n}",
            "tokens": [5, n],
            "logps": [-1.0, -1.0],
            "finish_reason": "stop",
        }
        for i in range(2)
        for n in range(3, 5)
    ]
    return write_rows(tmp_path / "samples.jsonl", rows)


STORE_COMMANDS = [
    ("feedback export", {"output": "out.jsonl"}),
    ("feedback stats", {}),
    ("label", {"port": 0}),
]


@pytest.mark.parametrize("words, options", STORE_COMMANDS)
@pytest.mark.parametrize("damage", ["absent", "of another kind", "cut"])
def test_a_damaged_store_is_refused(refused, tmp_path, store, words, options, damage):
    path = tmp_path / "damaged.db"
    if damage == "of another kind":
        path.write_bytes(b"not a database " * 300)
    if damage == "cut":
        path.write_bytes(store.read_bytes()[: store.stat().st_size // 2])
    options = {name: tmp_path / value if name == "output" else value for name, value in options.items()}
    refused(*words.split(), store=path, **options, names=[str(path), "store"])


@pytest.mark.parametrize(
    "row, part",
    [
        ('{"prompt": "x", "compl', "JSON"),
        ('{"prompt": "x", "completions": ["a", "b"], "ranks": [1]}', "rank"),
        ('{"prompt": "x", "completions": ["a", ""], "ranks": [1, 2]}', "empty"),
    ],
)
def test_a_bad_row_adds_nothing_to_the_store(refused, tmp_path, store, row, part):
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(good) + "\n" for good in rankings(2)) + row + "\n")
    before = keel("feedback", "stats", store=store).out
    refused("feedback", "import", store=store, data=path, annotator="bob", names=[f"{path}:3]", part])
    assert keel("feedback", "stats", store=store).out == before


def test_a_ranking_without_a_prompt_is_counted_and_left_out(store, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [*rankings(2), {"prompt": "", "completions": ["a", "b"], "ranks": [1, 2]}])
    counts = json.loads(keel("feedback", "import", store=store, data=path, annotator="bob").out)
    assert counts["taken"] == 2 and "expected one with text or ids for a ranking" in next(iter(counts["refused"]))


def test_judgements_need_an_annotator(refused, tmp_path):
    data = write_rows(tmp_path / "rows.jsonl", TEXTS)
    options = {"store": tmp_path / "new.db", "data": data}
    refused("feedback", "import", **options, names=[str(data), "annotator"])


@pytest.mark.parametrize(
    "rows, names",
    [
        ([{"prompt": "p", "completion": "c", "tokens": "x"}], [":1]", "tokens"]),
        ([{"prompt_ids": [1, 5], "tokens": [6]}], [":1]", "prompt"]),
        ([], []),
    ],
    ids=["wrong type", "no text", "no rows"],
)
def test_samples_that_cannot_be_annotated_make_no_store(refused, tmp_path, rows, names):
    path = write_rows(tmp_path / "samples.jsonl", rows)
    refused("annotate", samples=path, store=tmp_path / "new.db", names=[str(path), *names])


@pytest.mark.parametrize(
    "model, stage, rows, names",
    [
        (REWARD, "perplexity", demonstrations, ["language model"]),
        (POLICY, "reward", rankings, ["reward model"]),
    ],
)
def test_an_evaluation_of_the_wrong_kind_of_model_is_refused(refused, tmp_path, model, stage, rows, names):
    data = write_rows(tmp_path / "rows.jsonl", rows(3))
    refused("eval", stage, model=model, data=data, names=[str(model), *names])


@pytest.mark.parametrize("other", [REWARD, MODELS / "gpt2"], ids=["another head", "another family"])
def test_models_without_a_mean_are_refused(refused, tmp_path, other):
    refused("average", models=[POLICY, other], output=tmp_path / "mean", names=[str(other), str(POLICY)])


@pytest.mark.parametrize(
    "change, names",
    [
        ({"arms": ["a"]}, ["--arms", "name="]),
        ({"before": "z"}, ["--before", "z"]),
        ({"after": "z"}, ["--after", "z"]),
        ({"arms": ["a=SAMPLES", "b=ABSENT"]}, ["absent.jsonl"]),
        ({"arms": ["a=SAMPLES", "a=SAMPLES"]}, ["--arms", "a"]),
        ({"reward_model": POLICY}, [str(POLICY), "reward model"]),
        ({}, [str(REWARD), "tokenizer"]),
    ],
    ids=["no file", "before", "after", "absent", "twice", "language model", "no tokenizer"],
)
def test_an_evaluation_that_cannot_be_made_is_refused(refused, tmp_path, samples, change, names):
    options = {
        "arms": ["a=SAMPLES", "b=SAMPLES"],
        "before": "a",
        "after": "b",
        "reward_model": REWARD,
        "output": tmp_path / "evaluation.json",
        **change,
    }
    files = {"SAMPLES": str(samples), "ABSENT": str(tmp_path / "absent.jsonl")}
    for word, file in files.items():
        options["arms"] = [arm.replace(word, file) for arm in options["arms"]]
    status = 2 if any(name.startswith("--") for name in names) else 1
    refused("eval", "policies", status=status, **options, names=names)


RECIPE = (
    "output: {folder}\nseed: 1\nstages:\n  one:\n    command: corpus\n    count: 3\n    output: rows.jsonl\n"
)


@pytest.mark.parametrize(
    "change, names",
    [
        (("command: corpus", "command: corpsu"), ["recipe.yaml", "corpsu", "corpus?"]),
        (("count: 3", "cuont: 3"), ["recipe.yaml", ":6]", "count?"]),
        (("count: 3", "count: ten"), ["recipe.yaml", ":6]", "ten"]),
        (("count: 3", "count: [3"), ["recipe.yaml", "YAML"]),
        (("stages:", "stags:"), ["recipe.yaml", "stages"]),
        (("count: 3", "<<: 3"), ["recipe.yaml", ":6]", "mapping"]),
        (("count: 3", "<<: {cuont: 3}"), ["recipe.yaml", ":6]", "count?"]),
    ],
)
def test_a_bad_recipe_starts_nothing(refused, tmp_path, change, names):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(folder=tmp_path / "run").replace(*change))
    refused("run", recipe=path, status=2, names=names)


@pytest.mark.parametrize(
    "item, names",
    [
        ("one.cuont=3", ["count?"]),
        ("two.count=3", ["--set", "two"]),
        ("one.count=ten", ["ten"]),
        ("one", ["--set", "stage.option=value"]),
    ],
)
def test_a_bad_single_option_starts_nothing(refused, tmp_path, item, names):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(folder=tmp_path / "run"))
    refused("run", recipe=path, set=[item], status=2, names=names)


def test_a_stage_takes_the_options_of_another_one_before_its_own(tmp_path):
    path = tmp_path / "recipe.yaml"
    recipe = RECIPE.replace("  one:", "  one: &first").replace("count: 3", "count: 3\n    kind: prompts")
    path.write_text(recipe.format(folder=tmp_path / "run") + "  two: {<<: *first, count: 5, output: more.jsonl}\n")
    keel("run", recipe=path)
    rows, more = (read_rows(tmp_path / "run" / name) for name in ("rows.jsonl", "more.jsonl"))
    assert len(rows) == 3 and len(more) == 5 and rows == more[:3]


def test_a_stage_that_fails_fails_the_run(refused, tmp_path):
    """What was made before it stays, and the same command goes on from there."""
    path = tmp_path / "recipe.yaml"
    second = f"  two:\n    command: score\n    model: {tmp_path}/absent\n    data: rows.jsonl\n    output: s.jsonl\n"
    path.write_text(RECIPE.format(folder=tmp_path / "run") + second)
    ended = keel("run", recipe=path, check=False)
    assert ended.status == 1
    assert [line for line in ended.messages() if line.startswith("keel: ")] == ended.messages()[-1:]
    assert str(tmp_path / "absent") in ended.messages()[-1]
    made = contents(tmp_path / "run")["rows.jsonl"]
    keel("run", recipe=path, check=False)
    assert contents(tmp_path / "run")["rows.jsonl"] == made


@pytest.mark.parametrize(
    "options, names",
    [({"host": "0.0.0.0"}, ["host", "127.0.0.1"]), ({"port": 70000}, ["--port"])],
)
def test_the_label_page_stays_on_this_machine(refused, store, options, names):
    refused("label", store=store, **{"port": 0} | options, status=2, names=names)


def test_the_label_page_stops_on_a_signal(store):
    with subprocess.Popen(
        command("label", store=store, port=0),
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        heard = ""
        while "http://" not in heard:
            line = process.stderr.readline()
            assert line, f"the server ended: {heard}"
            heard += line
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode in (0, 1), err
