"""Bad input, each kind through the binary: one line that names the place, exit 1 or 2, nothing changed."""

import gzip
import json
import signal
import struct
import subprocess
import time

import pytest
import torch
from program import (
    CONTEXT,
    MODELS,
    Ended,
    command,
    contents,
    demonstrations,
    keel,
    labelled,
    needs_program,
    preferences,
    prompts,
    rankings,
    read_rows,
    surroundings,
    texts,
    write_rows,
)
from safetensors.torch import load_file, save_file

pytestmark = needs_program

POLICY, REWARD = MODELS / "llama_untied", MODELS / "llama_reward"
WEIGHTS = "model.safetensors"


@pytest.fixture
def inputs(tmp_path):
    """Sound rows for every stage."""
    makers = {
        "sft": demonstrations,
        "score": demonstrations,
        "sample": prompts,
        "ppo": prompts,
        "reward": preferences,
        "dpo": preferences,
    }
    return {stage: write_rows(tmp_path / f"{stage}.jsonl", make(4)) for stage, make in makers.items()}


def options_of(stage, tmp_path, inputs, model=None):
    """A small sound call of each stage."""
    options = {"model": model or POLICY, "prompts" if stage == "sample" else "data": inputs[stage]}
    if stage in ("sft", "reward", "dpo", "ppo"):
        options |= {"output": tmp_path / "run", "steps": 1, "batch_size": 2}
    else:
        options["output"] = tmp_path / "out.jsonl"
    if stage == "ppo":
        options |= {"reward_model": REWARD, "response_length": 4}
    return options


# Model folders.


def remove_folder(folder):
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def cut(bytes_kept):
    def damage(folder):
        data = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(data[:bytes_kept])

    return damage


def header_length(length):
    def damage(folder):
        data = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", length) + data[8:])

    return damage


def header_field(tensor, name, value):
    """One entry of the header changed, with the data left as it is."""

    def damage(folder):
        data = (folder / WEIGHTS).read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        header[tensor][name] = value
        text = json.dumps(header).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    return damage


def weights(change):
    def damage(folder):
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return damage


def config(**fields):
    def damage(folder):
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(values | fields))

    return damage


UP = "model.layers.0.mlp.up_proj.weight"
DAMAGED_MODELS = {
    "missing": (remove_folder, []),
    "no config": (lambda folder: (folder / "config.json").unlink(), ["config.json"]),
    "config cut": (lambda folder: (folder / "config.json").write_text('{"a": 1,\n"b"'), ["config.json:2"]),
    "config type": (config(hidden_size="32"), ["config.json", "hidden_size"]),
    "config negative": (config(hidden_size=-32), ["config.json", "hidden_size", "-32"]),
    "config heads": (config(num_attention_heads=5), ["config.json", "heads"]),
    "config huge": (config(vocab_size=10**13), ["config.json", "vocab_size"]),
    "config layers": (config(num_hidden_layers=10**9), ["config.json", "num_hidden_layers"]),
    "config family": (config(model_type="lama"), ["config.json", "model_type", "llama"]),
    "config activation": (config(hidden_act="silly"), ["config.json", "silly"]),
    "config rope": (config(rope_scaling={"rope_type": "yarn", "factor": 2.0}), ["config.json", "yarn"]),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), [WEIGHTS]),
    "pickle": (lambda folder: (folder / WEIGHTS).rename(folder / "pytorch_model.bin"), ["pickle"]),
    "empty file": (cut(0), [WEIGHTS]),
    "length cut": (cut(4), [WEIGHTS]),
    "header cut": (cut(100), [WEIGHTS, "header"]),
    "last byte missing": (cut(-1), [WEIGHTS, "truncated"]),
    "half the data": (cut(40_000), [WEIGHTS, "truncated"]),
    "header length": (header_length(1 << 63), [WEIGHTS, "header"]),
    "header not json": (header_length(7), [WEIGHTS]),
    "offsets beyond": (header_field(UP, "data_offsets", [0, 1 << 62]), [UP, "data_offsets"]),
    "offsets reversed": (header_field(UP, "data_offsets", [64, 0]), [UP, "data_offsets"]),
    "shape overflows": (header_field(UP, "shape", [1 << 62, 1 << 62]), [UP]),
    "shape negative": (header_field(UP, "shape", [-48, -32]), [UP, "-48"]),
    "unknown dtype": (header_field(UP, "dtype", "F99"), [UP, "F99"]),
    "wrong dtype": (weights(lambda t: t.update({UP: t[UP].to(torch.int32)})), [UP, "I32"]),
    "wrong shape": (weights(lambda t: t.update({UP: t[UP][:20].clone()})), [UP, "[48,32]", "[20,32]"]),
    "missing tensor": (weights(lambda t: t.pop(UP)), [UP]),
    "nan": (weights(lambda t: t[UP].view(-1)[5].fill_(float("nan"))), [UP, "NaN"]),
    "infinity": (weights(lambda t: t["lm_head.weight"][3, 4].fill_(float("inf"))), ["lm_head.weight", "inf"]),
}


