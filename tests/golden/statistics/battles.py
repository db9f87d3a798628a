"""Reference values of elo and bradley_terry: FastChat's own ratings, scikit-learn, statsmodels.

    pip install numpy==1.26.4 scikit-learn==1.5.2 pandas==2.3.3 scipy==1.17.1 statsmodels==0.15.0 \
        fschat==0.2.36 plotly pytz tqdm psutil
    python tests/golden/statistics/battles.py > tests/golden/statistics/battles.json

The package fschat 0.2.36 carries Elo, its bootstrap, a Bradley-Terry regression with a penalty, and the table of
wins; FastChat's later rating_systems.py (compute_elo, compute_bt, compute_bootstrap_bt) is in its repository
alone. Given that file as an argument, this asserts that what is written here are its results, too.
"""
import importlib.util
import json
import sys
from unittest import mock

import numpy
import pandas
import scipy.special
import statsmodels.api
from sklearn.linear_model import LogisticRegression

# What elo_analysis imports for other functions, and would load a deep learning library.
for name in ("fastchat.model", "fastchat.model.model_registry", "fastchat.serve.monitor.basic_stats",
             "fastchat.serve.monitor.clean_battle_data"):
    sys.modules[name] = mock.MagicMock()
from fastchat.serve.monitor import elo_analysis  # noqa: E402

elo_analysis.tqdm = lambda rounds, desc: rounds

MODELS, BATTLES, PROMPTS = 7, 900, 60
random = numpy.random.default_rng(7)


def played():
    """Uneven pairs of seven models of known strengths; a fifth of the battles tie."""
    strengths = numpy.array([0.0, 0.9, -0.6, 0.4, 1.3, -1.1, 0.1])
    share = numpy.array([6, 3, 2, 5, 4, 1, 3])
    rows = []
    while len(rows) < BATTLES:
        first, second = random.choice(MODELS, 2, replace=False, p=share / share.sum())
        odds = scipy.special.expit(strengths[first] - strengths[second] + random.normal(0, 0.7))
        winner = "tie" if random.uniform() < 0.2 else ("model_a" if random.uniform() < odds else "model_b")
        rows.append({"model_a": int(first), "model_b": int(second), "winner": winner,
                     "prompt": int(random.integers(PROMPTS))})
    return pandas.DataFrame(rows)


def by_model(ratings):
    return [float(ratings[model]) for model in range(MODELS)]


def unpenalised(battles):
    """compute_bt's likelihood by scikit-learn: a tie is half a win for each side."""
    base, scale, initial = 10, 400, 1000
    design, won, weight = [], [], []
    for row in battles.itertuples():
        features = numpy.zeros(MODELS)
        features[row.model_a], features[row.model_b] = numpy.log(base), -numpy.log(base)
        for label, of_first in ((1, row.winner == "model_a"), (0, row.winner == "model_b")):
            half = 0.5 if row.winner == "tie" else float(of_first)
            if half:
                design.append(features), won.append(label), weight.append(half)
    fit = LogisticRegression(penalty=None, fit_intercept=False, tol=1e-12, solver="newton-cholesky",
                             max_iter=1000)
    coefficients = fit.fit(numpy.array(design)[:, 1:], won, sample_weight=weight).coef_[0]
    ratings = numpy.concatenate([[0], coefficients])
    return by_model(scale * (ratings - ratings.mean()) + initial)


def penalised(battles):
    """fschat's regression, with its tolerance made fine; the penalty is a normal prior on the strengths."""
    fine = lambda **options: LogisticRegression(tol=1e-12, solver="newton-cholesky", max_iter=1000, **options)
    with mock.patch("sklearn.linear_model.LogisticRegression", fine):
        return by_model(elo_analysis.compute_elo_mle_with_tie(battles))


