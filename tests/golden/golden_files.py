"""What every golden generator shares: where files go, how they are written, seeded weights, honest float64.

Versions that wrote the committed files: torch 2.13.0 (CPU), transformers 4.57.1, trl 0.24.0, safetensors
0.6.2. A generator that runs under others stops in `check_versions`.

Bytes are reproducible: one thread, seeded torch generators, sorted tensor names, one metadata entry
(safetensors writes several in random order), JSON with sorted keys. On another processor the last bits may
differ.
"""

import json
import math
import os
import re
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

GOLDEN = Path(__file__).resolve().parent
MODELS = GOLDEN / "models"
DATA = Path(os.environ.get("KEEL_TEST_DATA", GOLDEN.parents[2] / "shared" / "data"))
LARGEST_FILE = 1 << 20  # bytes; what the repository allows


def check_versions():
    """Refuses other releases: a golden value is a statement about these ones."""
    import trl

    found = (torch.__version__.split("+")[0], transformers.__version__, trl.__version__)
    expected = ("2.13.0", "4.57.1", "0.24.0")
    if found != expected:
        raise SystemExit(f"golden files are made with torch, transformers, trl {expected}, got {found}")
    torch.set_num_threads(1)


def save(path, tensors, convention):
    """Writes tensors (name -> tensor or number); the convention in words becomes metadata."""
    path = Path(path).with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    ready = {}
    for name in sorted(tensors):
        value = tensors[name]
        if isinstance(value, float):  # not as_tensor: that would round to float32
            value = torch.tensor(value, dtype=torch.float64)
        ready[name] = torch.as_tensor(value).detach().clone().contiguous()
    save_file(ready, path, metadata={"convention": convention})
    check_size(path)


def save_json(path, value):
    path = Path(path).with_suffix(".json")
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    one_line = re.sub(r"\[[-+.,\d\seE]*\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]), text)
    path.write_text(one_line + "\n", encoding="utf-8")
    check_size(path)


def save_model(folder, model, max_shard_size="900KB"):
    """A Hugging Face folder, as transformers writes it."""
    model.save_pretrained(folder, safe_serialization=True, max_shard_size=max_shard_size)
    for file in Path(folder).iterdir():
        check_size(file)


def check_size(path):
    if path.stat().st_size > LARGEST_FILE:
        raise SystemExit(f"[{path}] expected at most {LARGEST_FILE} bytes, got {path.stat().st_size}")


def seed_weights(model, seed, scale=0.2):
    """Random weights in place: matrices N(0, scale), norm gains 1 + N(0, 0.3), biases N(0, scale).

    transformers would leave gains at one and biases at zero, and a reader that ignored them would pass.
    Filled in the order of names, so the values do not depend on the order of construction.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            is_gain = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(1 + 0.3 * noise if is_gain else scale * noise)
    return model.eval()


def random_ids(generator, vocabulary, lengths, low=0):
    """One (T) int64 tensor for each length, ids in [low, vocabulary)."""
    return [torch.randint(low, vocabulary, (length,), generator=generator) for length in lengths]


def pack(rows):
    """Unequal rows -> values (N) and offsets (B+1)."""
    offsets = torch.tensor(np.cumsum([0] + [len(row) for row in rows]), dtype=torch.int64)
    return torch.cat(list(rows)), offsets


# transformers computes RMSNorm and rotary tables in float32 whatever the model's dtype, so `model.double()`
# is float64 in name only (2e-6 on the logits). The replacements below are the same formulas in float64; for
# other input they call the original. make_models.py asserts that float32 logits stay equal to the bit.


def _rms_norm(original):
    def forward(self, hidden):
        if hidden.dtype != torch.float64:
            return original(self, hidden)
        variance = hidden.pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden * torch.rsqrt(variance + self.variance_epsilon))

    return forward


def inverse_frequencies(config):
    """Rotary inverse frequencies in float64, (head_dim/2); plain and Llama-3.1 scaled."""
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    frequencies = config.rope_theta ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    scaling = config.rope_scaling
    if not scaling:
        return frequencies
    assert scaling["rope_type"] == "llama3", scaling
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = (
        scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    )  # turns in the old context
    kept = ((turns - low) / (high - low)).clamp(0, 1)  # 1: fast, unchanged; 0: slow, divided by the factor
    return kept * frequencies + (1 - kept) * frequencies / scaling["factor"]


def _rotary(original):
    @torch.no_grad()
    def forward(self, hidden, position_ids):
        if hidden.dtype != torch.float64:
            return original(self, hidden, position_ids)
        angles = position_ids[:, :, None].double() * inverse_frequencies(self.config)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos() * self.attention_scaling, angles.sin() * self.attention_scaling

    return forward


def use_true_float64():
    """Patches transformers' Llama and Qwen2 for float64 input. Attention must be "sdpa" (eager's softmax is
    float32).
    """
    for norm in (modeling_llama.LlamaRMSNorm, modeling_qwen2.Qwen2RMSNorm):
        norm.forward = _rms_norm(norm.forward)
    for rotary in (modeling_llama.LlamaRotaryEmbedding, modeling_qwen2.Qwen2RotaryEmbedding):
        rotary.forward = _rotary(rotary.forward)
