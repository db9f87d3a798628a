"""Does weighting by reliability repay? Twenty seeded annotators judge pairs of real completions, three to a pair.

Ten are right 85 % of the time, six always say the contrary, four say anything. The teacher who is right prefers the
answer that addresses its reader more often (you, your); pairs without a difference are left out. The answers are
tulu-2-dpo-13b's to alpacaeval's instructions, cut to 24 words; held-out pairs are of other instructions, judged by
the teacher. A reward model is trained from TinyStories-656K on three sets of rows of equal number:

    clean         what the teacher says
    none          what the annotators say, each the same        (keel reward --weigh none)
    reliability   what the annotators say, weighted              (keel reward --weigh reliability --most-hostile 0.5)

The loss is clean - none, in points of held-out accuracy; recovered is (reliability - none) / (clean - none). Wanted:
clean at least 80 %, a loss of at least 8 points, a lower bound of what is recovered of at least 50 %.

    tools/results/reliability.py --data ../shared/data [--seeds 1 2 3 4 5]     writes docs/results/reliability.*
"""
import argparse
import gzip
import json
import pathlib
import random
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANNOTATORS, LABELS, PAIRS, HELD_OUT = 20, 3, 2000, 800
HELD_OUT_INSTRUCTIONS, WORDS = 205, 24
TRAINING = {"steps": 400, "batch_size": 16, "learning_rate": 1e-3, "warmup_steps": 50, "max_length": 256}
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # n seeds


def shortened(text):
    return " ".join(text.split()[:WORDS])


def teacher(text):
    return sum(word.strip(".,!?;:'\"").lower() in ("you", "your", "yours") for word in text.split())


def pairs_of(path, draws):
    """{"prompt", "better", "worse"}: those to learn from, and held-out ones of other instructions."""
    rows = [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]
    draws.shuffle(rows)
    parts = []
    for part, wanted in ((rows[HELD_OUT_INSTRUCTIONS:], PAIRS), (rows[:HELD_OUT_INSTRUCTIONS], HELD_OUT)):
        pairs, seen = [], set()
        for _ in range(200 * wanted):
            row = draws.choice(part)
            first, second = (shortened(text) for text in draws.sample(row["responses"], 2))
            if teacher(first) <= teacher(second) or (first, second) in seen:
                continue
            seen.add((first, second))
            pairs.append({"prompt": shortened(row["prompt"]), "better": first, "worse": second})
            if len(pairs) == wanted:
                break
        parts.append(pairs)
    return parts


def is_right(annotator, draws):
    if annotator < 10:
        return draws.random() < 0.85
    return False if annotator < 16 else draws.random() < 0.5


def judgements(pairs, draws):
    for pair in pairs:
        for annotator in draws.sample(range(ANNOTATORS), LABELS):
            yield pair, annotator, is_right(annotator, draws)


