"""Reference values of dawid_skene and annotator_ability: crowd-kit, the table of Dawid and Skene's own paper, scipy.

    pip install crowd-kit==1.4.2 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1
    python tests/golden/statistics/annotators.py > tests/golden/statistics/annotators.json

The paper's table 1: 45 patients, five anaesthetists (the first saw each patient three times), four grades. As crowd-kit
takes one label of a worker and a task, the first's three readings are three workers here.
"""
import json
import sys

import numpy
import pandas
from crowdkit.aggregation import DawidSkene
from crowdkit.aggregation.classification.dawid_skene import OneCoinDawidSkene
from scipy.optimize import minimize
from scipy.special import betaincinv, expit

# Dawid and Skene 1979, table 1, checked against a public implementation's transcript (dallascard/dawid_skene): a
# word a patient; observer 1 three times, then observers 2 to 5.
ANAESTHETISTS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223
2322223 4444444 2223343 1111111 2223212 1211111 1112111 1111111 1111111
2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222
1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343
2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""

random = numpy.random.default_rng(11)


def anaesthetists():
    rows = []
    for patient, word in enumerate(ANAESTHETISTS.split()):
        for observer, grade in enumerate(word):
            rows.append((patient, observer, int(grade)))
    return pandas.DataFrame(rows, columns=["task", "worker", "label"])


def crowd(items=300, each=3):
    """Two categories, nine annotators, two of whom say the contrary and two anything."""
    accuracy = numpy.array([0.9, 0.8, 0.85, 0.75, 0.95, 0.5, 0.5, 0.1, 0.15])
    rows = []
    for item in range(items):
        truth = int(random.uniform() < 0.4)
        for worker in sorted(random.choice(len(accuracy), each, replace=False)):
            right = random.uniform() < accuracy[worker]
            rows.append((item, int(worker), truth if right else 1 - truth))
    return pandas.DataFrame(rows, columns=["task", "worker", "label"])


def lists(data):
    return {"item": data.task.tolist(), "annotator": data.worker.tolist(), "category": data.label.tolist()}


def fitted(model, data):
    """After so many rounds that nothing moves; errors as [worker][truth][label]."""
    fit = model(n_iter=5000, tol=-1).fit(data)
    categories = sorted(data.label.unique())
    errors = fit.errors_.reindex(pd_index(sorted(data.worker.unique()), categories)).fillna(1e-10)
    table = [[[float(errors.loc[(worker, label), truth]) for label in categories] for truth in categories]
             for worker in sorted(data.worker.unique())]
    return {"prior": [float(fit.priors_[c]) for c in categories], "confusion": table,
            "posterior": [[float(fit.probas_.loc[t, c]) for c in categories] for t in sorted(data.task.unique())]}


def pd_index(workers, labels):
    return pandas.MultiIndex.from_product([workers, labels], names=["worker", "label"])


def ability(battles=1500, contestants=8):
    """Chen et al. 2013, equation 3, with a normal prior of deviation 2 on strengths and Beta(3, 3) on abilities."""
    strengths = random.normal(0, 1, contestants)
    right = numpy.array([1.0, 0.95, 0.9, 0.8, 0.5, 0.1, 0.0])
    first, second, who, won = [], [], [], []
    for _ in range(battles):
        i, j = random.choice(contestants, 2, replace=False)
        k = int(random.integers(len(right)))
        p = expit(strengths[i] - strengths[j])
        p = right[k] * p + (1 - right[k]) * (1 - p)
        first.append(int(i)), second.append(int(j)), who.append(k), won.append(int(random.uniform() < p))
    first, second, who, won = map(numpy.array, (first, second, who, won))

    def negative(x):
        s, eta = x[:contestants], expit(x[contestants:])
        p = expit((s[first] - s[second]) * (2 * won - 1))
        likelihood = numpy.log(eta[who] * p + (1 - eta[who]) * (1 - p)).sum()
        return -(likelihood - (s ** 2).sum() / 8 + 2 * numpy.log(eta).sum() + 2 * numpy.log1p(-eta).sum())

    start = numpy.concatenate([numpy.zeros(contestants), numpy.ones(len(right))])
    for method in ("BFGS", "Nelder-Mead", "BFGS"):
        start = minimize(negative, start, method=method,
                         options={"maxiter": 200000} | ({"xatol": 1e-10, "fatol": 1e-12, "maxfev": 200000}
                                                        if method != "BFGS" else {"gtol": 1e-9})).x
    return {"first": first.tolist(), "second": second.tolist(), "annotator": who.tolist(), "outcome": won.tolist(),
            "strengths": (start[:contestants] - start[:contestants].mean()).tolist(),
            "ability": expit(start[contestants:]).tolist(), "log_posterior": -float(negative(start))}


data, patients = crowd(), anaesthetists()
golden = {
    "anaesthetists": {**lists(patients), **fitted(DawidSkene, patients)},
    "crowd": {**lists(data), "full": fitted(DawidSkene, data), "one_coin": fitted(OneCoinDawidSkene, data)},
    "ability": ability(),
    "beta_quantiles": [[a, b, p, float(betaincinv(a, b, p))] for a, b in ((1, 1), (0.5, 3), (30, 4), (700, 1.5))
                       for p in (0.025, 0.5, 0.975)],
}
json.dump(golden, sys.stdout, indent=1)
print()
