"""recipes/hh-reward.yaml beside TRL and simple rules, on the same held-out pairs of people: docs/results/hh-reward.md.

    tools/setup results && . ~/.cache/keel/env.results
    $KEEL_PYTHON tools/results/hh_reward.py      # runs/hh-reward is made when it is not there

TRL's RewardTrainer and `keel reward` start from one folder and read the same ids in the five folds; the difference of
their accuracies is of the same pairs. Rules: a Bradley-Terry model over bags of words (scikit-learn's logistic regression
on differences of counts), and "the shorter one is better". Intervals are bootstraps over prompts, 95 %.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("KEEL_TEST_DATA", ROOT / "../shared/data"))
WEIGHTS = DATA / "weights-tinystories-656k"
FOLDS = range(1, 6)
DRAWS = 10_000
RATE, BATCH, EPOCHS, WARMUP, CONTEXT = 0.003, 32, 2, 10, 512  # those of the recipe
END = 2  # the end-of-text id of these weights
SIDES = ("chosen", "rejected")


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def keel(*arguments):
    subprocess.run([ROOT / "build" / "keel", *map(str, arguments)], check=True, cwd=ROOT)


def sides(row):
    better = row["ranks"].index(min(row["ranks"]))
    return row["completions"][better], row["completions"][1 - better]


# Leads: by how much each held-out pair's better completion is ahead, by the model that did not see its fold. Each
# function returns {line of the held-out file: lead}.


def recipe_leads(run, name, fold):
    return {pair["line"]: pair["better"] - pair["worse"] for pair in read(run / f"{name}-{fold}.jsonl")}


def shorter_leads(run, fold):
    return {pair["line"]: -pair["longer"] for pair in read(run / f"pairs-{fold}.jsonl")}


def bag_of_words_leads(train, held_out):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(min_df=3).fit(text for row in train for text in row["completions"])

    def differences(rows):
        better, worse = (words.transform(sides(row)[side] for row in rows) for side in (0, 1))
        return better - worse

    x = differences(train)
    signs = np.where(np.arange(x.shape[0]) % 2 == 0, 1, -1)  # half of the pairs the other way round: two classes
    model = LogisticRegression(fit_intercept=False, C=0.02, max_iter=2000)
    model.fit(x.multiply(signs[:, None]).tocsr(), signs)
    return dict(enumerate(model.decision_function(differences(held_out)).tolist(), 1))


# TRL and Keel from one start, on the same ids.


def make_start(folder):
    """The weights with a fresh reward head (seed 1), and their tokenizer."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(WEIGHTS, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = 0
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(WEIGHTS).save_pretrained(folder)


def tokenized(rows, tokenizer):
    """Rows of ids that fit the context, with their lines; the end-of-text id closes each side."""
    made = []
    for line, row in enumerate(rows, 1):
        prompt = tokenizer(row["prompt"])["input_ids"]
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] + [END] for text in sides(row)]
        if len(prompt) + max(map(len, ids)) <= CONTEXT:
            made.append({"line": line, "prompt_ids": prompt, "chosen_ids": ids[0], "rejected_ids": ids[1]})
    return made


def trl_leads(start, train, held_out, tokenizer, work):
    import torch
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    tokenizer.pad_token = tokenizer.pad_token or tokenizer.unk_token
    model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=1, dtype=torch.float32)
    whole = [{side: row["prompt_ids"] + row[f"{side}_ids"] for side in SIDES} for row in train]
    data = [
        {f"{side}_input_ids": row[side] for side in SIDES}
        | {f"{side}_attention_mask": [1] * len(row[side]) for side in SIDES}
        for row in whole
    ]
    arguments = RewardConfig(
        output_dir=str(work),
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        max_length=CONTEXT,
        gradient_checkpointing=False,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        lr_scheduler_type="cosine",
        warmup_steps=WARMUP,
        optim="adamw_torch",
        seed=1,
    )
    RewardTrainer(
        model=model, processing_class=tokenizer, args=arguments, train_dataset=Dataset.from_list(data)
    ).train()
    model.eval()
    with torch.no_grad():
        reward = lambda ids: model(torch.tensor([ids])).logits.item()
        return {
            row["line"]: reward(row["prompt_ids"] + row["chosen_ids"])
            - reward(row["prompt_ids"] + row["rejected_ids"])
            for row in held_out
        }


def keel_leads(start, train, held_out, folder):
    write(folder / "train.jsonl", train)
    write(folder / "held-out.jsonl", held_out)
    keel("reward", "--model", start, "--data", folder / "train.jsonl", "--output", folder / "run", "--precision",
         "float32", "--batch-size", BATCH, "--epochs", EPOCHS, "--learning-rate", RATE, "--warmup-steps", WARMUP)  # fmt: skip
    keel("eval", "reward", "--model", folder / "run/final", "--data", folder / "held-out.jsonl", "--precision",
         "float32", "--pairs", folder / "pairs.jsonl", "--output", folder / "eval.json")  # fmt: skip
    found = read(folder / "pairs.jsonl")
    return {held_out[pair["line"] - 1]["line"]: pair["better"] - pair["worse"] for pair in found}