def ranking(pair, right, draws, **fields):
    """Shown in any order."""
    texts = [pair["better"], pair["worse"]]
    ranks = [1, 2] if right else [2, 1]
    if draws.random() < 0.5:
        texts.reverse(), ranks.reverse()
    return {"prompt": pair["prompt"], "completions": texts, "ranks": ranks, **fields}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class Seed:
    def __init__(self, arguments, seed):
        self.keel, self.data, self.seed = arguments.keel, arguments.data, seed
        self.folder = arguments.root / f"seed-{seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.training = {**TRAINING, **({"steps": arguments.steps} if arguments.steps else {})}

    def run(self, *command, **options):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        return subprocess.run([self.keel, *command, *words], check=True, stdout=subprocess.PIPE, text=True).stdout

    def prepare(self):
        draws = random.Random(self.seed)
        pairs, held_out = pairs_of(self.data / "alpacaeval-kway" / "tulu2-dpo-13b-best-of-16.jsonl.gz", draws)
        judged = list(judgements(pairs, draws))
        rows = [ranking(pair, right, draws, annotator=f"annotator-{annotator:02}", kind="simulated")
                for pair, annotator, right in judged]
        write(self.folder / "rows.jsonl", rows)
        write(self.folder / "clean.jsonl", [ranking(pair, True, draws) for pair, _, _ in judged])
        write(self.folder / "held-out.jsonl", [ranking(pair, True, draws) for pair in held_out])
        store = self.folder / "feedback.db"
        if not store.exists():
            self.run("feedback", "import", store=store, data=self.folder / "rows.jsonl")
        return store, sum(not right for _, _, right in judged) / len(judged), len(pairs), len(held_out)

    def accuracy(self, arm, data, **options):
        output = self.folder / arm
        self.run("reward", model=self.data / "weights-tinystories-656k", data=data, output=output, seed=self.seed,
                 validation=self.folder / "held-out.jsonl", evaluate_every=self.training["steps"],
                 **self.training, **options)
        rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        return 100 * [row["validation_accuracy"] for row in rows if "validation_accuracy" in row][-1]

    def figures(self):
        store, wrong, pairs, held_out = self.prepare()
        verdicts = json.loads(self.run("feedback", "reliability", "--json", store=store, kinds="simulated",
                                       most_hostile=0.5))
        found = {}
        for one in verdicts["annotators"]:
            found[one["verdict"]] = found.get(one["verdict"], 0) + 1
        figures = {"seed": self.seed, "pairs": pairs, "held_out": held_out, "wrong_labels": wrong,
                   "verdicts": found,
                   "clean": self.accuracy("clean", self.folder / "clean.jsonl"),
                   "none": self.accuracy("none", store, judges="simulated", weigh="none"),
                   "reliability": self.accuracy("reliability", store, judges="simulated", weigh="reliability",
                                                most_hostile=0.5)}
        figures["loss"] = figures["clean"] - figures["none"]
        figures["recovered"] = (figures["reliability"] - figures["none"]) / figures["loss"]
        figures["still_wrong"] = self.wrong_weight()
        return figures

    def wrong_weight(self):
        """The share of the weight that teaches what is wrong, by the teacher."""
        rows = [json.loads(line) for line in (self.folder / "reliability.rows.jsonl").read_text().splitlines()]
        wrong = whole = 0
        for row in rows:
            first = teacher(row["completions"][0]) > teacher(row["completions"][1])
            whole += row["weight"]
            wrong += row["weight"] * (first != (row["ranks"][0] < row["ranks"][1]))
        return wrong / whole


def interval(values):
    """The mean over seeds with its t interval."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = T_95[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def table(results):
    lines = ["| | mean of the seeds | 95 % | wanted |", "|---|---|---|---|"]
    for name, key, scale, wanted in (("clean accuracy, %", "clean", 1, "≥ 80"), ("unweighted, %", "none", 1, ""),
                                     ("weighted, %", "reliability", 1, ""), ("loss, points", "loss", 1, "≥ 8"),
                                     ("recovered, %", "recovered", 100, "lower bound ≥ 50"),
                                     ("wrong labels, %", "wrong_labels", 100, ""),
                                     ("weight that teaches what is wrong, %", "still_wrong", 100, "")):
        mean, low, high = interval([scale * row[key] for row in results])
        lines.append(f"| {name} | {mean:.1f} | {low:.1f} to {high:.1f} | {wanted} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keel", default=str(ROOT / "build" / "keel"))
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT / "runs" / "reliability")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--steps", type=int, default=0, help="of each training; 0: as the results have it")
    arguments = parser.parse_args()
    results = [Seed(arguments, seed).figures() for seed in arguments.seeds]
    text = table(results)
    print(text)
    if arguments.steps:
        return
    folder = ROOT / "docs" / "results"
    (folder / "reliability.json").write_text(json.dumps(results, indent=1) + "\n")
    page = (folder / "reliability.md").read_text(encoding="utf-8")
    before, rest = page.split("<!-- figures -->", 1)
    after = rest.split("<!-- end -->", 1)[1]
    (folder / "reliability.md").write_text(f"{before}<!-- figures -->\n{text}\n<!-- end -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
