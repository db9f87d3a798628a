"""The scaling curves: what is varied, what is held, what is drawn; and their part of docs/BENCHMARKS.md.

Each point is a Task, measured as the page's tasks are (session.py): Keel `auto`, and where it is cheap a peer.
"""

import statistics
from dataclasses import dataclass

import flops
import models
import plot
from reasons import REASONS
from session import figure, middle, ratios, shares
from tasks import Task

INTRODUCTION = """## Scaling

The points of a curve are interleaved: a round measures each of them once, with products between. The program is
started for each point. The breakdown is `perf`'s, of the time of both cores, loading the model included; the rates
are without loading.
"""
POWERS = (1, 2, 4, 8, 16, 32, 64)
MODELS = ("tiny", "h256", "h384", "m30", "h640", "m124-2k")
SAMPLES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Curve:
    name: str
    title: str
    x: str  # what is varied
    points: dict  # x -> Task
    profiled: tuple  # the x whose time is broken down
    drawn: str = "rate"  # or share, of the matrix rate
    labels: dict = None  # x -> name, where the number is not it

    def label(self, x):
        return self.labels[x] if self.labels else f"{x:,}"


def sized(kind, batch, **more):
    """Points of the models, at the number of elements in their matrices."""
    counts = {name: flops.matrix_elements(models.SHAPES[name]) for name in MODELS}
    points = {counts[name]: Task(f"{kind} {name}", name, kind, batch, **more) for name in MODELS}
    labels = {count: f"{name} ({count / 1e6:.1f} M)" for name, count in counts.items()}
    return dict(
        points=points, labels=labels, profiled=(counts["tiny"], counts["m30"], counts["m124-2k"]), drawn="share"
    )


def vocabularies(kind, batch, **more):
    return dict(
        points={
            size: Task(f"{kind} vocabulary {size}", f"m30-v{size}", kind, batch, **more) for size in models.VOCABULARIES
        },
        profiled=(2048, 32768, 131072),
    )


