"""The statistics of the real run, as pure functions of arrays with a row a prompt and a column a sample."""
from math import comb, log

import numpy as np


def best_of_n(proxy, value, n):
    """Expected `value` of the sample with the highest proxy among n, a prompt each: rank weights
    C(i-1, n-1) / C(m, n) over the m samples sorted by proxy (Nakano et al. 2021), unbiased for every n <= m."""
    m = proxy.shape[1]
    weight = np.array([comb(i, n - 1) / comb(m, n) for i in range(m)])
    order = np.argsort(proxy, axis=1, kind="stable")
    return (np.take_along_axis(value, order, axis=1) * weight).sum(axis=1)


def best_of_n_kl(n):
    """Nats from best-of-n to the policy that it samples from, when no two samples tie."""
    return log(n) - (n - 1) / n


def within_prompt_correlation(a, b):
    """Pearson's correlation of what is left of a and b when each prompt's own mean is taken away."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def accuracy(logits, labels):
    """The share of logits whose sign is their label's, 1 or 0."""
    return float(((np.asarray(logits) > 0) == (np.asarray(labels) == 1)).mean())


def distinct_2(sequences):
    """Different pairs of neighbouring tokens / all such pairs. Falls with the number of samples: compare
    equal numbers only."""
    pairs = [pair for ids in sequences for pair in zip(ids, ids[1:])]
    return len(set(pairs)) / len(pairs)


def bootstrap(per_prompt, draws=10_000, seed=20250102):
    """Mean over prompts with the 95 % interval of a bootstrap that draws prompts. For a paired difference give
    the differences: {mean, low, high}."""
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(per_prompt), (draws, len(per_prompt)))
    low, high = np.quantile(per_prompt[picks].mean(axis=1), (0.025, 0.975))
    return {"mean": float(per_prompt.mean()), "low": float(low), "high": float(high)}
