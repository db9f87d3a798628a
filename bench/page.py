"""docs/BENCHMARKS.md from docs/results: benchmarks.json, scaling.json, precision.json, of the scripts run, scaling and
precision."""

import statistics

import curves
import machine
from reasons import MISSES
from session import figure, middle, missed, ratios, shares

INTRODUCTION = f"""# Benchmarks

Written by `make bench` (bench/run.py, scaling.py, precision.py) from docs/results/*.json. Tasks and curves whose names
match an expression are measured again by `make bench BENCH="--only 'SFT tiny'"`, which keeps the rest; `--help` of
each script tells more.

- **A round** is libtorch's products, the peers, Keel, the products again. It counts when others took at most
  {machine.MOST_OTHERS:.0%} of the machine and the median {machine.JUDGE} product changed by at most
  {machine.MOST_CHANGE:.0%}; else it is discarded and tried again, at most as often as a table below says. Figures are
  medians of the rounds; in brackets the smallest and largest round.
- **Rates**: useful tokens/s for training (padding does not count; both rows of a pair count whole, prompts too),
  episodes/s for PPO (an episode is 64 new tokens), new tokens/s for generation. Peers: TRL's trainers without gradient
  checkpointing, transformers' `generate`, llama.cpp's Python package in bfloat16. TRL's PPO runs with accumulation 4,
  which makes it take four optimizer steps an epoch (its `step` lies inside `accumulate`); Keel is given four
  mini-batches.
- **Share**: model FLOPs of the useful tokens over the best rate of libtorch's products (512³ to 2,048³) around the
  round, in the number format that Keel multiplies in. A forward pass is `2 N n + 4 L d s + 2 h V p` (Kaplan et al.
  2020: n tokens, N elements of the blocks' matrices, L layers of attention width d, s pairs of a query and a key that
  it sees, p predicted tokens); training is three (bench/flops.py). Padding, recomputation, norms, softmax and the
  optimizer count nothing.
- **Peak memory** is the resident maximum of the process.
"""
HEADS = {
    "rates": "work | peer | peer's rate | Keel's rate | ratio | wanted | met | Keel's share",
    "memory": "work | peer | peer's | Keel's | ratio | wanted | met",
    "rounds": "work | date | commit | rounds | disturbed | tried at most | best product",
}
COMMANDS = """The commands, from the repository's folder, after `. ~/.cache/keel/env.bench` and
`$KEEL_PYTHON bench/run.py --prepare`, which writes the models and rows (Keel goes on with an unfinished run: remove
runs/bench/run before its command):
"""


def table(name, rows):
    return [f"| {HEADS[name]} |", "|---" * (HEADS[name].count("|") + 1) + "|", *rows, ""]


def between(values, form):
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low}–{high}"


def span(values):
    return between(values, "{:,.3g}") if len(values) > 1 else "one round"


def share_text(result):
    found = shares(result)
    return f"{statistics.median(found):.0%} of {result['format']}" if found else "–"


def verdict(met):
    return "yes" if met else "**no**"


def task_rows(result):
    lines = []
    for peer, target in result["targets"].items():
        found = ratios(result, peer)
        if not found:
            lines.append(f"| {result['task']} | {peer} | no undisturbed round | | | ≥ {target} | – | |")
            continue
        ratio = statistics.median(found)
        theirs, own = figure(middle(result["peers"][peer])), figure(middle(result["keel"]))
        lines.append(
            f"| {result['task']} | {peer} | {theirs} | {own} | {ratio:.2f} ({span(found)}) | ≥ {target} | "
            f"{verdict(ratio >= target)} | {share_text(result)} |"
        )
    return lines


def memory_rows(result):
    lines = []
    for peer, rounds in result["peers"].items():
        found = ratios(result, peer, "peak_gb")
        if not found:
            continue
        ratio, wanted = statistics.median(found), result["memory"].get(peer)
        theirs, own = (statistics.median(one["peak_gb"] for one in side) for side in (rounds, result["keel"]))
        met = f"≤ {wanted} | {verdict(ratio <= wanted)}" if wanted else "– | –"
        lines.append(f"| {result['task']} | {peer} | {theirs:.2f} | {own:.2f} | {ratio:.2f} ({span(found)}) | {met} |")
    return lines


def best_products(result):
    """Each format's best rate around the rounds, smallest and largest."""
    texts = []
    for kind in machine.FORMATS:
        if found := [rates[kind] for rates in result["products"] if kind in rates]:
            texts.append(f"{kind} {between(found, '{:.0f}')}")
    return " · ".join(texts)


def measured_row(result):
    m = result["measured"]
    disturbed = f"{len(m['disturbed'])}{' (kept)' if m['kept_disturbed'] and m['disturbed'] else ''}"
    return (
        f"| {result['task']} | {m['date']} | {m['commit']} | {m['rounds']} of {m['wanted']} | {disturbed} | "
        f"{m['attempts']} | {best_products(result)} |"
    )


def sittings(results):
    """The machines and versions that were measured, each with its tasks' count."""
    found = {}
    for result in results:
        key = (result["measured"]["machine"], result["measured"]["versions"])
        found[key] = found.get(key, 0) + 1
    return [f"- {machine_name}; {versions} ({count} tasks)." for (machine_name, versions), count in found.items()]


def miss_sections(results):
    """Each missed target with the breakdown of its run's time, what bounds it and what was tried."""
    results = [result for result in results if missed(result)]
    if not results:
        return []
    text = ["### Targets missed", "", "Where Keel's time goes there (`perf`, both cores, loading included):", ""]
    for result in results:
        cases = " and ".join(f"{wanted_text(result, peer)}" for peer in missed(result))
        text += [f"**{result['task']}** ({cases}). {MISSES.get(result['task'], 'Not explained yet.')}", ""]
        text += breakdown_line(result)
    return text


def wanted_text(result, peer):
    return f"{statistics.median(ratios(result, peer)):.2f} of {peer}, wanted {result['targets'][peer]}"


def breakdown_line(result):
    if not result.get("shares"):
        return ["(No breakdown: `perf` was not there or not allowed.)", ""]
    parts = sorted(result["shares"].items(), key=lambda part: -part[1])
    return ["Time: " + ", ".join(f"{name} {share:.0%}" for name, share in parts if share >= 0.01) + ".", ""]


def task_sections(results):
    text = ["## Keel and its peers", "", *table("rates", [row for result in results for row in task_rows(result)])]
    text += miss_sections(results)
    text += ["Peak memory, GB:", "", *table("memory", [row for result in results for row in memory_rows(result)])]
    text += ["When, on what and how calmly each was measured (products in GFLOP/s):", ""]
    text += [*table("rounds", map(measured_row, results)), *sittings(results), "", COMMANDS, "```"]
    for result in results:
        text += [f"# {result['task']}", *result["commands"].values()]
    return text + ["```", ""]


def write(session):
    parts = [INTRODUCTION]
    if results := session.read("benchmarks.json"):
        parts += task_sections(results)
    if results := session.read("scaling.json"):
        parts += curves.sections(results)
    if results := session.read("precision.json"):
        import precision

        parts += precision.section(results)
    (session.a.docs / "BENCHMARKS.md").write_text("\n".join(parts), encoding="utf-8")
