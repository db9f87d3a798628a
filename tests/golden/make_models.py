"""Forward-pass goldens: logits of random tiny models and of TinyStories-656K, by transformers 4.57.1.

Writes models/<name>/ (Hugging Face folder), models/<name>.safetensors (ids and logits) and, for the real
model, tinystories.safetensors and tinystories.json. Rows are computed one at a time without padding.
`logits_i` is plain transformers in float32; `logits64_i` the same weights in true float64 (see
golden_files.py). The TinyStories part needs KEEL_TEST_DATA (default ../shared/data).

    python tests/golden/make_models.py
"""

import golden_files as golden
import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

VOCABULARY = 97
LENGTHS = (1, 7, 23, 64)  # one token, two ordinary rows, the whole context

LANGUAGE_CONVENTION = (
    "ids_i (T) int64; logits_i (T, V) float32 by transformers 4.57.1, row by row, unpadded; logits64_i "
    "(T, V) float64: the same weights with every operation in float64, rotary tables and RMSNorm too"
)
CLASSIFIER_CONVENTION = (
    "ids_i (T) int64, no padding; logits_i (num_labels) float32 and logits64_i (num_labels) float64: the "
    "score head without bias on the last token's final-normed hidden state; pad_token_id 0 occurs in no row"
)


def llama_config(**changes):
    options = dict(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        attention_bias=False,
        mlp_bias=False,
        tie_word_embeddings=False,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return LlamaConfig(**{**options, **changes})


def gpt2_config(**changes):
    return GPT2Config(
        n_embd=32,
        n_layer=2,
        n_head=4,
        vocab_size=VOCABULARY,
        n_positions=64,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
        **changes,
    )


def qwen2_config():
    return Qwen2Config(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        max_position_embeddings=64,
        rms_norm_eps=1e-6,
        rope_theta=1000000.0,
        tie_word_embeddings=True,
        use_sliding_window=False,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )


LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

LANGUAGE_MODELS = {
    "llama_untied": lambda: LlamaForCausalLM(llama_config()),
    "llama_tied": lambda: LlamaForCausalLM(llama_config(tie_word_embeddings=True)),
    # head_dim 12, not 32/4; of its 6 frequencies the slow ones are divided by 8, the fast ones stay
    "llama_rope3": lambda: LlamaForCausalLM(llama_config(head_dim=12, rope_scaling=LLAMA3_ROPE)),
    "gpt2": lambda: GPT2LMHeadModel(gpt2_config()),
    "qwen2": lambda: Qwen2ForCausalLM(qwen2_config()),
}
CLASSIFIERS = {
    "llama_reward": lambda: LlamaForSequenceClassification(llama_config(num_labels=1)),
    "llama_two_labels": lambda: LlamaForSequenceClassification(llama_config(num_labels=2)),
    "gpt2_reward": lambda: GPT2ForSequenceClassification(gpt2_config(num_labels=1, pad_token_id=0)),
}


@torch.no_grad()
def logits_of(model, rows):
    """(T, V) or (num_labels) for each row, computed alone."""
    return [model(row[None], use_cache=False).logits[0].clone() for row in rows]


def write_models(models, convention, first_seed):
    """One folder and one file of ids and logits for each; returns the float32 logits by name."""
    for seed, (name, build) in enumerate(models.items(), start=first_seed):
        model = golden.seed_weights(build(), seed)
        rows = golden.random_ids(torch.Generator().manual_seed(100 + seed), VOCABULARY, LENGTHS, low=3)
        golden.save_model(golden.MODELS / name, model)
        tensors = {f"ids_{i}": row for i, row in enumerate(rows)}
        single = logits_of(model, rows)
        double = logits_of(model.double(), rows)
        for i in range(len(rows)):
            assert (single[i] - double[i]).abs().max() < 1e-4 * double[i].abs().max(), name
            tensors[f"logits_{i}"], tensors[f"logits64_{i}"] = single[i], double[i]
        golden.save(golden.MODELS / name, tensors, convention)


def assert_float32_unchanged():
    """The float64 patches leave float32 alone, to the bit, and change float64 by float32's rounding only."""
    build = LANGUAGE_MODELS["llama_rope3"]
    rows = golden.random_ids(torch.Generator().manual_seed(7), VOCABULARY, LENGTHS)
    before = logits_of(golden.seed_weights(build(), 7), rows)
    before64 = logits_of(golden.seed_weights(build(), 7).double(), rows)
    golden.use_true_float64()
    for row, expected in zip(logits_of(golden.seed_weights(build(), 7), rows), before):
        assert torch.equal(row, expected)
    changes = [
        (row - expected).abs().max().item()
        for row, expected in zip(logits_of(golden.seed_weights(build(), 7).double(), rows), before64)
    ]
    assert 0 < max(changes) < 1e-4, changes
    print(f"plain model.double() of transformers is off by {max(changes):.1e}")


TEXTS = [
    "Once upon a time, there was a little girl named Lily.",
    "Tom had a red ball. He kicked it very high, and it landed on the roof!",
    'The cat said, "I am hungry." Mia gave her a small fish.',
    "One day, a big bear came to the river. It wanted to swim, but the water was cold.",
    '"Can we go to the park?" asked Ben. His mom smiled and said yes.',
    "Sara counted her 12 apples: 1, 2, 3... and then she gave 4 to Sam.",
    "It was raining.\nThe frog was happy.\n\nThe bird was not.",
    "A café on the hill sold 🍎 pies and naïve jokes to Zoë.",
    "  Two spaces came first, and then   three more in the middle.",
    "Grandpa's old clock did not tick any more, so Max and Anna took it to a kind man who could fix all "
    "things, and when the clock rang again, everyone clapped and hugged him.",
]
README_IDS = [
    1,
    147,
    201,
    282,
    215,
    286,
    598,
    1662,
    356,
    499,
    826,
    1363,
    1145,
    1652,
    615,
    242,
    1482,
    951,
    628,
    499,
]
README_TEXT = (
    "Once upon a time, there was a little girl named Lily. She had a toy car that she loved very much. One "
    "day, she went to the park to play with her toy car in the park."
)


def load_tinystories(folder):
    """Only lm_head.weight is stored (tied); from_pretrained of transformers 4.57 then silently leaves both
    uninitialised (on the meta device), so the stored matrix is put under both names by hand, and nothing may
    be missing.
    """
    model = LlamaForCausalLM(AutoConfig.from_pretrained(folder))
    weights = load_file(folder / "model.safetensors")
    assert "model.embed_tokens.weight" not in weights
    weights["model.embed_tokens.weight"] = weights["lm_head.weight"]
    model.load_state_dict(weights, strict=True)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    return model.eval()


@torch.no_grad()
def greedy(model, ids, count):
    """`count` greedy continuations by full forwards; the least gap between first and second logit."""
    gap = float("inf")
    for _ in range(count):
        best = model(torch.tensor([ids]), use_cache=False).logits[0, -1].topk(2)
        gap = min(gap, (best.values[0] - best.values[1]).item())
        ids = ids + [best.indices[0].item()]
    return ids, gap


def write_tinystories():
    folder = golden.DATA / "weights-tinystories-656k"
    if not folder.is_dir():
        raise SystemExit(f"[KEEL_TEST_DATA] expected {folder}, got nothing: set KEEL_TEST_DATA")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    model = load_tinystories(folder)
    continuation, gap = greedy(model, [1], 60)
    assert continuation[: len(README_IDS)] == README_IDS, continuation
    assert tokenizer.decode(continuation, skip_special_tokens=True).startswith(README_TEXT)
    rows = [torch.tensor(tokenizer(text)["input_ids"]) for text in TEXTS]
    tensors = {"greedy_ids": torch.tensor(continuation)}
    for i, (row, logits) in enumerate(zip(rows, logits_of(model, rows))):
        assert row[0] == 1
        tensors[f"ids_{i}"] = row
        tensors[f"logps_{i}"] = logits[:-1].log_softmax(-1).gather(-1, row[1:, None])[:, 0]
        tensors[f"last_logits_{i}"] = logits[-3:]
    for i, (row, logits) in enumerate(zip(rows, logits_of(model.double(), rows))):
        tensors[f"logps64_{i}"] = logits[:-1].log_softmax(-1).gather(-1, row[1:, None])[:, 0]
    convention = (
        "ids_i (T) int64 with BOS 1; logps_i (T-1) float32, logps64_i (T-1) float64: log-probability of "
        "ids_i[t+1]; last_logits_i (3, V) float32 at the last three positions; greedy_ids (61): id 1 and "
        "its 60 greedy successors"
    )
    golden.save(golden.GOLDEN / "tinystories", tensors, convention)
    golden.save_json(
        golden.GOLDEN / "tinystories",
        {
            "texts": [{"text": text, "ids": row.tolist()} for text, row in zip(TEXTS, rows)],
            "greedy_ids": continuation,
            "greedy_text": tokenizer.decode(continuation, skip_special_tokens=True),
            "greedy_smallest_gap": gap,
        },
    )


if __name__ == "__main__":
    golden.check_versions()
    assert_float32_unchanged()
    write_models(LANGUAGE_MODELS, LANGUAGE_CONVENTION, first_seed=1)
    write_models(CLASSIFIERS, CLASSIFIER_CONVENTION, first_seed=20)
    write_tinystories()
