"""make bench: loss curves of float32 and bfloat16 on a real run, into docs/BENCHMARKS.md and docs/results/precision.*

    $KEEL_PYTHON bench/precision.py --data ../shared/data

SFT of TinyStories-656K (real weights) on Tiny Shakespeare (real text, new to them), the same seeds in both formats: a
seed names the order of the rows, so that the runs of one seed differ by rounding alone, and the runs of one format by
the order alone. The held-out loss is that of the final weights in float32 arithmetic, whatever they were trained in.
Intervals: Student's t over the seeds.
"""

import gzip
import json
import math
import os
import shutil
import statistics
from pathlib import Path

import machine
import models
import page
import plot
from session import Session, parser
from tasks import ON_PROCESSOR, relative, run

FORMATS = ("float32", "bfloat16")
ROW_CHARACTERS = 400  # about 170 tokens of this tokenizer
HELD_OUT = 200
INTRODUCTION = """SFT of TinyStories-656K on Tiny Shakespeare, {steps} steps of 16 rows, {seeds} seeds in each
format; ± is half of the 95 % interval over the seeds. Difference: bfloat16 − float32 with the same seed. Within noise:
smaller than the standard deviation between seeds of float32."""
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571}  # two-sided quantiles of Student's t, by count


def write_rows(data, work):
    """Paragraphs joined to rows; the last HELD_OUT rows are held out. Returns the two files."""
    text = gzip.decompress((data / "text-corpora" / "tinyshakespeare.txt.gz").read_bytes()).decode()
    rows, row = [], ""
    for speech in text.split("\n\n"):
        row = f"{row}\n\n{speech}" if row else speech
        if len(row) >= ROW_CHARACTERS:
            rows.append({"text": row[: 2 * ROW_CHARACTERS]})
            row = ""
    parts = {"train": rows[:-HELD_OUT], "held-out": rows[-HELD_OUT:]}
    return [models.write(work / "rows" / f"shakespeare-{name}.jsonl", part) for name, part in parts.items()]


def command(session, data, files, kind, seed):
    return [
        relative(session.a.keel),
        "sft",
        "--model",
        relative(data / "weights-tinystories-656k"),
        "--data",
        relative(files[0]),
        "--output",
        relative(session.a.work / "run"),
        "--precision",
        kind,
        *ON_PROCESSOR,
        "--seed",
        str(seed),
        "--batch-size",
        "16",
        "--steps",
        str(session.a.run_steps),
        "--learning-rate",
        "5e-4",
        "--warmup-steps",
        "20",
    ]


def one_run(session, data, files, kind, seed):
    shutil.rmtree(session.a.work / "run", ignore_errors=True)
    run(command(session, data, files, kind, seed))
    rows = models.read(session.a.work / "run" / "metrics.jsonl")
    judge = run(
        [
            relative(session.a.keel),
            "eval",
            "perplexity",
            "--model",
            relative(session.a.work / "run" / "final"),
            "--data",
            relative(files[1]),
            "--precision",
            "float32",
            *ON_PROCESSOR,
        ]
    )
    held_out = json.loads(judge.stdout)["loss"]
    print(f"  {kind}, seed {seed}: held-out loss {held_out:.4f}", flush=True)
    return {"losses": [row["loss"] for row in rows], "held_out": held_out}


def measures(one):
    """Name -> number, of a run."""
    losses = one["losses"]
    return {
        "mean training loss": statistics.mean(losses),
        "training loss, last tenth": statistics.mean(losses[-max(1, len(losses) // 10) :]),
        "held-out loss at the end": one["held_out"],
    }


def interval(values):
    """Mean and half of the 95 % interval."""
    half = T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return statistics.mean(values), half


def differences(result, name):
    """bfloat16 minus float32, of each seed."""
    return [measures(b)[name] - measures(a)[name] for a, b in zip(*(result["runs"][kind] for kind in FORMATS))]


def row(result, name):
    """A line of the table. Within noise: the mean difference is smaller than the seeds' own deviation."""
    by_format = {kind: [measures(one)[name] for one in result["runs"][kind]] for kind in FORMATS}
    deviation = statistics.stdev(by_format["float32"])
    mean, half = interval(differences(result, name))
    cells = ["{:.4f} ± {:.4f}".format(*interval(by_format[kind])) for kind in FORMATS]
    met = page.verdict(abs(mean) < deviation)
    return f"| {name} | {cells[0]} | {cells[1]} | {mean:+.5f} ± {half:.5f} | {deviation:.5f} | {met} |"


def section(result):
    names = measures(result["runs"]["float32"][0])
    m, seeds = result["measured"], len(result["seeds"])
    return [
        "## Loss in float32 and bfloat16",
        "",
        INTRODUCTION.format(steps=len(result["runs"]["float32"][0]["losses"]), seeds=seeds),
        "",
        "![loss curves](results/precision.svg)",
        "",
        "| nats a token | float32 | bfloat16 | difference | between seeds | within noise |",
        "|---|---|---|---|---|---|",
        *(row(result, name) for name in names),
        "",
        gap(result),
        "",
        f"Measured {m['date']}, commit {m['commit']}. Command: `{result['command']}`.",
        "",
    ]


def gap(result, size=10):
    """Where the training losses of `size` steps differ most, and by how much in the second half of the run."""
    pairs = list(zip(*(result["runs"][kind] for kind in FORMATS)))
    steps = range(len(pairs[0][0]["losses"]))
    mean = [statistics.mean(b["losses"][i] - a["losses"][i] for a, b in pairs) for i in steps]
    pieces = {first: statistics.mean(mean[first : first + size]) for first in steps[: 1 - size : size]}
    first = max(pieces, key=lambda one: abs(pieces[one]))
    late = statistics.mean(mean[len(mean) // 2 :])
    return (
        f"By {size} steps the training losses differ most at steps {first + 1} to {first + size} "
        f"({pieces[first]:+.4f}); over the second half by {late:+.5f}."
    )


def drawing(result, pieces=40):
    """Training loss in means of some steps, a line a format, the bar from the lowest to the highest seed."""
    count = len(result["runs"]["float32"][0]["losses"])
    size = max(1, count // pieces)
    lines = {
        kind: {
            first + size: [statistics.mean(one["losses"][first : first + size]) for one in runs]
            for first in range(0, count - size + 1, size)
        }
        for kind, runs in result["runs"].items()
    }
    return plot.svg(lines, "step", "training loss, nats a token", straight=True)


def main():
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=Path(os.environ.get("KEEL_TEST_DATA", "../shared/data")))
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments.add_argument("--run-steps", type=int, default=200)
    session = Session(arguments.parse_args())
    if not session.chosen(["precision"]):
        return
    data = session.a.data.resolve()
    if not (data / "weights-tinystories-656k").is_dir():
        print(f"precision: no real weights in {data}: skipped (--data, KEEL_TEST_DATA)")
        return
    files = write_rows(data, session.a.work)
    if session.a.prepare:
        print(" ".join(command(session, data, files, "float32", 1)))
        return
    runs = {kind: [] for kind in FORMATS}
    for seed in session.a.seeds:
        for kind in FORMATS:
            runs[kind].append(one_run(session, data, files, kind, seed))
    result = {
        "runs": runs,
        "seeds": session.a.seeds,
        "measured": machine.stamp(),
        "command": " ".join(command(session, data, files, "bfloat16", 1)),
    }
    session.write("precision.json", result)
    (session.a.docs / "results" / "precision.svg").write_text(drawing(result), encoding="utf-8")
    page.write(session)


if __name__ == "__main__":
    main()
