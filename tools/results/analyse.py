"""From the raw figures of every run to docs/results/positive-reviews.json, the tables of positive-reviews.md and
its plots. Nothing is computed elsewhere: each number in the text comes out of here."""
import argparse
import gzip
import json
import pathlib

import numpy as np
from sklearn.metrics import roc_auc_score

import plots
import tables
from measures import accuracy, best_of_n, best_of_n_kl, bootstrap, within_prompt_correlation

JUDGES = ("judge", "tfidf")
BETAS = ("0.3", "0.15", "0.1", "0.05")
CONTROLS = ("permuted", "negated", "beta-20", "beta-20-small-steps", "beta-0")
BEST_OF = (1, 2, 4, 8, 16, 32, 64)
SAMPLES = 4


def read_seed(folder):
    """The judges' accuracies and arm -> its figures as arrays (prompts, samples)."""
    arms = {}
    for path in sorted(folder.glob("*.json.gz")):
        arm = json.loads(gzip.decompress(path.read_bytes()))
        arms[path.name.removesuffix(".json.gz")] = {
            name: np.array(value) if name not in ("examples", "distinct_2", "finished") else value
            for name, value in arm.items()}
    return {"accuracy": json.loads((folder / "judges.json").read_text()), "arms": arms}


def positive(arm, judge):
    """Each sample that the judge calls positive, as 1 or 0."""
    return (arm[judge] > 0.5).astype(float)


def logit(p):
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.log(p / (1 - p))


def gates(seeds):
    """What must hold before a word is said about PPO: of the mean over the seeds, and of the worst one."""
    accuracy = {name: [next(iter(s["accuracy"][name].values())) for s in seeds]
                for name in ("tfidf", "judge", "proxy")}
    correlation = {name: [within_prompt_correlation(s["arms"]["sft"]["proxy"], logit(s["arms"]["sft"][name]))
                          for s in seeds] for name in JUDGES}
    rows = [(f"{name}: accuracy", min(values), 0.72 if name == "tfidf" else 0.66, values)
            for name, values in accuracy.items()]
    rows += [(f"proxy and {name}: correlation within prompts", min(values), 0.30, values)
             for name, values in correlation.items()]
    return [{"gate": name, "mean": float(np.mean(values)), "worst": float(worst), "least": least,
             "mean_passed": bool(np.mean(values) >= least), "passed": bool(worst >= least),
             "seeds": [float(v) for v in values]} for name, worst, least, values in rows]


def sft_per_prompt(seed, judge, n):
    sft = seed["arms"]["sft"]
    return best_of_n(sft["proxy"], positive(sft, judge), n)


def nll_per_token(arm):
    """Nats a token under the SFT model, of four samples a prompt."""
    return -arm["logp_sft"].sum() / arm["length"].sum()


def relative(values, base):
    return float(np.mean([v / b - 1 for v, b in zip(values, base)]))


def arm_figures(seeds, name):
    """Means over the seeds; the intervals draw prompts, the same ones in every seed."""
    arms, sft = [s["arms"][name] for s in seeds], [s["arms"]["sft"] for s in seeds]
    kl = [float((a["logp_policy"] - a["logp_sft"]).mean()) for a in arms]
    figures = {"arm": name, "seeds": len(seeds), "kl": float(np.mean(kl)), "kl_seeds": kl,
               "proxy": float(np.mean([a["proxy"].mean() for a in arms])),
               "nll": relative(map(nll_per_token, arms), map(nll_per_token, sft)),
               "length": relative([a["length"].mean() for a in arms], [a["length"].mean() for a in sft]),
               "distinct_2": relative([a["distinct_2"] for a in arms], [a["distinct_2"] for a in sft])}
    for judge in JUDGES:
        rate = np.mean([positive(a, judge).mean(axis=1) for a in arms], axis=0)
        for rival, n in (("sft", 1), ("best_of_4", 4)):
            other = np.mean([sft_per_prompt(s, judge, n) for s in seeds], axis=0)
            figures[f"{judge}_over_{rival}"] = bootstrap(rate - other)
        figures[f"{judge}_rate"] = bootstrap(rate)
        figures[f"{judge}_rate_seeds"] = [float(positive(a, judge).mean()) for a in arms]
    return figures


