"""Rankings or ratings: which teaches a reward model more in the same annotation time?

Simulated annotators see the same texts with the same noise and spend the same hours in four ways: pairs, rankings of four,
ratings from 1 to 5, and the same ratings brought to each annotator's own scale (`keel reward --standardise annotator`).
A rating adds what a number adds: each annotator has a scale and an offset of their own, and the number is whole. Time is
reading (238 words a minute, Brysbaert 2019, "How many words do we read per minute?") and deciding: three seconds a
rating, three seconds a comparison, of which a ranking of K takes log2(K!). A ranking reads its prompt once, a rating
each time. A tenth of an arm's own judgements says when its training stops. Deciding at half and at twice the pace is told, too: it changes how many judgements fit, and nothing else.

Texts: tulu-2-dpo-13b's answers to alpacaeval's instructions, 24 words of each; quality: how often one says you and your.

    tools/results/rankings_or_ratings.py [--seeds 1 2 3 4 5]       writes docs/results/rankings-or-ratings.*
"""

import argparse
import gzip
import json
import math
import pathlib
import random
import statistics
import subprocess

from reliability import HELD_OUT_INSTRUCTIONS, T_95, shortened, teacher

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANNOTATORS, HOURS, HELD_OUT = 8, 16.0, 800
WORDS_A_MINUTE, DECIDING = 238, 3.0  # and seconds
NOISE, OFFSET, STRETCH = 0.7, 0.7, 0.4  # deviations: of what is seen, and of annotators' offsets and log-scales
TRAINING = {"steps": 480, "batch_size": 16, "learning_rate": 1e-3, "warmup_steps": 40, "max_length": 256,
            "evaluate_every": 40, "select": "loss"}  # fmt: skip
OWN_HELD_OUT = 0.1  # of the judgements of an arm: they say when to stop
ARMS = {"pairs": 2, "rankings of 4": 4, "ratings": 1, "ratings by annotator": 1}


def reading(texts):
    return 60 * sum(len(text.split()) for text in texts) / WORDS_A_MINUTE


def deciding(width, pace):
    """Seconds of one judgement beside its reading; `pace` times as fast as stated."""
    return DECIDING / pace * (1 if width == 1 else math.log2(math.factorial(width)))


class People:
    """Annotators with scales of their own. What one sees of a text is its quality with noise."""

    def __init__(self, draws):
        self.draws = draws
        self.offsets = [draws.gauss(0, OFFSET) for _ in range(ANNOTATORS)]
        self.scales = [math.exp(draws.gauss(0, STRETCH)) for _ in range(ANNOTATORS)]

    def sees(self, text):
        return teacher(text) + self.draws.gauss(0, NOISE)

    def rating(self, who, text):
        return max(1, min(5, round(2 + self.offsets[who] + self.scales[who] * self.sees(text))))

    def ranks(self, texts):
        seen = [self.sees(text) for text in texts]
        return [1 + sum(other > one for other in seen) for one in seen]


def judged(instructions, width, draws, pace=1.0):
    """Rows of judgements until the hours are spent."""
    people, seconds, rows = People(draws), 3600 * HOURS, []
    while seconds > 0:
        row, who = draws.choice(instructions), draws.randrange(ANNOTATORS)
        prompt, texts = row["prompt"], draws.sample(row["responses"], width)
        seconds -= reading([prompt, *texts]) + deciding(width, pace)
        made = {"prompt": prompt, "annotator": f"annotator-{who}"}
        if width == 1:
            rows.append({**made, "completion": texts[0], "ratings": {"quality": people.rating(who, texts[0])}})
        else:
            rows.append({**made, "completions": texts, "ranks": people.ranks(texts)})
    return rows


def held_out_pairs(instructions, draws):
    pairs = []
    while len(pairs) < HELD_OUT:
        row = draws.choice(instructions)
        first, second = draws.sample(row["responses"], 2)
        if teacher(first) > teacher(second):
            pairs.append({"prompt": row["prompt"], "chosen": first, "rejected": second})
    return pairs


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def keel(arguments, *command, **options):
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    subprocess.run([arguments.keel, *command, *words], check=True, stdout=subprocess.DEVNULL)


