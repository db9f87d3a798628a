"""Folders that Keel writes load in transformers without a warning and with equal numbers, and the reverse."""

import logging
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch in here; the program has its own
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
import transformers
from program import (
    MODELS,
    ROOT,
    VOCABULARY,
    demonstrations,
    keel,
    needs_program,
    preferences,
    prompts,
    rankings,
    read_rows,
    texts,
    write_rows,
)
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    LlamaConfig,
    Qwen2Config,
)

pytestmark = needs_program

TOLERANCE = 1e-4
TINYSTORIES = Path(os.environ.get("KEEL_TEST_DATA", ROOT / "../shared/data")) / "weights-tinystories-656k"


class Silence(logging.Handler):
    """Keeps what is logged or warned, and fails the test if there was anything."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.heard = []

    def emit(self, record):
        self.heard.append(record.getMessage())

    def __enter__(self):
        self.loggers = [
            logging.getLogger(),
            logging.getLogger("transformers"),
            logging.getLogger("py.warnings"),
        ]
        transformers.logging.set_verbosity_warning()
        for logger in self.loggers:
            logger.addHandler(self)
        self.catcher = warnings.catch_warnings(record=True)
        self.warned = self.catcher.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, kind, *rest):
        self.catcher.__exit__(kind, *rest)
        for logger in self.loggers:
            logger.removeHandler(self)
        if kind is None:
            assert self.heard == [] and [str(warning.message) for warning in self.warned] == []


def load(kind, folder):
    """A model in transformers, with every way of saying "not quite" turned into a failure."""
    with Silence():
        model, info = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


@pytest.fixture(scope="module", params=["llama_untied", "llama_tied", "gpt2", "qwen2"])
def trained(request, tmp_path_factory):
    """The folders that three steps of sft, then reward, then ppo leave behind."""
    folder = tmp_path_factory.mktemp(request.param, numbered=False)
    common = {"steps": 3, "batch_size": 4, "learning_rate": 1e-2, "schedule": "constant"}
    sft = {"model": MODELS / request.param, "data": write_rows(folder / "sft.jsonl", demonstrations(12))}
    keel("sft", output=folder / "sft", **sft, **common)
    reward = {"model": folder / "sft/final", "data": write_rows(folder / "reward.jsonl", rankings(12))}
    keel("reward", output=folder / "reward", **reward, **common)
    ppo = {"model": folder / "sft/final", "data": write_rows(folder / "ppo.jsonl", prompts(12))}
    judge = {"reward_model": folder / "reward/final", "response_length": 5}
    keel("ppo", output=folder / "ppo", **ppo, **judge, **common)
    keel("ppo", output=folder / "shared", shared_trunk=True, **ppo, **judge, **common)
    return folder


def keel_scores(folder, rows, tmp_path):
    data = write_rows(tmp_path / "score.jsonl", rows)
    return keel("score", model=folder, data=data, precision="float32").rows()


def assert_equal_logps(model, folder, tmp_path):
    rows = texts(6)
    for row, scored in zip(rows, keel_scores(folder, rows, tmp_path), strict=True):
        ids = torch.tensor([row["input_ids"]])
        with torch.no_grad():
            logps = model(ids, attention_mask=torch.ones_like(ids)).logits.float().log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
        assert scored["tokens"] == row["input_ids"][1:]
        torch.testing.assert_close(torch.tensor(scored["logps"]), logps, rtol=0, atol=TOLERANCE)


def padded(rows, pad):
    """Right-padded ids and their mask."""
    width = max(len(ids) for ids in rows)
    ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in rows])
    return ids, mask


def assert_equal_rewards(model, folder, tmp_path, label=0):
    """One by one and in right-padded batches, of texts that end with the end-of-text id and others."""
    rows = [[*row["input_ids"], 2] for row in texts(5)] + [row["input_ids"] for row in texts(5, seed=2)]
    ours = [row["reward"] for row in keel_scores(folder, [{"input_ids": ids} for ids in rows], tmp_path)]
    assert model.config.pad_token_id is not None
    ids, mask = padded(rows, model.config.pad_token_id)
    with Silence(), torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask).logits.float()[:, label]
        alone = torch.cat([model(input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row))).logits.float()[:, label] for row in rows])
    torch.testing.assert_close(torch.tensor(ours), alone, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(torch.tensor(ours), together, rtol=0, atol=TOLERANCE)


# Keel writes, transformers reads.


@pytest.mark.parametrize("run", ["sft", "ppo", "shared"])
def test_language_models_have_equal_logits(trained, tmp_path, run):
    folder = trained / run / "final"
    assert_equal_logps(load(AutoModelForCausalLM, folder), folder, tmp_path)


@pytest.mark.parametrize("run", ["reward/final", "ppo/final/value", "shared/final/value"])
def test_classifiers_have_equal_rewards_in_batches(trained, tmp_path, run):
    folder = trained / run
    assert_equal_rewards(load(AutoModelForSequenceClassification, folder), folder, tmp_path)


def test_a_classifier_whose_padding_ends_texts_is_read_before_the_end(trained, tmp_path):
    """GPT-2's folders mostly pad with the end-of-text id: transformers then reads before it, and so does Keel."""
    data = write_rows(tmp_path / "data.jsonl", rankings(4))
    keel("reward", model=MODELS / trained.name, data=data, output=tmp_path / "run", steps=2, read_at="before_end")
    folder = tmp_path / "run/final"
    model = load(AutoModelForSequenceClassification, folder)
    assert model.config.pad_token_id == 2
    assert_equal_rewards(model, folder, tmp_path)
    with_end, without = (
        keel_scores(folder, [{"input_ids": [1, 9, 8, 7, *end]}], tmp_path)[0]["reward"] for end in ([2], [])
    )
    assert with_end == pytest.approx(without, abs=1e-6)


