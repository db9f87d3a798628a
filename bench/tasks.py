"""The tasks on the page, each as rows of data, command lines of Keel and its peers, and what they printed."""

import json
import shlex
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import flops
import models
from machine import ROOT

PPO_EPOCHS = 4
SHORTEST, LONGEST = 4096, 20000  # new tokens of a run
UNITS = {"generate": "new tokens/s", "ppo": "episodes/s"}
ON_PROCESSOR = ("--device", "cpu")  # as the peers, also where there is an accelerator
PEERS = {"float32": "float32", "bfloat16": "bfloat16", "llama.cpp": "llama_cpp"}


@dataclass(frozen=True)
class Task:
    name: str
    model: str
    kind: str  # sft, reward, dpo, ppo, generate
    batch: int  # rows, pairs or prompts of a step; generation: prompts at once
    lengths: tuple = (64, 512)  # shortest and longest row or prompt
    new: int = 64  # tokens of a response
    samples: int = 1  # responses to a prompt
    mini_batches: int = 4  # of PPO
    precision: str = "auto"
    targets: dict = field(default_factory=dict, hash=False)  # peer -> wanted ratio of rates
    memory: dict = field(default_factory=dict, hash=False)  # peer -> wanted ratio of peak memory
    beside: tuple = ()  # peers to measure though no ratio of rates is wanted
    options: tuple = ()  # of Keel's command, beside those that every task of the kind has

    @property
    def unit(self):
        return UNITS.get(self.kind, "useful tokens/s")


# Wanted: issue 4.
TASKS = [
    Task("SFT m30, 16 rows of 64-512 tokens", "m30", "sft", 16, targets={"float32": 5.0}, memory={"float32": 0.20}),
    Task("SFT m30, own float32", "m30", "sft", 16, precision="float32", targets={"float32": 2.5}),
    Task("SFT m30, vocabulary 32k, 8 rows", "m30-32k", "sft", 8, targets={"float32": 5.0}, memory={"float32": 0.26}),
    Task("SFT tiny, 32 rows", "tiny", "sft", 32, targets={"float32": 12.0}),
    Task("reward m30, 8 pairs", "m30", "reward", 8, targets={"float32": 6.0}),
    Task("DPO m30, 8 pairs", "m30", "dpo", 8, targets={"bfloat16": 3.5}),
    Task(
        "PPO m30, batch 16, 64 new, 4 epochs",
        "m30",
        "ppo",
        16,
        (32, 64),
        targets={"float32": 3.0},
        memory={"float32": 0.58},
    ),
    Task(
        "PPO m30, bfloat16 moments",
        "m30",
        "ppo",
        16,
        (32, 64),
        memory={"float32": 0.48},
        beside=("float32",),
        options=("--moments", "bfloat16"),
    ),
    Task("PPO m30, own float32", "m30", "ppo", 16, (32, 64), precision="float32", targets={"float32": 1.6}),
    Task("PPO tiny, batch 64, 64 new", "tiny", "ppo", 64, (16, 32), targets={"float32": 4.0, "bfloat16": 4.0}),
    Task("generate m30 x1", "m30", "generate", 1, (32, 32), 256, targets={"float32": 8.0, "llama.cpp": 1.2}),
    Task(
        "generate m30 x16",
        "m30",
        "generate",
        16,
        (32, 32),
        256,
        targets={"float32": 4.5, "bfloat16": 4.5, "llama.cpp": 1.7},
    ),
    Task("generate tiny x1", "tiny", "generate", 1, (32, 32), 1024, targets={"float32": 40.0}),
    Task("generate tiny x64", "tiny", "generate", 64, (32, 32), 256, targets={"float32": 10.0}),
    Task("generate m124 x8", "m124", "generate", 8, (32, 32), 64, targets={"float32": 6.5, "llama.cpp": 1.7}),
]


def relative(path):
    path = Path(path).resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"[{shlex.join(command)}] exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done


def phases(rows):
    """Shares of a step's time by phase, as the program's metrics tell: medians over the rows."""
    names = [name for name in rows[-1].get("timing", {}) if name not in ("tokens_per_second", "matrix_rate_share")]
    return {name: statistics.median(row["timing"][name] for row in rows) for name in names}


