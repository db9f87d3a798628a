"""The plots of the real run, as SVG without time stamps, so equal figures give equal files."""
import math

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({"svg.hashsalt": "keel", "font.size": 9, "axes.spines.top": False,
                            "axes.spines.right": False})
import matplotlib.pyplot as plt  # noqa: E402  the backend is chosen first

NAMES = {"judge": "neural judge", "tfidf": "TF-IDF judge"}


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def frontier(path, result):
    """Positive rate against the root of the KL: PPO's betas beside best-of-n, a panel a judge."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    betas = [arm for arm in result["arms"] if arm["arm"].startswith("beta-0.")]
    for axis, judge in zip(axes, NAMES):
        axis.plot([math.sqrt(b["kl"]) for b in result["best_of"]],
                  [100 * b[judge]["mean"] for b in result["best_of"]], "o-", color="#888", label="best of n")
        rates = [100 * arm[f"{judge}_rate"]["mean"] for arm in betas]
        errors = [[100 * abs(arm[f"{judge}_rate"]["mean"] - arm[f"{judge}_rate"][end]) for arm in betas]
                  for end in ("low", "high")]
        x = [math.sqrt(max(0, arm["kl"])) for arm in betas]
        axis.errorbar(x, rates, yerr=errors, fmt="s-", color="#0a6", label="PPO", capsize=2)
        for at, rate, arm in zip(x, rates, betas):
            axis.annotate("β " + arm["arm"].removeprefix("beta-"), (at, rate), xytext=(4, -10),
                          textcoords="offset points", fontsize=7)
        axis.set(title=NAMES[judge], xlabel="√KL to the SFT model (√nats)")
    axes[0].set_ylabel("samples called positive (%)")
    axes[0].legend(frameon=False)
    save(figure, path)


def arms(path, result):
    """Every arm's positive rate by each judge, the SFT model's as a line."""
    figure, axis = plt.subplots(figsize=(8, 3))
    width, names = 0.38, [arm["arm"] for arm in result["arms"]]
    for k, judge in enumerate(NAMES):
        at = [i + (k - 0.5) * width for i in range(len(names))]
        rates = [100 * arm[f"{judge}_rate"]["mean"] for arm in result["arms"]]
        color = ("#0a6", "#26a")[k]
        axis.bar(at, rates, width, color=color, label=NAMES[judge])
        axis.axhline(100 * result["sft"][judge]["mean"], color=color, lw=0.8, ls="--",
                     label=f"SFT, {NAMES[judge]}")
    axis.set_xticks(range(len(names)), names)
    axis.set(ylabel="samples called positive (%)", ylim=(0, 100))
    axis.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, path)


def write(raw, result):
    frontier(raw.parent / f"{raw.name}-frontier.svg", result)
    arms(raw.parent / f"{raw.name}-arms.svg", result)
