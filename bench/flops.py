"""Model FLOPs of the benchmark's tasks: what a step must multiply, whoever computes it.

A forward pass after Kaplan et al. 2020 (arXiv 2001.08361, section 2.1), two FLOPs for a product and its sum:

    C = 2 N n + 4 L d s + 2 h V p

n tokens, N elements in the blocks' matrices, L layers, d = heads * width of a head, s pairs of a query and a key
that it sees (causal: n (n + 1) / 2 in a row), h hidden, V vocabulary, p tokens that are predicted. Departures: the
head counts for predicted tokens alone; scores and values both count, masked pairs do not. Training is three
forward passes. A prompt that several responses share counts once. Padding, recomputation, norms and softmax count
nothing.
"""

NARROW = 128  # below this width `--precision auto` is float32 (kNarrow in src/keel/tensors/precision.cpp)


def format_used(precision, shape, bfloat16_is_faster):
    """The number format of Keel's products; `bfloat16_is_faster`: on this machine for this work (machine.py)."""
    if precision != "auto":
        return precision
    return "bfloat16" if shape["hidden_size"] >= NARROW and bfloat16_is_faster else "float32"


def matrix_elements(shape):
    """N: q, k, v, o and the three matrices of the gated MLP, in all layers."""
    hidden = shape["hidden_size"]
    narrow = hidden * shape["num_key_value_heads"] // shape["num_attention_heads"]
    block = hidden * (2 * hidden + 2 * narrow + 3 * shape["intermediate_size"])
    return shape["num_hidden_layers"] * block


def seen(length, before=0):
    """s of `length` tokens that follow `before` others."""
    return length * before + length * (length + 1) // 2


def forward(shape, tokens, pairs, predicted):
    hidden = shape["hidden_size"]
    return (
        2 * matrix_elements(shape) * tokens
        + 4 * shape["num_hidden_layers"] * hidden * pairs
        + 2 * hidden * shape["vocab_size"] * predicted
    )


def tree(shape, prompt, responses, head):
    """A forward pass over a prompt and the responses that share it; head: whether their tokens are predicted."""
    count = sum(responses)
    pairs = seen(prompt) + sum(seen(length, prompt) for length in responses)
    return forward(shape, prompt + count, pairs, count if head else 0)


def sft(shape, lengths):
    return 3 * sum(forward(shape, n, seen(n), n - 1) for n in lengths)


def reward(shape, pairs):
    """pairs: (prompt, chosen, rejected) lengths."""
    return 3 * sum(tree(shape, prompt, sides, head=False) for prompt, *sides in pairs)


def dpo(shape, pairs):
    """As reward, with a head over the completions, and the reference's forward pass."""
    return 4 * sum(tree(shape, prompt, sides, head=True) for prompt, *sides in pairs)


def ppo(shape, prompts, new, samples, epochs):
    """Rollout, reward, reference, policy and value once, then `epochs` trainings of policy and value."""
    with_head, without = (sum(tree(shape, n, [new] * samples, head) for n in prompts) for head in (True, False))
    return (3 + 3 * epochs) * with_head + (2 + 3 * epochs) * without


def generate(shape, prompts, new, samples):
    """The last token is drawn and not read."""
    read = sum(tree(shape, n, [new - 1] * samples, head=False) for n in prompts)
    return read + 2 * shape["hidden_size"] * shape["vocab_size"] * new * samples * len(prompts)
