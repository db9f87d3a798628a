"""The models and rows of the benchmark: random weights, random tokens, from fixed seeds.

tiny: hidden 128, 2 layers, 8 heads, 4 key heads, MLP 384. m30: hidden 512, 8 layers, 8 heads, MLP 1408. m124: hidden
768, 12 layers, 12 heads, MLP 2560, vocabulary 32,000. The vocabulary is 2,048 elsewhere, unless the name says another
(m30-32k, m30-v8192, m124-2k). h256, h384, h640 lie between them.
"""

import json
import random
from pathlib import Path

import flops
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification


def shape(hidden, layers, heads, mlp, vocabulary=2048, key_heads=None):
    return dict(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                num_key_value_heads=key_heads or heads, intermediate_size=mlp, vocab_size=vocabulary)


VOCABULARIES = tuple(2048 << i for i in range(7))  # 2,048 to 131,072
SHAPES = {
    "tiny": shape(128, 2, 8, 384, key_heads=4),
    "h256": shape(256, 4, 4, 704),
    "h384": shape(384, 6, 6, 1024),
    "m30": shape(512, 8, 8, 1408),
    "h640": shape(640, 10, 10, 1728),
    "m124-2k": shape(768, 12, 12, 2560),
    "m30-32k": shape(512, 8, 8, 1408, 32000),
    "m124": shape(768, 12, 12, 2560, 32000),
    **{f"m30-v{size}": shape(512, 8, 8, 1408, size) for size in VOCABULARIES},
}


def times_smaller(name):
    """Than m30, in the elements of its matrices: 1 to 16. How many more tokens make a run as long as one of m30."""
    smaller = flops.matrix_elements(SHAPES["m30"]) / flops.matrix_elements(SHAPES[name])
    return min(16, max(1, smaller))


KINDS = {"policy": (LlamaForCausalLM, {}), "reward": (LlamaForSequenceClassification, {"num_labels": 1})}
PAD, BOS, EOS = 0, 1, 2


def config(name, **changes):
    return LlamaConfig(max_position_embeddings=4096, rms_norm_eps=1e-6, rope_theta=10000.0, pad_token_id=PAD,
                       bos_token_id=BOS, eos_token_id=EOS, tie_word_embeddings=True, **SHAPES[name], **changes)


def build(name, folder: Path, kinds=tuple(KINDS)):
    """folder/policy and folder/reward, each once."""
    for kind in kinds:
        if not (folder / kind / "config.json").exists():
            cls, changes = KINDS[kind]
            torch.manual_seed(1)
            cls(config(name, **changes)).save_pretrained(folder / kind)
    return folder


def ids(generator, count, vocabulary):
    return [generator.randrange(3, vocabulary) for _ in range(count)]


def rows(name, count, shortest, longest, seed=7):
    """Rows of whole texts, `count` of them, lengths uniform."""
    generator = random.Random(seed)
    return [{"input_ids": ids(generator, generator.randint(shortest, longest), SHAPES[name]["vocab_size"])}
            for _ in range(count)]


def pairs(name, count, shortest, longest, seed=8):
    """Pairs whose prompt is half of each row."""
    generator = random.Random(seed)
    made = []
    for _ in range(count):
        half = generator.randint(shortest, longest) // 2
        size = SHAPES[name]["vocab_size"]
        made.append({"prompt_ids": ids(generator, half, size), "chosen_ids": ids(generator, half, size),
                     "rejected_ids": ids(generator, half, size)})
    return made


def prompts(name, count, shortest, longest, seed=9):
    generator = random.Random(seed)
    return [{"prompt_ids": ids(generator, generator.randint(shortest, longest), SHAPES[name]["vocab_size"])}
            for _ in range(count)]


def write(path: Path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


def read(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
