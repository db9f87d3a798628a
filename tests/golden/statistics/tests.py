"""Reference values of exact_tests and confidence_sequence: scipy, statsmodels, confseq.

    pip install scipy==1.17.1 statsmodels==0.15.0 confseq==0.0.11
    python tests/golden/statistics/tests.py > tests/golden/statistics/tests.json

confseq 0.0.11 (Howard, Ramdas) is C++ and needs Boost's headers; its boundaries.cpp alone is enough here. Its
beta-binomial mixture is centred at the mean that is tested, so at a mean of 1/2 it is ours: with g = h = 1/2 its
prior is Beta(2r, 2r), where r = rho - 1/4 and rho belongs to (v_opt, alpha_opt). v_opt below is the one with r = 1/4
for Beta(1/2, 1/2). Bounds at other means are roots of the stated mixture found by scipy.
"""
import json
import sys
from math import log

from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import binomtest, fisher_exact, poisson_binom
from statsmodels.stats.multitest import multipletests

try:
    from confseq import boundaries
except ImportError:
    import boundaries

ALPHA = 0.05
COUNTS = ((0, 5), (6, 6), (15, 20), (40, 100), (260, 500), (5200, 10000))


def v_opt_of(r):
    """Where confseq's choice of r is this one: at Beta(0.5, 0.5) its martingale of no votes and one is known."""
    def gap(v_opt):
        # one vote for: M = 2 B(a + 1, a) / B(a, a) = 1 whatever a is; two alike: 4 B(a + 2, a) / B(a, a)
        a = 2 * r
        wanted = 2 * 0.6931471805599453 + betaln(a + 2, a) - betaln(a, a)
        return boundaries.beta_binomial_log_mixture(1.0, 0.5, v_opt, 0.5, 0.5, ALPHA, False) - wanted
    return brentq(gap, 0.3, 1e4, xtol=1e-12)


def log_mixture(m, wins, votes):
    return betaln(0.5 + wins, 0.5 + votes - wins) - betaln(0.5, 0.5) - wins * log(m) - (votes - wins) * log(1 - m)


def bounds(wins, votes):
    gap = lambda m: log_mixture(m, wins, votes) - log(1 / ALPHA)
    least = 1e-12
    centre = min(max(wins / votes, least), 1 - least)
    low = 0.0 if wins == 0 else brentq(gap, least, centre, xtol=1e-14)
    high = 1.0 if wins == votes else brentq(gap, centre, 1 - least, xtol=1e-14)
    return [low, high]


v_opt = v_opt_of(0.25)
p_values = [0.01, 0.04, 0.03, 0.005, 0.5]
golden = {
    "binomial_at_least": [[k, n, p, binomtest(k, n, p, alternative="greater").pvalue]
                          for k, n, p in ((3, 10, 0.2), (31, 31, 0.75), (0, 4, 0.5), (700, 1000, 0.66))],
    "fair_coin": [[k, n, binomtest(k, n, 0.5).pvalue] for k, n in ((8, 10), (1, 30), (5, 10), (250, 600))],
    "successes": [[k, chances, float(poisson_binom.sf(k - 1, chances))] for k, chances in (
        (2, [0.1, 0.5, 0.9]), (0, [0.3]), (9, [0.05 * i for i in range(1, 20)]), (4, [0.99, 0.5, 0.01, 0.2]))],
    "fisher": [[*table, fisher_exact([table[:2], table[2:]], "greater").pvalue,
                fisher_exact([table[:2], table[2:]]).pvalue]
               for table in ((8, 2, 1, 5), (41, 9, 3, 397), (0, 12, 4, 6), (50, 50, 49, 52))],
    "holm": [p_values, multipletests(p_values, method="holm")[1].tolist()],
    "log_mixture_at_half": [[wins, votes, boundaries.beta_binomial_log_mixture(
        wins - votes / 2, votes / 4, v_opt, 0.5, 0.5, ALPHA, False)] for wins, votes in COUNTS],
    "bounds": [[wins, votes, *bounds(wins, votes)] for wins, votes in COUNTS],
}
json.dump(golden, sys.stdout, indent=1)
print()
