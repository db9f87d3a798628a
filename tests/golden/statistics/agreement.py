"""Reference values of agreement: scikit-learn, statsmodels and the package krippendorff.

    pip install numpy==1.26.4 scikit-learn==1.5.2 statsmodels==0.15.0 krippendorff==0.9.0
    python tests/golden/statistics/agreement.py > tests/golden/statistics/agreement.json
"""
import itertools
import json
import sys

import krippendorff
import numpy
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

random = numpy.random.default_rng(11)
ITEMS, ANNOTATORS, CATEGORIES = 50, 6, 5


def ratings():
    """Five points of a scale, six annotators of unequal care; one never uses the lowest point."""
    truth = random.integers(0, CATEGORIES, ITEMS)
    care = numpy.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.2])
    given = numpy.clip(truth[:, None] + random.integers(-1, 2, (ITEMS, ANNOTATORS)), 0, CATEGORIES - 1)
    given = numpy.where(random.uniform(size=given.shape) < care, truth[:, None], given)
    given[:, 5] = numpy.maximum(given[:, 5], 1)
    return given + 1  # items, annotators


def interval(statistic, rows, rounds=4000):
    values = [statistic(rows[random.integers(0, len(rows), len(rows))]) for _ in range(rounds)]
    return {"value": float(statistic(rows)), "deviation": float(numpy.nanstd(values, ddof=1)),
            "low": float(numpy.nanquantile(values, 0.025)), "high": float(numpy.nanquantile(values, 0.975))}


def alpha(rows, level):
    # the package wants annotators in rows, and sees no scale where a resample has a single category
    try:
        return krippendorff.alpha(reliability_data=rows.T, level_of_measurement=level,
                                  value_domain=numpy.arange(1, CATEGORIES + 1))
    except ValueError:
        return numpy.nan


def kappas(rows):
    found = []
    for a, b in itertools.combinations(range(ANNOTATORS), 2):
        both = {"first": a, "second": b, "agreement": float((rows[:, a] == rows[:, b]).mean())}
        for weights in (None, "linear", "quadratic"):
            both[weights or "none"] = float(cohen_kappa_score(rows[:, a], rows[:, b], weights=weights,
                                                              labels=numpy.arange(1, CATEGORIES + 1)))
        found.append(both)
    return found


def percent(rows):
    """Over all pairs of labels of an item."""
    equal = total = 0
    for a, b in itertools.combinations(range(ANNOTATORS), 2):
        seen = ~numpy.isnan(rows[:, a]) & ~numpy.isnan(rows[:, b])
        equal, total = equal + (rows[seen, a] == rows[seen, b]).sum(), total + seen.sum()
    return equal / total


full = ratings()
holed = numpy.where(random.uniform(size=full.shape) < 0.4, numpy.nan, full)
holed[0] = numpy.nan  # an item without labels, and one with a single label
holed[1], holed[1, 2] = numpy.nan, 4
two = full[:, :2]
usable = holed[(~numpy.isnan(holed)).sum(1) >= 2]  # what is resampled: items that say something
json.dump({
    "full": [[int(x) for x in row] for row in full],
    "holed": [[None if numpy.isnan(x) else int(x) for x in row] for row in holed],
    "pairs": kappas(full),
    "cohen": interval(lambda rows: cohen_kappa_score(rows[:, 0], rows[:, 1], weights="linear",
                                                     labels=numpy.arange(1, CATEGORIES + 1)), two),
    "fleiss": interval(lambda rows: fleiss_kappa(aggregate_raters(rows)[0]), full),
    "percent": interval(percent, usable),
    **{f"alpha_{level}": interval(lambda rows: alpha(rows, level), usable)
       for level in ("nominal", "ordinal", "interval")},
}, sys.stdout, indent=1)
print()