def best_of_curve(seeds):
    return [{"n": n, "kl": best_of_n_kl(n),
             "proxy": float(np.mean([best_of_n(s["arms"]["sft"]["proxy"], s["arms"]["sft"]["proxy"], n).mean()
                                     for s in seeds])),
             **{judge: bootstrap(np.mean([sft_per_prompt(s, judge, n) for s in seeds], axis=0))
                for judge in JUDGES}} for n in BEST_OF]


def targets(arm):
    """The targets at beta 0.1, each with what was measured."""
    rows = [("sequence KL at most 5 nats", arm["kl"], arm["kl"] <= 5),
            ("negative log-likelihood under SFT within 5 %", arm["nll"], abs(arm["nll"]) <= 0.05),
            ("distinct-2 at most 12 % worse", arm["distinct_2"], arm["distinct_2"] >= -0.12),
            ("length within 20 %", arm["length"], abs(arm["length"]) <= 0.20)]
    for judge in JUDGES:
        for rival, least in (("sft", 0.20), ("best_of_4", 0.08)):
            gain = arm[f"{judge}_over_{rival}"]
            rows.append((f"{judge}: {least:.0%} above {rival}, lower bound above 0", gain["mean"],
                         gain["mean"] >= least and gain["low"] > 0))
    return [{"target": name, "measured": float(value), "met": bool(met)} for name, value, met in rows]


def tuning(path):
    """What each setting of the classifiers reached on validation reviews, from its logits."""
    data = json.loads(gzip.decompress(path.read_bytes()))
    labels, held_out = np.array(data["labels"]), np.array(data["held_out_labels"])
    rows = []
    for run in data["runs"]:
        logits = np.array(run["logits"])
        rows.append({"what": run["what"], "half": run["half"], "reviews": len(labels),
                     "accuracy": accuracy(logits, labels), "auc": float(roc_auc_score(labels, logits))})
        if "held_out" in run:
            rows[-1]["held_out"] = accuracy(np.array(run["held_out"]), held_out)
    return rows


def control_checks(arms):
    """The controls that have been run, each with what must hold of every judge."""
    rules = {"permuted": ("gains at most 3 points", lambda gain, kl: gain <= 0.03),
             "negated": ("loses at least 15 points", lambda gain, kl: gain <= -0.15),
             "beta-20": ("keeps the KL at most 0.1", lambda gain, kl: kl <= 0.1),
             "beta-20-small-steps": ("keeps the KL at most 0.1", lambda gain, kl: kl <= 0.1)}
    return [{"control": name, "judge": judge, "must": must, "gain": arms[name][f"{judge}_over_sft"]["mean"],
             "kl": arms[name]["kl"],
             "passed": bool(holds(arms[name][f"{judge}_over_sft"]["mean"], arms[name]["kl"]))}
            for name, (must, holds) in rules.items() if name in arms for judge in JUDGES]


def analyse(raw):
    seeds = [read_seed(folder) for folder in sorted(raw.glob("seed-*"))]
    arms = {}
    for name in [f"beta-{b}" for b in BETAS] + list(CONTROLS):
        present = [s for s in seeds if name in s["arms"]]
        if present:
            arms[name] = arm_figures(present, name)
    result = {"seeds": len(seeds), "prompts": len(seeds[0]["arms"]["sft"]["proxy"]), "gates": gates(seeds),
              "sft": {judge: bootstrap(np.mean([sft_per_prompt(s, judge, 1) for s in seeds], axis=0))
                      for judge in JUDGES},
              "arms": list(arms.values()), "best_of": best_of_curve(seeds),
              "controls": control_checks(arms), "tuning": tuning(raw / "tuning.json.gz")}
    if "beta-0.1" in arms:
        result["targets"] = targets(arms["beta-0.1"])
    return result, seeds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=pathlib.Path, default=pathlib.Path("docs/results/positive-reviews"))
    arguments = parser.parse_args()
    raw, page = arguments.raw, arguments.raw.with_suffix(".md")
    result, seeds = analyse(raw)
    raw.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    tables.write(page, result, seeds)
    plots.write(raw, result)
    print(f"{page}, {raw.with_suffix('.json')} and the plots in {raw.parent} are written")


if __name__ == "__main__":
    main()
