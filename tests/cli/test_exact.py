"""Sampler, trainer and reference agree to the bit; `keel ppo --exact` stops where they do not."""

import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch in here; the program has its own

import numpy as np
import pytest
import torch
from program import MODELS, ROOT, keel, needs_program, prompts, read_rows, write_rows
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

pytestmark = needs_program

TINYSTORIES = Path(os.environ.get("KEEL_TEST_DATA", ROOT / "../shared/data")) / "weights-tinystories-656k"
needs_tinystories = pytest.mark.skipif(not TINYSTORIES.exists(), reason="TinyStories-656K is not there")


def ppo(folder, name, rows, model=MODELS / "llama_untied", reward_model=MODELS / "llama_reward", **options):
    options = {"batch_size": 6, "steps": 3, "response_length": 9, "samples_per_prompt": 2, **options}
    keel("ppo", model=model, reward_model=reward_model, data=rows, output=folder / name, **options)
    return read_rows(folder / name / "metrics.jsonl")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_runs_agree_to_the_bit(precision, tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", prompts(18))
    options = {"precision": precision, "ppo_epochs": 1, "learning_rate": 1e-2, "temperature": 0.8}
    exact = ppo(tmp_path, "exact", rows, exact=True, **options)
    assert all(row["drift_max"] == 0 for row in exact)
    assert exact[0]["kl"] == 0 and exact[0]["ratio_kl"] == 0  # one update a batch: the ratio is still one
    assert exact[-1]["kl"] != 0  # the policy has left its reference
    usual = ppo(tmp_path, "usual", rows, **options)
    assert [row["drift_max"] for row in usual] == [0, 0, 0]
    assert [row["policy_loss"] for row in usual] == [row["policy_loss"] for row in exact]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_micro_batches_move_no_log_probability(precision, tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", prompts(6))
    runs = [ppo(tmp_path, f"of-{size}", rows, steps=1, exact=True, ppo_epochs=1, micro_batch_size=size, precision=precision)[0] for size in (0, 5)]
    for name in ("drift_max", "kl", "ratio_kl", "entropy", "policy_loss"):
        assert runs[0][name] == pytest.approx(runs[1][name], rel=1e-6, abs=0 if name != "policy_loss" else 1e-6)


def test_what_cannot_agree_is_told(tmp_path):
    """Heads of odd size have no fused pass; the sampler's kernels sum in another order than ATen."""
    source = MODELS / "llama_untied"
    config = GPT2Config(vocab_size=json.loads((source / "config.json").read_text())["vocab_size"], n_positions=64,
                        n_embd=9, n_head=3, n_layer=2, initializer_range=0.5,
                        bos_token_id=1, eos_token_id=2)  # fmt: skip
    torch.manual_seed(1)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "odd")
    rows = write_rows(tmp_path / "rows.jsonl", prompts(6))
    options = {"model": tmp_path / "odd", "steps": 1, "precision": "float32", "value_init": "policy"}
    assert 0 < ppo(tmp_path, "usual", rows, **options)[0]["drift_max"] < 1e-4
    refused = keel("ppo", check=False, data=rows, output=tmp_path / "run", reward_model=MODELS / "llama_reward", batch_size=6,
                   response_length=9, exact=True, **options)  # fmt: skip
    assert refused.status == 1 and "--exact" in refused.err and "differ" in refused.err


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """TinyStories-656K as Keel writes it (transformers reads both sides of its tied pair), prompts for it, and a
    reward model on its trunk."""
    folder = tmp_path_factory.mktemp("stories")
    texts = ["Once upon a time", "The little dog ran", "Tom and his mom went", "One day a big red bird saw"]
    rows = [{"prompt": text, "chosen": " and smiled.", "rejected": " and cried."} for text in texts]
    preferences = write_rows(folder / "preferences.jsonl", rows)
    keel("reward", model=TINYSTORIES, data=preferences, output=folder / "reward", steps=1, batch_size=4)
    keel("sft", model=TINYSTORIES, data=preferences_as_texts(folder, rows), output=folder / "sft", steps=1)
    return folder, write_rows(folder / "prompts.jsonl", [{"prompt": text} for text in texts])


def preferences_as_texts(folder, rows):
    return write_rows(folder / "texts.jsonl", [{"text": row["prompt"] + row["chosen"]} for row in rows])


@needs_tinystories
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_real_model_does_not_drift(stories, tmp_path, precision):
    folder, rows = stories
    row = ppo(tmp_path, "run", rows, TINYSTORIES, folder / "reward/final", precision=precision, steps=1, batch_size=4,
              samples_per_prompt=16, response_length=96, ppo_epochs=1)[0]  # fmt: skip
    assert row["drift_mean"] == row["drift_max"] == row["drift_bias"] == 0


def log_probabilities(folder, row, dtype):
    """transformers' log-probabilities of a sampled row's completion."""
    model = AutoModelForCausalLM.from_pretrained(folder).to(dtype).eval()
    ids = torch.tensor([row["prompt_ids"] + row["tokens"]])
    with torch.no_grad():
        logp = model(ids).logits[0, len(row["prompt_ids"]) - 1 : -1].float().log_softmax(-1)
    return logp.gather(1, torch.tensor(row["tokens"])[:, None])[:, 0].numpy()


@needs_tinystories
def test_bfloat16_decoding_is_no_worse_than_transformers(stories, tmp_path):
    folder = stories[0] / "sft/final"
    rows = write_rows(tmp_path / "prompts.jsonl", [{"prompt_ids": ids} for ids in ([5, 9], [40, 7, 300, 8], [1000])])
    keel("sample", model=folder, prompts=rows, output=tmp_path / "samples.jsonl", precision="bfloat16",
         max_new_tokens=128, samples_per_prompt=8, ignore_eos=True)  # fmt: skip
    own, peer = [], []
    for row in read_rows(tmp_path / "samples.jsonl"):
        truth = log_probabilities(folder, row, torch.float32)
        own.append(np.array(row["logps"]) - truth)
        peer.append(log_probabilities(folder, row, torch.bfloat16) - truth)
    own, peer = np.concatenate(own), np.concatenate(peer)
    assert np.abs(own).mean() <= np.abs(peer).mean() and abs(own.mean()) <= abs(peer.mean()) + 2e-4
    print(f"own {np.abs(own).mean():.2e} {own.mean():.1e}, transformers {np.abs(peer).mean():.2e} {peer.mean():.1e}")