@pytest.mark.parametrize("damage", DAMAGED_MODELS)
def test_a_damaged_model_is_refused(refused, tmp_path, inputs, model_copy, damage):
    model = model_copy("llama_untied", "model")
    change, names = DAMAGED_MODELS[damage]
    change(model)
    refused("score", **options_of("score", tmp_path, inputs, model), names=[str(model), *names])


@pytest.mark.parametrize("stage", ["sft", "reward", "dpo", "ppo", "sample"])
def test_every_stage_checks_the_weights(refused, tmp_path, inputs, model_copy, stage):
    model = model_copy("llama_untied", "model")
    DAMAGED_MODELS["nan"][0](model)
    refused(stage, **options_of(stage, tmp_path, inputs, model), names=[str(model), UP, "NaN"])


@pytest.mark.parametrize(
    "stage, role", [("ppo", "reward_model"), ("ppo", "reference_model"), ("dpo", "reference_model")]
)
def test_every_model_is_checked(refused, tmp_path, inputs, model_copy, stage, role):
    model = model_copy("llama_reward" if role == "reward_model" else "llama_untied", "model")
    DAMAGED_MODELS["last byte missing"][0](model)
    options = options_of(stage, tmp_path, inputs) | {role: model}
    refused(stage, **options, names=[str(model), "truncated"])


@pytest.mark.parametrize("stage", ["dpo", "ppo"])
def test_a_reference_of_other_ids_is_refused(refused, tmp_path, inputs, model_copy, stage):
    smaller = model_copy("llama_untied", "smaller")
    config(vocab_size=90)(smaller)
    names = ("model.embed_tokens.weight", "lm_head.weight")
    weights(lambda t: t.update({name: t[name][:90].clone() for name in names}))(smaller)
    options = options_of(stage, tmp_path, inputs)
    refused(stage, **options | {"reference_model": smaller}, names=[str(smaller), "vocabulary", "97", "90"])
    stranger = model_copy("llama_untied", "stranger")
    (stranger / "vocab.json").write_text("{}")
    refused(stage, **options | {"reference_model": stranger}, names=[str(stranger), "tokenizer"])


def test_a_reference_of_a_shorter_context_is_refused(refused, tmp_path, inputs, model_copy):
    shorter = model_copy("llama_untied", "shorter")
    config(max_position_embeddings=32)(shorter)
    options = options_of("dpo", tmp_path, inputs) | {"reference_model": shorter}
    refused("dpo", **options, names=[str(shorter), "context", "64", "32", "--max-length"])
    keel("dpo", **options, max_length=32)