def fold_leads(run, work, fold):
    """{method: {line: lead}} of one fold, and its held-out rows."""
    from transformers import AutoTokenizer

    train, held_out = (read(run / "data" / f"{part}-{fold}.jsonl") for part in ("train", "held-out"))
    leads = {
        "keel reward (the recipe)": recipe_leads(run, "pairs", fold),
        "keel reward, permuted labels": recipe_leads(run, "control-pairs", fold),
        "bag of words": bag_of_words_leads(train, held_out),
        "the shorter one": shorter_leads(run, fold),
    }
    start = work / "start"
    if not (start / "config.json").exists():
        make_start(start)
    tokenizer = AutoTokenizer.from_pretrained(start)
    ids = [tokenized(rows, tokenizer) for rows in (train, held_out)]
    leads["keel reward, TRL's start"] = keel_leads(start, *ids, work / f"keel-{fold}")
    leads["TRL's RewardTrainer"] = trl_leads(start, *ids, tokenizer, work / f"trl-{fold}")
    return leads, held_out


# What is said of them.


def estimate(values, prompts, draws=DRAWS):
    """Mean and 95 % interval over resampled prompts."""
    names, place = np.unique(prompts, return_inverse=True)
    sums, counts = np.bincount(place, weights=values), np.bincount(place)
    drawn = np.random.default_rng(1).integers(0, len(names), (draws, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(np.mean(values)), "low": float(low), "high": float(high), "pairs": len(values)}


def right(lead):
    """A tie is half right."""
    return np.sign(lead) / 2 + 0.5


def matched(pair_row):
    """Lengths within a tenth of one another, in characters."""
    a, b = map(len, sides(pair_row))
    return abs(a - b) <= 0.1 * max(a, b)


def collect(run, work):
    """[{fold, line, prompt, matched, method: lead, ...}] of the pairs that every method has judged."""
    pairs = []
    for fold in FOLDS:
        leads, held_out = fold_leads(run, work, fold)
        shared = set.intersection(*(set(found) for found in leads.values()))
        for line in sorted(shared):
            row = held_out[line - 1]
            record = {"fold": fold, "line": line, "prompt": row["prompt"], "matched": matched(row)}
            pairs.append(record | {"leads": {method: found[line] for method, found in leads.items()}})
    return pairs


def summary(pairs):
    prompts = [pair["prompt"] for pair in pairs]
    scores = {m: np.array([right(pair["leads"][m]) for pair in pairs]) for m in pairs[0]["leads"]}
    same = np.array([pair["matched"] for pair in pairs])
    of = lambda values, chosen: estimate(values[chosen], [p for p, c in zip(prompts, chosen) if c])
    return {
        "prompts": len(set(prompts)),
        "methods": {m: {"all": estimate(s, prompts), "length-matched": of(s, same)} for m, s in scores.items()},
        "keel less TRL": estimate(scores["keel reward, TRL's start"] - scores["TRL's RewardTrainer"], prompts),
        "keel less bag of words": estimate(scores["keel reward (the recipe)"] - scores["bag of words"], prompts),
    }


def percent(estimated, signed=False):
    form = "{:+.1f}" if signed else "{:.1f}"
    value, low, high = (form.format(100 * estimated[key]) for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def page(found):
    every = next(iter(found["methods"].values()))
    control = found["methods"]["keel reward, permuted labels"]["all"]
    model = found["methods"]["keel reward (the recipe)"]["all"]
    trl = found["keel less TRL"]
    rows = [
        f"| {method} | {percent(of['all'])} | {percent(of['length-matched'])} |"
        for method, of in found["methods"].items()
    ]
    return "\n".join(
        [
            "# A reward model on people's judgements: hh-rlhf",
            "",
            "`keel run recipes/hh-reward.yaml`, then tools/results/hh_reward.py, which wrote this page. TinyStories-656K",
            f"learns from the pairs of harmless-base's test split (Bai et al. 2022) in five folds; {every['all']['pairs']:,}",
            f"held-out pairs on {found['prompts']:,} prompts fit its context of {CONTEXT} tokens. Accuracy in %, with 95 %",
            "intervals over prompts; length-matched: the lengths of both sides lie within a tenth of one another",
            f"({every['length-matched']['pairs']:,} pairs).",
            "",
            "| method | all | length-matched |",
            "|---|---|---|",
            *rows,
            "",
            f"- Better than chance: {'yes' if model['low'] > 0.5 else '**no**'}; the lower bound is {100 * model['low']:.1f} %.",
            f"- Permuted labels: {percent(control)}, which should hold 50.",
            f"- Keel less TRL on the same pairs, from one start and the same ids: {percent(trl, True)} points: "
            + ("no difference that these pairs show." if trl["low"] <= 0 <= trl["high"] else "**a difference**."),
            f"- The model less a bag of words: {percent(found['keel less bag of words'], True)} points.",
            "",
        ]
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--run", type=Path, default=ROOT / "runs" / "hh-reward")
    arguments.add_argument("--docs", type=Path, default=ROOT / "docs" / "results")
    a = arguments.parse_args()
    run = a.run.resolve()
    keel("run", "--recipe", "recipes/hh-reward.yaml", "--output", run)
    found = summary(collect(run, run.with_name(run.name + "-trl")))
    (a.docs / "hh-reward.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (a.docs / "hh-reward.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