def davidson(battles):
    """Davidson's model as a log-linear one of counts (Fienberg and Larntz 1976), by statsmodels."""
    names = [(i, j) for i in range(MODELS) for j in range(i + 1, MODELS)]
    counts, design = [], []
    for place, (i, j) in enumerate(names):
        pair = battles[battles.model_a.isin((i, j)) & battles.model_b.isin((i, j))]
        ties = (pair.winner == "tie").sum()
        wins = ((pair.winner == "model_a") & (pair.model_a == i)).sum() \
            + ((pair.winner == "model_b") & (pair.model_b == i)).sum()
        if len(pair) == 0:
            continue
        for count, lead, tie in ((wins, 0.5, 0), (len(pair) - ties - wins, -0.5, 0), (ties, 0, 1)):
            row = numpy.zeros(len(names) + MODELS + 1)
            row[place], row[len(names) + i], row[len(names) + j], row[-1] = 1, lead, -lead, tie
            counts.append(count), design.append(row)
    design = numpy.array(design)
    kept = [c for c in range(design.shape[1]) if design[:, c].any() and c != len(names)]
    model = statsmodels.api.GLM(counts, design[:, kept], family=statsmodels.api.families.Poisson())
    fit = dict(zip(kept, model.fit(tol=1e-14, maxiter=200).params))
    strengths = numpy.array([fit.get(len(names) + i, 0.0) for i in range(MODELS)])
    return {"strengths": list(strengths - strengths.mean()),
            "tie_parameter": float(numpy.exp(fit[design.shape[1] - 1]))}


def quantiles(table):
    return {"median": by_model(table.quantile(0.5)), "deviation": by_model(table.std()),
            "low": by_model(table.quantile(0.025)), "high": by_model(table.quantile(0.975))}


def bootstrap_bt(battles, rounds=2000):
    """Multinomial weights of the battles, as compute_bootstrap_bt, by prompt as well."""
    tables = {}
    for unit in ("battle", "prompt"):
        rows = []
        for _ in range(rounds):
            if unit == "battle":
                drawn = battles.iloc[random.integers(0, len(battles), len(battles))]
            else:
                groups = dict(list(battles.groupby("prompt")))
                names = random.choice(list(groups), len(groups))
                drawn = pandas.concat([groups[name] for name in names])
            rows.append(unpenalised(drawn))
        tables[unit] = quantiles(pandas.DataFrame(rows))
    return tables


def check_against_repository(path, battles, golden):
    spec = importlib.util.spec_from_file_location("rating_systems", path)
    systems = importlib.util.module_from_spec(spec)
    sys.modules["rating_systems"] = systems
    spec.loader.exec_module(systems)
    elo = by_model(systems.compute_elo(battles, k=16.0))
    bt = by_model(systems.compute_bt(battles))
    fine = by_model(systems.compute_bt(battles, tol=1e-10))
    table = quantiles(systems.compute_bootstrap_bt(battles, 2000))
    largest = lambda a, b: float(numpy.abs(numpy.array(a) - numpy.array(b)).max())
    gaps = {"elo": largest(elo, golden["elo_k16"]), "bt": largest(bt, golden["bradley_terry"]),
            "bt, tol 1e-10": largest(fine, golden["bradley_terry"]),
            **{f"bootstrap {name}": largest(table[name], golden["bootstrap_bt"]["battle"][name])
               for name in table}}
    print(gaps, file=sys.stderr)
    assert gaps["elo"] < 1e-9 and gaps["bt"] < 0.01, gaps


battles = played()
fractions = elo_analysis.compute_pairwise_win_fraction(battles, list(range(MODELS)))
numpy.random.seed(1)
golden = {
    "first": [int(m) for m in battles.model_a], "second": [int(m) for m in battles.model_b],
    "outcome": [{"model_a": 1.0, "model_b": 0.0, "tie": 0.5}[w] for w in battles.winner],
    "prompt": [int(p) for p in battles.prompt],
    "elo_k4": by_model(elo_analysis.compute_elo(battles)),
    "elo_k16": by_model(elo_analysis.compute_elo(battles, K=16)),
    "elo_other_scale": by_model(elo_analysis.compute_elo(battles, K=8, SCALE=100, BASE=2, INIT_RATING=0)),
    "bootstrap_elo": quantiles(elo_analysis.get_bootstrap_result(
        battles, lambda drawn: elo_analysis.compute_elo(drawn, K=16), num_round=3000)),
    "bradley_terry": unpenalised(battles), "penalised": penalised(battles), "davidson": davidson(battles),
    "bootstrap_bt": bootstrap_bt(battles),
    "win_fraction": [[None if numpy.isnan(x) else float(x) for x in row] for row in fractions.to_numpy()],
}
if len(sys.argv) > 1:
    check_against_repository(sys.argv[1], battles, golden)
json.dump(golden, sys.stdout, indent=1)
print()
