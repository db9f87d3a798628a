"""The models and rows of the benchmark: random weights, random tokens, from fixed seeds.

tiny: hidden 128, 2 layers, 8 heads, 4 key heads, MLP 384. m30: hidden 512, 8 layers, 8 heads, MLP 1408. m124: hidden 768,
12 layers, 12 heads, MLP 2560, vocabulary 32,000. The vocabulary is 2,048 elsewhere, unless the name says 32k.
"""

import json
import random
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

SHAPES = {
    "tiny": dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=4,
                 intermediate_size=384, vocab_size=2048),
    "m30": dict(hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=8,
                intermediate_size=1408, vocab_size=2048),
    "m30-32k": dict(hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=8,
                    intermediate_size=1408, vocab_size=32000),
    "m124": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=12,
                 intermediate_size=2560, vocab_size=32000),
}
PAD, BOS, EOS = 0, 1, 2


def config(name, **changes):
    return LlamaConfig(max_position_embeddings=4096, rms_norm_eps=1e-6, rope_theta=10000.0, pad_token_id=PAD,
                       bos_token_id=BOS, eos_token_id=EOS, tie_word_embeddings=True, **SHAPES[name], **changes)


def build(name, folder: Path):
    """folder/policy and folder/reward, once."""
    if (folder / "reward" / "config.json").exists():
        return folder
    torch.manual_seed(1)
    LlamaForCausalLM(config(name)).save_pretrained(folder / "policy")
    LlamaForSequenceClassification(config(name, num_labels=1)).save_pretrained(folder / "reward")
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