class Job:
    """A task on this machine: its rows and models under `work`, written once."""

    def __init__(self, task, keel, work, steps, least=0):
        """steps: timed ones of a peer. Keel's are short: it takes three times as many, of which the first third warms
        up, and of generation as many batches as make SHORTEST tokens of m30 (more of smaller models) or `least`."""
        self.task, self.keel, self.work, self.steps = task, keel, work, steps
        self.model, self.out = work / task.model, work / "run"
        tokens = task.batch * task.samples * task.new
        least = max(least, int(SHORTEST * models.times_smaller(task.model)))
        batches = max(steps, -(-least // tokens)) if task.kind == "generate" and tokens < LONGEST else 1
        self.rows = task.batch * batches
        low, high = task.lengths
        self.data = work / "rows" / f"{task.kind}-{task.model}-{self.rows}-{low}-{high}.jsonl"

    def prepare(self):
        task, shape = self.task, models.SHAPES[self.task.model]
        trunks = ("policy", "reward") if task.kind in ("reward", "ppo") else ("policy",)
        models.build(task.model, self.model, trunks)
        make = {"sft": models.rows, "reward": models.pairs, "dpo": models.pairs}.get(task.kind, models.prompts)
        made = make(task.model, self.rows, *task.lengths)
        models.write(self.data, made)
        count = {
            "sft": self.count_sft,
            "reward": self.count_pairs,
            "dpo": self.count_pairs,
            "ppo": self.count_ppo,
            "generate": self.count_generate,
        }[task.kind]
        self.units, self.step_flops = count(shape, made)

    # What the rows are in one step: how many of the rate's unit, and its model FLOPs.

    def count_sft(self, shape, rows):
        lengths = [len(row["input_ids"]) for row in rows]
        return sum(lengths), flops.sft(shape, lengths)

    def count_pairs(self, shape, rows):
        pairs = [[len(row[f"{part}_ids"]) for part in ("prompt", "chosen", "rejected")] for row in rows]
        return sum(2 * p + c + r for p, c, r in pairs), getattr(flops, self.task.kind)(shape, pairs)

    def count_ppo(self, shape, rows):
        prompts = [len(row["prompt_ids"]) for row in rows]
        step = flops.ppo(shape, prompts, self.task.new, self.task.samples, PPO_EPOCHS)
        return len(rows) * self.task.samples, step

    def count_generate(self, shape, rows):
        prompts = [len(row["prompt_ids"]) for row in rows]
        return len(rows) * self.task.samples * self.task.new, flops.generate(
            shape, prompts, self.task.new, self.task.samples
        )

    def keel_command(self):
        task, trunk = self.task, "reward" if self.task.kind == "reward" else "policy"
        command = [
            relative(self.keel),
            "sample" if task.kind == "generate" else task.kind,
            "--model",
            relative(self.model / trunk),
            "--precision",
            task.precision,
            *ON_PROCESSOR,
            "--output",
            relative(self.out),
            "--seed",
            "1",
        ]
        if task.kind == "generate":
            return command + [
                "--prompts",
                relative(self.data),
                "--max-new-tokens",
                str(task.new),
                "--ignore-eos",
                "--rows",
                str(task.batch * task.samples),
                "-n",
                str(task.samples),
                *task.options,
            ]
        command += [
            "--data",
            relative(self.data),
            "--batch-size",
            str(task.batch),
            "--steps",
            str(3 * self.steps),
            "--learning-rate",
            "1e-5",
            "--no-shuffle",
        ]
        if task.kind == "ppo":
            command += [
                "--reward-model",
                relative(self.model / "reward"),
                "--response-length",
                str(task.new),
                "--ppo-epochs",
                str(PPO_EPOCHS),
                "--mini-batches",
                str(task.mini_batches),
                "--samples-per-prompt",
                str(task.samples),
            ]
        return command + list(task.options)

    def remove_output(self):
        if self.out.is_dir():
            shutil.rmtree(self.out)
        self.out.unlink(missing_ok=True)

    def measure_keel(self):
        self.remove_output()
        done = run(["/usr/bin/time", "-f", "peak %M"] + self.keel_command())
        peak = int(done.stderr.split("peak ")[-1].split()[0]) / 1024**2
        if self.task.kind == "generate":
            line = [x for x in done.stderr.splitlines() if "tokens/s" in x][-1]
            rate = float(line.split(" tokens/s")[0].split()[-1])
            return {"rate": rate, "rates": [rate], "peak_gb": peak}
        rows = models.read(self.out / "metrics.jsonl")[self.steps :]
        measured = [self.units * self.length_share(row) / row["seconds"] for row in rows]
        return {"rate": statistics.median(measured), "rates": measured, "peak_gb": peak, "phases": phases(rows)}

    def length_share(self, row):
        """A response of random weights ends early now and then; TRL's never do. An episode is `new` tokens."""
        return row["response_length"] / self.task.new if self.task.kind == "ppo" else 1

    def peer_command(self, peer):
        kind = "llama_cpp" if peer == "llama.cpp" else self.task.kind
        command = [
            "bench/peers.py",
            kind,
            "--model",
            relative(self.model),
            "--data",
            relative(self.data),
            "--batch",
            str(self.task.batch),
            "--new",
            str(self.task.new),
            "--steps",
            str(self.steps),
        ]
        return command + ([] if peer == "llama.cpp" else ["--precision", peer])

    def measure_peer(self, peer):
        return json.loads(run([sys.executable] + self.peer_command(peer)).stdout.strip().splitlines()[-1])