def test_the_mean_of_two_classifiers_has_the_mean_of_their_weights(trained, tmp_path):
    folders = [trained / "reward/final", trained / "ppo/final/value"]
    keel("average", models=folders, output=tmp_path / "mean")
    mean = load(AutoModelForSequenceClassification, tmp_path / "mean/final")
    assert_equal_rewards(mean, tmp_path / "mean/final", tmp_path)
    one, other = (load(AutoModelForSequenceClassification, folder).state_dict() for folder in folders)
    for name, weight in mean.state_dict().items():
        torch.testing.assert_close(weight, (one[name] + other[name]) / 2, rtol=0, atol=1e-6)
        assert not name.endswith("score.weight") or not torch.equal(one[name], other[name])


def test_pairs_have_the_rewards_of_their_texts(trained, tmp_path):
    folder = trained / "reward/final"
    model = load(AutoModelForSequenceClassification, folder)
    rows = preferences(5)
    for row, scored in zip(rows, keel_scores(folder, rows, tmp_path), strict=True):
        for name in ("chosen", "rejected"):
            with torch.no_grad():
                ids = torch.tensor([row["prompt_ids"] + row[f"{name}_ids"]])
                reward = model(ids, attention_mask=torch.ones_like(ids)).logits.item()
            assert scored[f"reward_{name}"] == pytest.approx(reward, abs=TOLERANCE)


def test_greedy_continuations_are_equal(trained, tmp_path):
    """transformers' generate with the folder's own generation_config.json stops where Keel does."""
    folder = trained / "sft/final"
    model = load(AutoModelForCausalLM, folder)
    data = write_rows(tmp_path / "prompts.jsonl", prompts(6))
    for row in keel("sample", model=folder, prompts=data, temperature=0, max_new_tokens=20).rows():
        ids = torch.tensor([row["prompt_ids"]])
        wanted = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20, pad_token_id=0
        )
        assert row["tokens"] == wanted[0, ids.shape[1] :].tolist()