@pytest.mark.parametrize(
    "stage, role, model, wanted",
    [
        ("ppo", "model", REWARD, "language model"),
        ("ppo", "reward_model", POLICY, "reward model"),
        ("ppo", "reference_model", REWARD, "language model"),
        ("dpo", "model", REWARD, "language model"),
        ("dpo", "reference_model", REWARD, "language model"),
        ("sft", "model", REWARD, "language model"),
        ("sample", "model", REWARD, "language model"),
    ],
)
def test_a_model_of_the_wrong_kind_is_refused(refused, tmp_path, inputs, stage, role, model, wanted):
    refused(stage, **options_of(stage, tmp_path, inputs) | {role: model}, names=[str(model), wanted])


# Rows.

THIRD_LINES = {
    "cut": ('{"prompt_ids": [1, 5], "completion_ids": [4', []),
    "nothing known": ('{"a": 1}', ["prompt"]),
    "no object": ("[1, 2]", []),
    "zeros": ("\0\0\0", []),
    "type": ('{"prompt_ids": "x", "completion_ids": [3]}', ["prompt", "string"]),
    "fraction": ('{"prompt_ids": [1.5], "completion_ids": [3]}', ["prompt", "1.5"]),
    "negative id": ('{"prompt_ids": [-1], "completion_ids": [3]}', ["prompt", "-1"]),
    "huge id": ('{"prompt_ids": [99999999999999999999], "completion_ids": [3]}', ["prompt"]),
    "prompt id": ('{"prompt_ids": [97], "completion_ids": [3]}', ["97", "vocabulary"]),
    "empty prompt": ('{"prompt_ids": [], "completion_ids": [3]}', ["prompt", "empty"]),
    "empty text": ('{"prompt": "", "completion": "x"}', ["prompt", "empty"]),
    "text": ('{"prompt": "hello", "completion": "x"}', ["text", "tokenizer"]),
    "long prompt": (json.dumps({"prompt_ids": [5] * CONTEXT, "completion_ids": [3]}), ["prompt", "64"]),
}


def with_third_line(path, rows, line):
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n")
    return path


ROW_READERS = [
    *(("sft", damage) for damage in THIRD_LINES),
    *(
        (stage, damage)
        for stage in ("score", "sample")
        for damage in ("cut", "prompt id", "text", "long prompt")
    ),
]


@pytest.mark.parametrize("stage, damage", ROW_READERS)
def test_a_bad_row_is_named_by_its_line(refused, tmp_path, inputs, stage, damage):
    line, names = THIRD_LINES[damage]
    path = with_third_line(tmp_path / "bad.jsonl", read_rows(inputs[stage]), line)
    options = options_of(stage, tmp_path, inputs | {stage: path})
    refused(stage, **options, names=[f"{path}:3]", *names])


@pytest.mark.parametrize("ids", [[97], [1] + [5] * CONTEXT], ids=["id beyond the vocabulary", "too long"])
def test_ppo_looks_at_every_prompt_before_it_starts(refused, tmp_path, inputs, ids):
    line = json.dumps({"prompt_ids": ids})
    path = with_third_line(tmp_path / "bad.jsonl", prompts(4), line)
    options = options_of("ppo", tmp_path, inputs | {"ppo": path})
    if len(ids) == 1:
        refused("ppo", **options, names=[f"{path}:3]", "vocabulary"])
    else:  # the design: rows longer than the context are left out and counted, and the run goes on
        ended = keel("ppo", **options)
        assert ended.messages() == [f"warning: {path}: 1 rows longer than the context were left out"]


def test_a_prompt_that_fills_the_context_leaves_ppo_nothing_to_do(refused, tmp_path, inputs):
    path = write_rows(tmp_path / "full.jsonl", [{"prompt_ids": [1] + [5] * (CONTEXT - 1)}])
    refused("ppo", **options_of("ppo", tmp_path, inputs | {"ppo": path}), names=[str(path)])


