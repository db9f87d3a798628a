"""Reference values of src/keel/statistics, by scipy, scikit-learn and plain enumeration.

Run with the Python of `tools/setup results` (numpy 1.26.4, scikit-learn 1.5.2 and the scipy it brings):
    python tests/golden/statistics/generate.py > tests/golden/statistics/values.json
"""
import itertools
import json
import sys

import numpy
import scipy.stats
import sklearn.calibration
import sklearn.metrics

random = numpy.random.default_rng(20240501)


def wilson():
    rows = []
    for successes, trials in [(0, 1), (1, 1), (3, 7), (50, 100), (999, 1000), (12, 4000)]:
        interval = scipy.stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        rows.append({"successes": successes, "trials": trials, "low": interval.low, "high": interval.high})
    return rows


def means():
    values = random.gamma(2.0, 1.5, size=60)
    before, after = random.normal(0, 1, 60), random.normal(0.4, 1, 60)
    after += 0.7 * before
    error = scipy.stats.sem(values)
    low, high = scipy.stats.norm.interval(0.95, values.mean(), error)

    def percentile(data):
        got = scipy.stats.bootstrap((data,), numpy.mean, n_resamples=100_000, method="percentile",
                                    random_state=1)
        return {"standard_error": got.standard_error, "low": got.confidence_interval.low,
                "high": got.confidence_interval.high}

    return {"values": list(values), "mean": values.mean(), "standard_error": error, "low": low, "high": high,
            "bootstrap": percentile(values), "before": list(before), "after": list(after),
            "paired": percentile(after - before)}


def clusters():
    """25 prompts with 1 to 6 samples each before and after, with a strong effect of the prompt."""
    ease = random.normal(0, 2, 25)
    sides = []
    for shift in (0.0, 0.5):
        cluster = numpy.repeat(numpy.arange(25), random.integers(1, 7, 25))
        sides.append((cluster, ease[cluster] + shift + random.normal(0, 0.5, len(cluster))))

    def mean_of(side, drawn):
        cluster, values = side
        picked = numpy.concatenate([values[cluster == name] for name in drawn])
        return picked.mean()

    draws = [random.integers(0, 25, 25) for _ in range(20_000)]
    single = [mean_of(sides[0], drawn) for drawn in draws]
    difference = [mean_of(sides[1], drawn) - mean_of(sides[0], drawn) for drawn in draws]

    def summary(value, statistics):
        low, high = numpy.percentile(statistics, [2.5, 97.5])
        return {"value": value, "standard_error": numpy.std(statistics, ddof=1), "low": low, "high": high}

    names = ["before", "after"]
    out = {name: {"cluster": [int(c) for c in cluster], "values": list(values)}
           for name, (cluster, values) in zip(names, sides)}
    out["mean"] = summary(sides[0][1].mean(), single)
    out["difference"] = summary(sides[1][1].mean() - sides[0][1].mean(), difference)
    return out


def calibration():
    probability = numpy.concatenate([random.uniform(0, 1, 300), [0.0, 1.0, 0.2, 0.5]])
    happened = random.uniform(0, 1, len(probability)) < probability ** 1.5
    happened[-4:] = [True, True, False, True]  # a certain forecast that fails: the log loss must stay finite
    frequency, mean = sklearn.calibration.calibration_curve(happened, probability, n_bins=8)
    count = numpy.bincount(numpy.searchsorted(numpy.linspace(0, 1, 9)[1:-1], probability), minlength=8)
    return {"probability": list(probability), "happened": [bool(h) for h in happened],
            "frequency": list(frequency), "mean": list(mean), "count": [int(c) for c in count],
            "expected_error": float(numpy.sum(count / count.sum() * numpy.abs(frequency - mean))),
            "log_loss": sklearn.metrics.log_loss(happened, probability),
            "brier": sklearn.metrics.brier_score_loss(happened, probability)}


def best_of_n():
    """The mean over all subsets of n; a tie at the top of a subset counts as the mean of the tied values."""
    proxy = [float(p) for p in random.integers(0, 6, 9)]
    value = list(random.normal(0, 1, 9))
    expected = []
    for n in range(1, 10):
        results = []
        for subset in itertools.combinations(range(9), n):
            top = max(proxy[i] for i in subset)
            results.append(numpy.mean([value[i] for i in subset if proxy[i] == top]))
        expected.append(float(numpy.mean(results)))
    return {"proxy": proxy, "value": value, "expected": expected}


def correlation():
    x = random.normal(0, 1, 40)
    y = numpy.round(0.5 * x + random.normal(0, 1, 40), 1)
    x = numpy.round(x, 1)  # ties
    group = random.integers(0, 7, 40)
    residual = lambda v: v - numpy.array([v[group == g].mean() for g in group])
    return {"x": list(x), "y": list(y), "group": [int(g) for g in group],
            "ranks": list(scipy.stats.rankdata(x)),
            "pearson": scipy.stats.pearsonr(x, y)[0], "spearman": scipy.stats.spearmanr(x, y)[0],
            "within_group": scipy.stats.pearsonr(residual(x), residual(y))[0]}


def diversity():
    sequences = [[int(t) for t in random.integers(0, 5, length)] for length in (0, 1, 2, 9, 20)]
    counts = []
    for n in (1, 2, 3):
        grams = [tuple(s[i:i + n]) for s in sequences for i in range(len(s) - n + 1)]
        counts.append({"n": n, "different": len(set(grams)), "total": len(grams)})
    return {"sequences": sequences, "counts": counts}


json.dump({"wilson": wilson(), "means": means(), "clusters": clusters(), "calibration": calibration(),
           "best_of_n": best_of_n(), "correlation": correlation(), "diversity": diversity()},
          sys.stdout, indent=1)
print()