def test_stop_ids_end_completions_as_in_transformers(trained, tmp_path):
    """The ids that most often stand third in greedy continuations, beside the folder's own end-of-text id."""
    folder = trained / "sft/final"
    model = load(AutoModelForCausalLM, folder)
    data = write_rows(tmp_path / "prompts.jsonl", prompts(6))
    options = {"model": folder, "prompts": data, "temperature": 0, "max_new_tokens": 20}
    stops = sorted({row["tokens"][min(2, len(row["tokens"]) - 1)] for row in keel("sample", **options).rows()})
    rows = keel("sample", stop_ids=stops, **options).rows()
    assert any(row["finish_reason"] == "stop" and row["tokens"][-1] in stops for row in rows)
    for row in rows:
        ids = torch.tensor([row["prompt_ids"]])
        wanted = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20, pad_token_id=0,
            eos_token_id=[2, *stops]
        )  # fmt: skip
        assert row["tokens"] == wanted[0, ids.shape[1] :].tolist()


def test_training_moved_the_weights(trained, tmp_path):
    """Or the folders above could be copies of what went in."""
    rows = texts(3)
    before, after = (
        keel_scores(folder, rows, tmp_path)[0]["logps"]
        for folder in (MODELS / trained.name, trained / "sft/final")
    )
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) > 1e-2


# transformers writes, Keel reads.

SMALL = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
WIDE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
CONFIGS = {
    "llama": LlamaConfig(**SMALL, **WIDE, num_key_value_heads=2, max_position_embeddings=64),
    "qwen2": Qwen2Config(**SMALL, **WIDE, num_key_value_heads=2, max_position_embeddings=64),
    "gpt2": GPT2Config(**SMALL, n_embd=32, n_layer=2, n_head=4, n_positions=64),
}


def written_by_transformers(kind, family, folder, labels=1, dtype=torch.float32, shard="10MB"):
    config = type(CONFIGS[family])(**CONFIGS[family].to_dict() | {"initializer_range": 0.3})
    config.num_labels = labels
    torch.manual_seed(5)
    kind.from_config(config).to(dtype).save_pretrained(folder, max_shard_size=shard)
    return kind.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("labels, dtype", [(1, torch.float32), (2, torch.float32), (1, torch.bfloat16)])
@pytest.mark.parametrize("family", CONFIGS)
def test_reward_models_of_transformers_are_read(tmp_path, family, labels, dtype):
    folder = tmp_path / "theirs"
    model = written_by_transformers(AutoModelForSequenceClassification, family, folder, labels, dtype)
    assert_equal_rewards(model, folder, tmp_path, label=labels - 1)


@pytest.mark.parametrize("name, label", [("POSITIVE", 0), ("good", 0), ("chosen", 1)])
def test_the_positive_class_is_found_by_its_name(tmp_path, name, label):
    folder = tmp_path / "theirs"
    model = written_by_transformers(AutoModelForSequenceClassification, "llama", folder, labels=2)
    model.config.id2label = {label: name, 1 - label: "the other"}
    model.config.label2id = {name: label, "the other": 1 - label}
    model.save_pretrained(folder)
    assert_equal_rewards(model, folder, tmp_path, label=label)


@pytest.mark.parametrize("shard, dtype", [("20KB", torch.float32), ("10MB", torch.bfloat16)])
@pytest.mark.parametrize("family", CONFIGS)
def test_sharded_and_half_precision_folders_are_read(tmp_path, family, shard, dtype):
    folder = tmp_path / "theirs"
    model = written_by_transformers(AutoModelForCausalLM, family, folder, dtype=dtype, shard=shard)
    assert (shard == "20KB") == (folder / "model.safetensors.index.json").exists()
    assert_equal_logps(model, folder, tmp_path)


# Real weights: a folder that stores only the head of a tied pair, with its tokenizer.


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    if not TINYSTORIES.is_dir():
        pytest.skip("real data is not there (KEEL_TEST_DATA)")
    folder = tmp_path_factory.mktemp("stories")
    names = ("cat", "dog", "tree")
    rows = [{"prompt": "Once upon a time", "completion": f", there was a {name}."} for name in names]
    data = write_rows(folder / "rows.jsonl", rows)
    keel("sft", model=TINYSTORIES, data=data, output=folder / "run", steps=2, learning_rate=1e-3)
    return folder / "run" / "final"