def instructions_of(data, draws):
    path = data / "alpacaeval-kway" / "tulu2-dpo-13b-best-of-16.jsonl.gz"
    rows = [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]
    draws.shuffle(rows)
    rows = [{"prompt": shortened(row["prompt"]), "responses": [shortened(text) for text in row["responses"]]} for row in rows]
    return rows[HELD_OUT_INSTRUCTIONS:], rows[:HELD_OUT_INSTRUCTIONS]


def accuracy(arguments, folder, arm, rows, held_out, seed):
    name = arm.replace(" ", "-")
    options = {"standardise": "annotator"} if arm == "ratings by annotator" else {}
    own = int(len(rows) * OWN_HELD_OUT)
    keel(arguments, "reward", model=arguments.data / "weights-tinystories-656k", output=folder / name, seed=seed,
         data=write(folder / f"{name}.jsonl", rows[own:]), validation=write(folder / f"{name}-own.jsonl", rows[:own]),
         **TRAINING, **options)  # fmt: skip
    keel(arguments, "eval", "reward", model=folder / name / "final", data=held_out, output=folder / f"{name}.json")
    found = json.loads((folder / f"{name}.json").read_text())["accuracies"][0]
    return 100 * found["right"] / found["pairs"]


def figures(arguments, seed):
    folder = arguments.root / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    learned, apart = instructions_of(arguments.data, random.Random(seed))
    held_out = write(folder / "held-out.jsonl", held_out_pairs(apart, random.Random(seed)))
    found = {"seed": seed, "accuracy": {}, "judgements": {}, "judgements_by_pace": {}}
    for arm, width in ARMS.items():
        rows = judged(learned, width, random.Random(seed))
        found["judgements"][arm] = len(rows)
        found["judgements_by_pace"][arm] = {
            str(pace): len(judged(learned, width, random.Random(seed), pace)) for pace in (0.5, 1, 2)
        }
        found["accuracy"][arm] = accuracy(arguments, folder, arm, rows, held_out, seed)
    return found


def interval(values):
    mean = statistics.mean(values)
    half = T_95[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.1f} ({mean - half:.1f} to {mean + half:.1f})"


def page(results):
    lines = ["| arm | judgements (half, stated, twice the pace) | held-out accuracy, % | less ratings by annotator, points |",
             "|---|---|---|---|"]  # fmt: skip
    for arm in ARMS:
        counts = [round(statistics.mean(row["judgements_by_pace"][arm][pace] for row in results)) for pace in ("0.5", "1", "2")]
        own = [row["accuracy"][arm] for row in results]
        less = [row["accuracy"][arm] - row["accuracy"]["ratings by annotator"] for row in results]
        lines.append(f"| {arm} | {counts[0]:,}, {counts[1]:,}, {counts[2]:,} | {interval(own)} | "
                     f"{interval(less) if arm != 'ratings by annotator' else '–'} |")  # fmt: skip
    purpose = __doc__.split("\n\n    tools")[0].split("\n\n", 1)[1]
    return "\n".join(
        ["# Rankings or ratings", "", purpose, "",
         f"{ANNOTATORS} annotators, {HOURS:g} hours in each arm; noise {NOISE}, offsets {OFFSET}, log-scales {STRETCH} (deviations). "
         f"Reward models start from TinyStories-656K; {len(results)} seeds, intervals by Student's t. A difference whose interval holds 0 is none that these seeds show.", "", *lines, "",
         "tools/results/rankings_or_ratings.py wrote this page.", ""])  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keel", default=str(ROOT / "build" / "keel"))
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT / "runs" / "rankings-or-ratings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    results = [figures(arguments, seed) for seed in arguments.seeds]
    folder = ROOT / "docs" / "results"
    (folder / "rankings-or-ratings.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "rankings-or-ratings.md").write_text(page(results), encoding="utf-8")
    print(page(results))


if __name__ == "__main__":
    main()
