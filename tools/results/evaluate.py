"""Scores the samples of one seed's models and keeps the raw figures that analyse.py reads.

For each arm a gzipped JSON: by prompt and sample the proxy's reward, each judge's probability of "positive", the
length, the log-likelihood under policy and SFT model (nats, temperature 1), and distinct-2; beside it PPO's own
metrics.jsonl with five digits a number. The judges never meet the proxy here: each is a column of its own.
"""
import gzip
import hashlib
import json
import subprocess

import numpy as np

import judge_tfidf
from measures import accuracy, distinct_2

SAMPLES = 4       # a prompt, of every arm
BEST_OF_SAMPLES = 64  # a prompt, of the SFT model
EXAMPLES = 12     # texts kept of every arm: the first samples of prompts spread evenly


def read_rows(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def write_gzipped(path, text):
    """Equal text makes equal files: no time stamp."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


class Evaluation:
    def __init__(self, keel, folder, data, raw, prompts):
        self.keel, self.folder, self.data, self.raw, self.prompts = keel, folder, data, raw, prompts
        part = "train" if prompts == "validation" else "all"  # what the neural judge learns from, too
        self.tfidf = judge_tfidf.train(data / f"judge-{part}-texts.jsonl")

    def score(self, model, rows, output):
        """Rows of `keel score`, computed once for these weights and these rows."""
        source = hashlib.sha256((model / "model.safetensors").read_bytes() + rows.read_bytes()).hexdigest()
        scored_from = output.with_suffix(".source")
        if not (output.exists() and scored_from.exists() and scored_from.read_text() == source):
            output.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([self.keel, "score", "--model", str(model), "--data", str(rows), "--end", "no",
                            "--output", str(output)], check=True)
            scored_from.write_text(source)
        return read_rows(output)

    def rewards(self, model, rows, output):
        return [row["reward"] for row in self.score(model, rows, output)]

    def judges(self):
        """Accuracy of proxy and judges on the reviews of the part whose prompts are sampled."""
        out, result = self.raw / "judges.json", {"tfidf": {}, "judge": {}, "proxy": {}}
        for part in ("held-out",) if self.prompts == "held-out" else ("proxy-validation", "judge-validation"):
            rows = self.data / f"{part}.jsonl"
            labels = [row["label"] for row in read_rows(rows)]
            result["tfidf"][part] = judge_tfidf.accuracy(self.tfidf, self.data / f"{part}-texts.jsonl")
            for name in ("judge", "proxy"):
                logits = self.rewards(self.folder / name / "final", rows,
                                      self.folder / "scores" / f"{part}-{name}.jsonl")
                result[name][part] = accuracy(logits, labels)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")

    def sft(self):
        self.measure("sft", self.folder, "sft", BEST_OF_SAMPLES)

    def arm(self, name, folder):
        self.measure(name, folder, "ppo", SAMPLES)
        rows = [{k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()}
                for row in read_rows(folder / "ppo" / "metrics.jsonl")]
        write_gzipped(self.raw / f"{name}.metrics.jsonl.gz", "".join(json.dumps(row) + "\n" for row in rows))

    def measure(self, name, folder, stage, samples):
        """Every figure of one arm's samples -> raw/<name>.json.gz."""
        rows = read_rows(folder / "samples" / f"{stage}.jsonl")
        scores = self.folder / "scores" / name
        scores.mkdir(parents=True, exist_ok=True)
        # keel sample names the ids "tokens"; keel score takes "completion_ids".
        all_rows, few_rows = scores / "all.jsonl", scores / "few.jsonl"
        ids = [json.dumps({"prompt_ids": r["prompt_ids"], "completion_ids": r["tokens"]}) + "\n" for r in rows]
        few = [i for i in range(len(rows)) if i % samples < SAMPLES]
        all_rows.write_text("".join(ids))
        few_rows.write_text("".join(ids[i] for i in few))
        grid = lambda values, digits, width=samples: (
            np.asarray(values, float).reshape(-1, width).round(digits).tolist())
        sums = {who: [sum(row["logps"]) for row in self.score(model, few_rows, scores / f"logps-{who}.jsonl")]
                for who, model in (("sft", self.folder / "sft" / "final"),
                                   ("policy", folder / stage / "final"))}
        texts = [row["prompt"] + row["completion"] for row in rows]
        spread = few[::max(1, len(few) // EXAMPLES)][:EXAMPLES]
        write_gzipped(self.raw / f"{name}.json.gz", json.dumps({
            "proxy": grid(self.rewards(self.folder / "proxy" / "final", all_rows, scores / "proxy.jsonl"), 3),
            "judge": grid(sigmoid(self.rewards(self.folder / "judge" / "final", all_rows,
                                               scores / "judge.jsonl")), 4),
            "tfidf": grid(self.tfidf.predict_proba(texts)[:, 1], 4),
            "length": grid([len(rows[i]["tokens"]) for i in few], 0, SAMPLES),
            "logp_sft": grid(sums["sft"], 3, SAMPLES), "logp_policy": grid(sums["policy"], 3, SAMPLES),
            "distinct_2": distinct_2([rows[i]["tokens"] for i in few]),
            "finished": float(np.mean([rows[i]["finish_reason"] != "length" for i in few])),
            "examples": [{"prompt": rows[i]["prompt"], "completion": rows[i]["completion"]} for i in spread]}))