def test_real_weights_load_with_equal_logits(stories, tmp_path):
    assert_equal_logps(load(AutoModelForCausalLM, stories), stories, tmp_path)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_samples_are_scored_by_the_ids_that_were_drawn(stories, tmp_path, temperature):
    """Texts tokenised anew would split otherwise and lack the end-of-text id."""
    options = {"max_new_tokens": 40, "samples_per_prompt": 8, "seed": 3, "temperature": temperature}
    samples = tmp_path / "samples.jsonl"
    keel("sample", model=stories, prompt="Once upon a time", output=samples, precision="float32", **options)
    scored = keel("score", model=stories, data=samples, temperature=temperature, precision="float32").rows()
    for drawn, row in zip(read_rows(samples), scored, strict=True):
        assert row["tokens"] == drawn["tokens"]
        assert row["logps"] == pytest.approx(drawn["logps"], abs=TOLERANCE)


def test_a_stop_string_ends_a_completion_with_the_token_that_completes_it(stories):
    options = {"model": stories, "prompt": "Once upon a time", "temperature": 0, "max_new_tokens": 60}
    [whole] = keel("sample", **options).rows()
    [row] = keel("sample", stop=["little girl", "never there"], **options).rows()
    assert row["finish_reason"] == "stop_string" and "little girl" in row["completion"]
    count = len(row["tokens"])
    assert count < len(whole["tokens"]) and row["tokens"] == whole["tokens"][:count]
    tokenizer = AutoTokenizer.from_pretrained(stories)
    assert "little girl" not in tokenizer.decode(row["tokens"][:-1])


@pytest.mark.parametrize("family", ["llama_untied", "gpt2"])
def test_samples_of_a_model_without_a_tokenizer_are_scored(tmp_path, family):
    data, samples = write_rows(tmp_path / "prompts.jsonl", prompts(4)), tmp_path / "samples.jsonl"
    keel("sample", model=MODELS / family, prompts=data, output=samples, samples_per_prompt=2, max_new_tokens=9)
    for drawn, row in zip(read_rows(samples), keel_scores(MODELS / family, read_rows(samples), tmp_path), strict=True):
        assert row["tokens"] == drawn["tokens"]
        assert row["logps"] == pytest.approx(drawn["logps"], abs=TOLERANCE)


def test_the_tokenizer_comes_along(stories, tmp_path):
    lines = ["Once upon a time, there was a little girl.", "Ünïcödé — 你好 🙂", "  two  spaces", "1234567890"]
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n")
    with Silence():
        tokenizer = AutoTokenizer.from_pretrained(stories)
    assert (
        keel("tokenize", model=stories, file=tmp_path / "lines.txt").rows() == tokenizer(lines)["input_ids"]
    )


def test_a_reward_model_of_real_weights_scores_texts_as_transformers_does(stories, tmp_path):
    start = "Once upon a time"
    rows = [{"prompt": start, "chosen": f", a {x} sang.", "rejected": f", {x} {x}."} for x in "cd"]
    data = write_rows(tmp_path / "rows.jsonl", rows)
    keel("reward", model=stories, data=data, output=tmp_path / "run", steps=2, learning_rate=1e-3)
    folder = tmp_path / "run" / "final"
    model, tokenizer = load(AutoModelForSequenceClassification, folder), AutoTokenizer.from_pretrained(folder)
    words = ["Once upon a time, there was a cat.", "A dog.", "The tree was very very tall and old."]
    data = write_rows(tmp_path / "texts.jsonl", [{"text": text} for text in words])
    ended = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in words]
    ids, mask = padded(ended, model.config.pad_token_id)
    with torch.no_grad():
        wanted = model(input_ids=ids, attention_mask=mask).logits[:, 0]
    ours = [row["reward"] for row in keel("score", model=folder, data=data, precision="float32").rows()]
    torch.testing.assert_close(torch.tensor(ours), wanted, rtol=0, atol=TOLERANCE)