CURVES = [
    Curve(
        "length",
        "Training against the length of rows: SFT m30, 4,096 tokens a step",
        "tokens in a row",
        {
            n: Task(f"length {n}", "m30", "sft", 4096 // n, (n, n), beside=("float32",))
            for n in (64, 128, 256, 512, 1024, 2048, 4096)
        },
        (64, 512, 4096),
    ),
    Curve(
        "batch-sft",
        "Training against the rows of a step: SFT m30, rows of 128 tokens",
        "rows",
        {n: Task(f"SFT rows {n}", "m30", "sft", n, (128, 128)) for n in POWERS},
        (1, 8, 64),
    ),
    Curve(
        "batch-generate",
        "Generation against the rows at once: m30, prompts of 32, 64 new",
        "rows",
        {
            n: Task(f"generate rows {n}", "m30", "generate", n, (32, 32), 64, beside=("float32", "llama.cpp"))
            for n in POWERS
        },
        (1, 8, 64),
    ),
    Curve(
        "size-sft",
        "Training against the model's size: SFT, 8 rows of 256 tokens, vocabulary 2,048",
        "elements of the blocks' matrices",
        **sized("sft", 8, lengths=(256, 256)),
    ),
    Curve(
        "size-generate",
        "Generation against the model's size: 16 rows, prompts of 32, 64 new, vocabulary 2,048",
        "elements of the blocks' matrices",
        **sized("generate", 16, lengths=(32, 32), new=64),
    ),
    Curve(
        "vocabulary-sft",
        "Training against the vocabulary: SFT m30, 8 rows of 256 tokens",
        "vocabulary",
        **vocabularies("sft", 8, lengths=(256, 256)),
    ),
    Curve(
        "vocabulary-generate",
        "Generation against the vocabulary: m30, 16 rows, prompts of 32, 64 new",
        "vocabulary",
        **vocabularies("generate", 16, lengths=(32, 32), new=64),
    ),
    Curve(
        "samples-ppo",
        "PPO against the samples of a prompt: m30, 16 episodes a step, prompts of 128, 64 new",
        "samples a prompt",
        {n: Task(f"PPO samples {n}", "m30", "ppo", 16 // n, (128, 128), 64, n, mini_batches=1) for n in SAMPLES},
        (1, 16),
    ),
    Curve(
        "samples-generate",
        "Generation against the samples of a prompt: m30, 16 rows, prompts of 256, 64 new",
        "samples a prompt",
        {n: Task(f"generate samples {n}", "m30", "generate", 16 // n, (256, 256), 64, n) for n in SAMPLES},
        (1, 16),
    ),
    Curve(
        "context-generate",
        "Generation against the context: m30, 8 rows, prompts of 32 and new tokens up to it",
        "tokens in the context",
        {
            n: Task(f"generate context {n}", "m30", "generate", 8, (32, 32), n - 32)
            for n in (64, 128, 256, 512, 1024, 2048, 4096)
        },
        (64, 1024, 4096),
    ),
]


def drawing(curve, points):
    """The curve's SVG, of points that have rounds."""
    lines = {"Keel": {}}
    for point in points:
        own = shares(point) if curve.drawn == "share" else [one["rate"] for one in point["keel"]]
        lines["Keel"][point["x"]] = own
        for peer, rounds in (point["peers"] if curve.drawn == "rate" else {}).items():
            lines.setdefault(peer_name(peer), {})[point["x"]] = [one["rate"] for one in rounds]
    label = "share of the matrix rate" if curve.drawn == "share" else points[0]["unit"]
    return plot.svg(lines, curve.x, label, name=lambda x: curve.label(x).split()[0], percent=curve.drawn == "share")


def peer_name(peer):
    return peer if peer == "llama.cpp" else f"TRL, {peer}"


def span(values, form):
    around = f" ({form(min(values))}–{form(max(values))})" if len(values) > 1 else ""
    return form(statistics.median(values)) + around


def table(curve, points):
    peers = list(dict.fromkeys(peer for point in points for peer in point["peers"]))
    heads = [curve.x, f"Keel, {points[0]['unit']}", "share of the matrix rate"]
    heads += [head for peer in peers for head in (peer_name(peer), "ratio")]
    text = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for point in points:
        cells = [
            curve.label(point["x"]),
            span([one["rate"] for one in point["keel"]], figure),
            span(shares(point), "{:.1%}".format),
        ]
        for peer in peers:
            found = ratios(point, peer)
            cells += [figure(middle(point["peers"][peer])), span(found, "{:.2f}".format)] if found else ["–", "–"]
        text.append("| " + " | ".join(cells) + " |")
    return text


def phase_table(curve, points):
    """Shares of a step's time by phase, from Keel's metrics."""
    names = list(dict.fromkeys(name for point in points for one in point["keel"] for name in one.get("phases", {})))
    if not names:
        return []
    text = ["| a step's time, % | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for point in points:
        found = [one["phases"] for one in point["keel"] if one.get("phases")]
        shares_of = {name: [100 * one.get(name, 0) for one in found] for name in names}
        cells = [f"{statistics.median(values):.0f}" if values else "–" for values in shares_of.values()]
        text.append(f"| {curve.label(point['x'])} | " + " | ".join(cells) + " |")
    return text + [""]


def breakdown(curve, points):
    """The table of shares by kind of work, of the points that perf has looked at."""
    seen = [point for point in points if point.get("shares")]
    if not seen:
        return ["(`perf` was not there or not allowed: no breakdown of the time.)", ""]
    text = [
        "| processor time, % | " + " | ".join(curve.label(point["x"]) for point in seen) + " |",
        "|---" * (len(seen) + 1) + "|",
    ]
    for group in seen[0]["shares"]:
        row = [100 * point["shares"].get(group, 0) for point in seen]
        if max(row) >= 1:
            text.append(f"| {group} | " + " | ".join(f"{share:.0f}" for share in row) + " |")
    return text + [""]


def sections(results):
    text = [INTRODUCTION]
    by_name = {curve.name: curve for curve in CURVES}
    for result in results:
        curve = by_name[result["curve"]]
        points = [point for point in result["points"] if point["keel"]]
        if not points:
            continue
        image = f"![{curve.title}](results/scaling-{curve.name}.svg)"
        text += [f"### {curve.title}", "", image, "", *table(curve, points), "", *phase_table(curve, points)]
        text += breakdown(curve, points)
        text += [explained(curve), "", measured(points), ""]
    return text


def explained(curve):
    if curve.name not in REASONS:
        return "Not explained yet."
    commit, reason = REASONS[curve.name]
    return f"{reason} (Read from the figures of commit {commit}.)"


def measured(points):
    """When the points were measured, and how many rounds were disturbed."""
    stamps = dict.fromkeys(f"{p['measured']['date']}, commit {p['measured']['commit']}" for p in points)
    disturbed = sum(len(p["measured"]["disturbed"]) for p in points)
    kept = any(p["measured"]["kept_disturbed"] for p in points)
    rounds = sorted({len(p["keel"]) for p in points})
    counts = f"{rounds[0]} to {rounds[-1]}" if len(rounds) > 1 else f"{rounds[0]}"
    return (
        f"Measured {'; '.join(stamps)}: {counts} rounds a point, {disturbed} disturbed "
        f"({'kept' if kept and disturbed else 'tried again'}). Command of the first point: "
        f"`{points[0]['commands']['keel']}`."
    )