@pytest.mark.parametrize(
    "row, part",
    [
        ({"prompt_ids": [1, 5], "chosen_ids": [97], "rejected_ids": [4]}, "97"),
        ({"prompt_ids": [1, 5], "completions_ids": [[3], [97]], "ranks": [1, 2]}, "97"),
        ({"prompt_ids": [1, 5], "completions_ids": [[3], [4]], "ranks": [1]}, "rank"),
        ({"prompt_ids": [1, 5], "completions_ids": [[3], [4]], "ranks": [1, "a"]}, "ranks"),
        ({"prompt_ids": [1, 5], "completions_ids": [[3]], "ranks": [1]}, "two"),
        ({"prompt_ids": [1, 5], "chosen_ids": [3]}, "rejected"),
        ({"prompt_ids": [1, 5], "chosen_ids": [3], "rejected_ids": []}, "rejected"),
        ({"prompt_ids": [1, 5], "completion_ids": [3]}, "completion"),
        ({"input_ids": [1, 5], "label": 2}, "label"),
    ],
)
@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_a_bad_comparison_is_named_by_its_line(refused, tmp_path, inputs, stage, row, part):
    path = with_third_line(tmp_path / "bad.jsonl", preferences(4), json.dumps(row))
    options = options_of(stage, tmp_path, inputs | {stage: path})
    refused(stage, **options, names=[f"{path}:3]", part])


