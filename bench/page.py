"""docs/BENCHMARKS.md from docs/results: benchmarks.json (run.py), scaling.json (scaling.py), precision.json (precision.py)."""

import statistics

import curves
import machine
from session import middle, ratios, shares

INTRODUCTION = f"""# Benchmarks

Written by `make bench` (bench/run.py, scaling.py, precision.py) from docs/results/*.json. `make bench BENCH="--only 'SFT
tiny'"` measures the tasks and curves whose names match again and keeps the rest; `--help` of each script tells more.

- **A round** is libtorch's products, the peers, Keel, the products again. It counts when others took at most
  {machine.MOST_OTHERS:.0%} of the machine and the median {machine.JUDGE} product
  changed by at most {machine.MOST_CHANGE:.0%}; else it is discarded and tried again, at most three times the rounds in all unless the table below says another
  limit. Figures are medians of the rounds; in brackets the smallest and largest round.
- **Rates**: useful tokens/s for training (padding does not count; both rows of a pair count whole, prompts too), episodes/s
  for PPO (an episode is 64 new tokens), new tokens/s for generation. Peers: TRL's trainers without gradient checkpointing,
  transformers' `generate`, llama.cpp's Python package in bfloat16. TRL's PPO runs with accumulation 4, which makes it take
  four optimizer steps an epoch (its `step` lies inside `accumulate`); Keel is given four mini-batches.
- **Share**: model FLOPs of the useful tokens over the best rate of libtorch's products (512³ to 2,048³) around the round,
  in the number format that Keel multiplies in. A forward pass is `2 N n + 4 L d s + 2 h V p` (Kaplan et al. 2020: n tokens,
  N elements of the blocks' matrices, s pairs of a query and a key it sees, p predicted tokens); training is three
  (bench/flops.py). Padding, recomputation, norms, softmax and the optimizer count nothing.
- **Peak memory** is the resident maximum of the process.
"""


def span(values, form="{:,.3g}"):
    if len(values) < 2:
        return "one round"
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low}–{high}"


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
        lines.append(f"| {result['task']} | {peer} | {middle(result['peers'][peer]):,.4g} | {middle(result['keel']):,.4g}"
                     f" | {ratio:.2f} ({span(found)}) | ≥ {target} | {verdict(ratio >= target)} | {share_text(result)} |")
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


def measured_row(result):
    m = result["measured"]
    products = " · ".join(f"{kind} {span([p[kind] for p in found], '{:.0f}') if len(found) > 1 else f'{found[0][kind]:.0f}'}"
                          for kind in machine.FORMATS
                          if (found := [p for p in result["products"] if kind in p]))
    disturbed = f"{len(m['disturbed'])}{' (kept)' if m['kept_disturbed'] and m['disturbed'] else ''}"
    return (f"| {result['task']} | {m['date']} | {m['commit']} | {m['rounds']} of {m['wanted']} | {disturbed} | "
            f"{m['attempts']} | {products} |")


def sittings(results):
    """The machines and versions that were measured, each with its tasks' count."""
    found = {}
    for result in results:
        key = (result["measured"]["machine"], result["measured"]["versions"])
        found[key] = found.get(key, 0) + 1
    return [f"- {machine_name}; {versions} ({count} tasks)." for (machine_name, versions), count in found.items()]


def task_sections(results):
    text = ["## Keel and its peers", "", "| work | peer | peer's rate | Keel's rate | ratio | wanted | met | Keel's share |",
            "|---|---|---|---|---|---|---|---|"]
    text += [line for result in results for line in task_rows(result)]
    text += ["", "Peak memory, GB:", "", "| work | peer | peer's | Keel's | ratio | wanted | met |",
             "|---|---|---|---|---|---|---|"]
    text += [line for result in results for line in memory_rows(result)]
    text += ["", "When, on what and how calmly each was measured (products in GFLOP/s):", "",
             "| work | date | commit | rounds | disturbed | tried at most | best product |", "|---|---|---|---|---|---|---|"]
    text += [measured_row(result) for result in results] + ["", *sittings(results), ""]
    text += ["The commands, from the repository's folder, after `. ~/.cache/keel/env.bench` and "
             "`$KEEL_PYTHON bench/run.py --prepare`, which writes the models and rows (Keel goes on with an unfinished run: "
             "remove runs/bench/run before its command):", "", "```"]
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