@pytest.mark.parametrize(
    "stage, rows, part",
    [
        ("reward", [dict(row, ranks=[1, 1, 1, 1]) for row in rankings(3)], "strict"),  # nothing to learn from
        ("reward", labelled(3) + preferences(3), "one kind"),
        ("reward", [], "none"),
        ("dpo", [dict(row, ranks=[1, 1, 1, 1]) for row in rankings(3)], "strict"),
        ("dpo", preferences(3) + labelled(3), "label"),
        ("dpo", [], "none"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_rows_that_cannot_be_trained_on_are_refused(refused, tmp_path, inputs, stage, rows, part):
    path = write_rows(tmp_path / "rows.jsonl", rows)
    options = options_of(stage, tmp_path, inputs | {stage: path})
    refused(stage, **options, names=[str(path), part])


def test_rankings_have_no_label_to_ask_of_every_token(refused, tmp_path, inputs):
    options = options_of("reward", tmp_path, inputs) | {"every_token": 0.5}
    refused("reward", **options, status=2, names=["--every-token", "labels"])


def test_texts_of_one_token_predict_nothing(refused, tmp_path, inputs):
    path = write_rows(tmp_path / "rows.jsonl", [{"input_ids": [5]}] * 3)
    refused("sft", **options_of("sft", tmp_path, inputs | {"sft": path}), names=[str(path)])


ROW_FILES = {
    "missing": ("none.jsonl", None, "none.jsonl"),
    "extension": ("rows.txt", b"{}", "rows.txt"),
    "empty": ("rows.jsonl", b"", "rows.jsonl"),
    "encoding": ("rows.jsonl", b'{"prompt": "\xff\xfe", "completion": "x"}\n', "rows.jsonl:1"),
    "csv cells": ("rows.csv", b"prompt,completion\nonly one\n", "rows.csv:2"),
    "gzip cut": ("rows.jsonl.gz", gzip.compress(b'{"input_ids": [4, 5]}\n' * 9)[:-4], "rows.jsonl.gz"),
    "gzip header": ("rows.jsonl.gz", gzip.compress(b'{"input_ids": [4, 5]}\n')[:12], "rows.jsonl.gz"),
}


@pytest.mark.parametrize("damage", ROW_FILES)
def test_a_bad_file_of_rows_is_refused(refused, tmp_path, inputs, damage):
    name, data, part = ROW_FILES[damage]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    refused("sft", **options_of("sft", tmp_path, inputs | {"sft": path}), names=[part])


def test_a_gzip_file_cut_between_two_rows_is_not_half_the_data(refused, tmp_path, inputs):
    rows = "".join(json.dumps(row) + "\n" for row in texts(200)).encode()
    stream = gzip.compress(rows[: rows.index(b"\n", len(rows) // 2) + 1], compresslevel=0)
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(stream[:-8])  # the checksum and length that end a gzip file are missing
    refused("score", **options_of("score", tmp_path, inputs | {"score": path}), names=[str(path)])


# Options.


@pytest.mark.parametrize(
    "extra, names",
    [
        (["--step", "3"], ["--step]", "--steps?"]),
        (["--learning-rat", "1"], ["--learning-rate?"]),
        (["--micro_batch_size", "1"], ["--micro-batch-size?"]),
        (["--zzzzzz", "1"], ["--zzzzzz"]),
        (["--steps", "ten"], ["--steps]", '"ten"']),
        (["--steps", "3.5"], ["--steps]", '"3.5"']),
        (["--steps", "-1"], ["--steps]", "-1"]),
        (["--steps", "99999999999999999999"], ["--steps]"]),
        (["--steps"], ["--steps"]),
        (["--learning-rate", "nan"], ["--learning-rate]"]),
        (["--learning-rate", "inf"], ["--learning-rate]"]),
        (["--batch-size", "0"], ["--batch-size]", "1", "--tokens-per-batch"]),
        (["--batch-size", "-1"], ["--batch-size]", "-1"]),
        (["--tokens-per-batch", "-1"], ["--tokens-per-batch]", "-1"]),
        (["--tokens-per-batch", "many"], ["--tokens-per-batch]", '"many"']),
        (["--micro-batch-tokens", "-5"], ["--micro-batch-tokens]", "-5"]),
        (["--moments", "float16"], ["--moments]", "bfloat16", "float16"]),
        (["--schedule", "cosin"], ["--schedule]", "cosine?"]),
        (["--shuffle=maybe"], ["--shuffle]", "maybe"]),
        (["--max-length", "65"], ["--max-length]", "64"]),
        (["--select", "loss"], ["--select]", "--validation"]),
        (["word"], ["word"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_a_wrong_option_is_refused_with_the_nearest_name(refused, tmp_path, inputs, extra, names):
    options = {"model": POLICY, "data": inputs["sft"], "output": tmp_path / "run"}
    before = [word for name, value in options.items() for word in (f"--{name}", value)]
    refused("sft", *before, *extra, status=2, names=names)


@pytest.mark.parametrize("stage, rows", [("sft", "data"), ("sample", "prompts"), ("score", "data")])
def test_a_device_that_is_not_there_is_refused(refused, tmp_path, inputs, stage, rows):
    if "cuda" in keel("--devices").out:
        pytest.skip("the device is there")
    options = {"model": POLICY, rows: inputs["sft"], "output": tmp_path / "run"}
    before = [word for name, value in options.items() for word in (f"--{name}", value)]
    refused(stage, *before, "--device", "cuda", status=2, names=["[--device] expected cpu, got cuda: "])


@pytest.mark.parametrize(
    "words, names",
    [
        (["smaple"], ["smaple", "sample?"]),
        (["sft"], ["--model"]),
        (["sft", "--model", "x", "--data", "y"], ["--output"]),
        (["sample", "--model", "x"], ["--prompt"]),
        (["sample", "--model", "x", "--prompts", "y", "--prompt", "z"], ["--prompt"]),
    ],
)
def test_wrong_usage_is_refused(refused, words, names):
    refused(*words, status=2, names=names)


@pytest.mark.parametrize(
    "options, names",
    [
        ({"top_k": 5}, ["--top-k"]),
        ({"mini_batches": 100}, ["--mini-batches"]),
        ({"kl_estimator": "k4"}, ["--kl-estimator", "k1"]),
        ({"response_length": 0}, ["--response-length"]),
        ({"batch_size": 0, "tokens_per_batch": 50}, ["--batch-size]", "prompt"]),
    ],
)
def test_ppo_refuses_what_it_cannot_do_right(refused, tmp_path, inputs, options, names):
    refused("ppo", **options_of("ppo", tmp_path, inputs) | options, status=2, names=names)


@pytest.mark.parametrize(
    "options, names",
    [
        ({"beta": 0}, ["--beta"]),
        ({"loss_type": "sigmoidal"}, ["--loss-type", "sigmoid?"]),
        ({"label_smoothing": 0.6}, ["--label-smoothing"]),
        ({"label_smoothing": 0.1, "loss_type": "ipo"}, ["--label-smoothing", "sigmoid"]),
        ({"select": "reward", "validation": "self"}, ["--select", "loss"]),
    ],
)
def test_dpo_refuses_what_it_cannot_do_right(refused, tmp_path, inputs, options, names):
    if "validation" in options:
        options = options | {"validation": inputs["dpo"]}
    refused("dpo", **options_of("dpo", tmp_path, inputs) | options, status=2, names=names)


@pytest.mark.parametrize(
    "yaml, names",
    [
        ("steps: 3\nstep: 4\n", [":2]", "steps?"]),
        ("steps: ten\n", [":1]", '"ten"']),
        ("steps: {a: 1}\n", [":1]", "steps"]),
        ("a: b: c\n", [":1]", "YAML"]),
        ("? [a]\n: 1\n", [":1]"]),
        ("- steps\n", ["mapping"]),
    ],
)
def test_a_bad_recipe_is_named_by_its_line(refused, tmp_path, inputs, yaml, names):
    path = tmp_path / "options.yaml"
    path.write_text(yaml)
    options = options_of("sft", tmp_path, inputs) | {"config": path}
    refused("sft", **options, status=2, names=[str(path), *names])


# Outputs.


def test_the_folder_of_another_run_is_left_alone(refused, tmp_path, inputs):
    options = options_of("sft", tmp_path, inputs)
    keel("sft", **options)
    refused("sft", **options | {"steps": 2}, names=["run/manifest.json", "options.steps", "1", "2"])
    write_rows(inputs["sft"], demonstrations(4, seed=2))
    refused("sft", **options, names=["run/manifest.json", "inputs", str(inputs["sft"])])
    refused("reward", **options_of("reward", tmp_path, inputs), names=["run/manifest.json", "stage"])


def test_a_folder_with_other_files_is_left_alone(refused, tmp_path, inputs):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    refused("sft", **options_of("sft", tmp_path, inputs), names=["run", "other files"])


@pytest.mark.parametrize("output", ["file", "file/run"])
def test_an_output_that_cannot_be_a_folder_is_refused(refused, tmp_path, inputs, output):
    (tmp_path / "file").write_text("x")
    refused("sft", **options_of("sft", tmp_path, inputs) | {"output": tmp_path / output}, names=["file"])


@pytest.mark.parametrize("stage", ["sample", "score"])
@pytest.mark.parametrize("output", ["absent/out.jsonl", "folder"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    refused, tmp_path, inputs, stage, output
):
    (tmp_path / "folder").mkdir()
    heard = []

    def listening(*words, **options):
        ended = keel(*words, **options)
        heard.append(ended.err)
        return ended

    options = options_of(stage, tmp_path, inputs) | {"output": tmp_path / output}
    refused(stage, **options, program=listening, names=[str(tmp_path / output)])
    assert len(heard[0].splitlines()) == 1, "the work was done before its result was thrown away"


# A full disk.


@pytest.mark.parametrize("stage", ["sample", "score"])
def test_a_full_disk_leaves_no_half_file(refused, tmp_path, inputs, small_disk, stage):
    disk = small_disk(4096)
    (disk / "other").write_bytes(b"x" * 4000)
    options = options_of(stage, tmp_path, inputs) | {"output": disk / "out.jsonl"}
    refused(stage, **options, names=[str(disk / "out.jsonl"), "No space left"])


def test_a_run_without_any_space_leaves_nothing(refused, tmp_path, inputs, small_disk):
    disk = small_disk(4096)
    (disk / "other").write_bytes(b"x" * 4000)
    options = options_of("sft", tmp_path, inputs) | {"output": disk / "run"}
    refused("sft", **options, names=[str(disk / "run"), "No space left"])


@pytest.mark.parametrize("stage", ["sft", "ppo"])
def test_a_run_goes_on_after_the_disk_was_full(tmp_path, inputs, small_disk, stage):
    options = options_of(stage, tmp_path, inputs) | {"steps": 6, "save_every": 2, "learning_rate": 1e-3}
    keel(stage, **options | {"output": tmp_path / "undisturbed"})
    disk = small_disk("500k" if stage == "sft" else "900k")  # room for one checkpoint
    options["output"] = disk / "run"
    ended = keel(stage, **options, check=False)
    assert ended.status == 1
    (line,) = ended.messages()
    assert line.startswith("keel: ") and "No space left" in line
    left = contents(disk / "run")
    assert "checkpoints/step-2/trainer.json" in left and not [name for name in left if ".part-" in name]
    small_disk("10m")
    keel(stage, **options)
    assert contents(disk / "run" / "final") == contents(tmp_path / "undisturbed" / "final")


# Interruption.


def interrupted(stage, options, ready, number=signal.SIGINT):
    """Sends a signal once `ready` exists; how the program ended, and after how many seconds."""
    with subprocess.Popen(
        command(stage, **options),
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while process.poll() is None and not ready():
                time.sleep(0.01)
            process.send_signal(number)
            sent = time.monotonic()
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            pytest.fail("the program went on for 20 seconds after the signal")
        finally:
            process.kill()
    return Ended(process.returncode, out, err), time.monotonic() - sent


@pytest.mark.parametrize(
    "stage, number",
    [
        ("sft", signal.SIGINT),
        ("sft", signal.SIGTERM),
        ("reward", signal.SIGINT),
        ("dpo", signal.SIGINT),
        ("ppo", signal.SIGINT),
    ],
)
def test_training_stops_at_a_step_and_goes_on_from_there(tmp_path, inputs, stage, number):
    steps = 60 if stage == "ppo" else 400
    options = options_of(stage, tmp_path, inputs) | {"steps": steps, "save_every": 0, "learning_rate": 1e-3}
    metrics = options["output"] / "metrics.jsonl"
    ended, seconds = interrupted(stage, options, metrics.exists, number)
    assert ended.status == 1 and seconds < 5
    (line,) = ended.messages()
    assert line.startswith("keel: ") and "again" in line
    saved = [int(path.name.removeprefix("step-")) for path in (options["output"] / "checkpoints").iterdir()]
    assert saved == [len(metrics.read_text().splitlines())], "the stop lost steps"
    keel(stage, **options)
    keel(stage, **options | {"output": tmp_path / "undisturbed"})
    assert contents(options["output"] / "final") == contents(tmp_path / "undisturbed" / "final")


@pytest.mark.parametrize("stage", ["sample", "score"])
def test_long_work_without_a_run_folder_stops_too(tmp_path, inputs, stage):
    began = time.monotonic()
    options = options_of(stage, tmp_path, inputs)
    if stage == "sample":
        options |= {"samples_per_prompt": 50_000, "max_new_tokens": 50, "ignore_eos": True, "rows": 8}
    else:
        options |= {"data": write_rows(tmp_path / "many.jsonl", demonstrations(60_000)), "batch_size": 1}
    before = contents(tmp_path)
    ended, seconds = interrupted(stage, options, lambda: time.monotonic() - began > 4)
    assert ended.status == 1 and seconds < 5
    (line,) = ended.messages()
    assert line.startswith("keel: ")
    assert contents(tmp_path) == before


def test_weights_that_stop_being_numbers_are_never_a_result(tmp_path, inputs):
    """A learning rate of 1e30 makes the second step's loss NaN: the run stops there and says so."""
    options = options_of("sft", tmp_path, inputs) | {
        "steps": 4,
        "learning_rate": 1e30,
        "schedule": "constant",
        "max_grad_norm": 0,
    }
    ended = keel("sft", **options, check=False)
    assert ended.status == 1 and not (options["output"] / "final").exists(), ended
    (line,) = ended.messages()
    assert line.startswith("keel: ") and "step 2" in line and "learning-rate" in line
