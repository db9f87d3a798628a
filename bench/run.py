"""make bench: Keel and its peers in turn, in one run, on one machine; ratios with their spread into docs/BENCHMARKS.md.

A round is a calibrating product, the peer, Keel, and the product again. A round in which other processes took more than
a twentieth of the machine, or in which the product's rate changed by a tenth, is discarded and said so.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import models

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# name, model, task, options, peers and the ratios that issue 4 asks for.
TASKS = [
    dict(name="SFT m30, 16 rows of 64-512 tokens", model="m30", task="sft", batch=16, lengths=(64, 512),
         targets={"float32": 5.0}),
    dict(name="SFT m30, own float32", model="m30", task="sft", batch=16, lengths=(64, 512), keel="float32",
         targets={"float32": 2.5}),
    dict(name="SFT m30, vocabulary 32k, 8 rows", model="m30-32k", task="sft", batch=8, lengths=(64, 512),
         targets={"float32": 5.0}),
    dict(name="SFT tiny, 32 rows", model="tiny", task="sft", batch=32, lengths=(64, 512), targets={"float32": 12.0}),
    dict(name="reward m30, 8 pairs", model="m30", task="reward", batch=8, lengths=(64, 512),
         targets={"float32": 6.0}),
    dict(name="DPO m30, 8 pairs", model="m30", task="dpo", batch=8, lengths=(64, 512), targets={"bfloat16": 3.5}),
    dict(name="PPO m30, batch 16, 64 new, 4 epochs", model="m30", task="ppo", batch=16, lengths=(32, 64),
         targets={"float32": 3.0}),
    dict(name="PPO tiny, batch 64, 64 new", model="tiny", task="ppo", batch=64, lengths=(16, 32),
         targets={"float32": 4.0, "bfloat16": 4.0}),
    dict(name="generate m30 x1", model="m30", task="generate", batch=1, new=256, lengths=(32, 32),
         targets={"float32": 8.0, "llama.cpp": 1.2}),
    dict(name="generate m30 x16", model="m30", task="generate", batch=16, new=256, lengths=(32, 32),
         targets={"float32": 4.5, "bfloat16": 4.5, "llama.cpp": 1.7}),
    dict(name="generate tiny x1", model="tiny", task="generate", batch=1, new=1024, lengths=(32, 32),
         targets={"float32": 40.0}),
    dict(name="generate tiny x64", model="tiny", task="generate", batch=64, new=256, lengths=(32, 32),
         targets={"float32": 10.0}),
    dict(name="generate m124 x8", model="m124", task="generate", batch=8, new=64, lengths=(32, 32),
         targets={"float32": 6.5, "llama.cpp": 1.7}),
]


def cpu_seconds():
    """Of the whole machine so far: busy."""
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def run(command):
    """Runs a program; returns its output and the share of the machine that others took meanwhile."""
    busy, began, own = cpu_seconds(), time.time(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    if done.returncode:
        raise SystemExit(f"[{command[0]} {command[1]}] exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    now = os.times()
    ours = now.children_user + now.children_system - own.children_user - own.children_system
    others = max(0.0, cpu_seconds() - busy - ours) / (time.time() - began) / os.cpu_count()
    return done, others


class Bench:
    def __init__(self, arguments):
        self.arguments, self.work = arguments, arguments.work
        self.disturbed = 0

    def peer(self, task, precision):
        folder = self.work / task["model"]
        kind = {"llama.cpp": "llama_cpp"}.get(precision, task["task"])
        command = [sys.executable, str(HERE / "peers.py"), kind, "--batch", str(task["batch"]),
                   "--new", str(task.get("new", 64)), "--steps", str(self.arguments.steps), "--data", str(task["data"]),
                   "--model", str(folder)]
        if kind != "llama_cpp":
            command += ["--precision", precision]
        done, others = run(command)
        return json.loads(done.stdout.strip().splitlines()[-1]), others

    def calibrate(self):
        done, others = run([sys.executable, str(HERE / "peers.py"), "calibrate", "--precision", "bfloat16"])
        return json.loads(done.stdout.strip().splitlines()[-1])["rate"], others

    def keel(self, task):
        precision = task.get("keel", "auto")
        folder, out = self.work / task["model"], self.work / "run"
        subprocess.run(["rm", "-rf", str(out)], check=True)
        keel = ["/usr/bin/time", "-f", "peak %M", str(self.arguments.keel), task["task"].replace("generate", "sample")]
        common = ["--precision", precision, "--output", str(out), "--seed", "1"]
        # Its steps are short: three times as many, of which the first third warms up.
        steps, batch = 3 * self.arguments.steps, task["batch"]
        training = ["--batch-size", str(batch), "--steps", str(steps), "--learning-rate", "1e-5", "--no-shuffle"]
        if task["task"] == "generate":
            done, others = run(keel + ["--model", str(folder / "policy"), "--prompts", str(task["data"]),
                                       "--max-new-tokens", str(task["new"]), "--ignore-eos", "--rows", str(batch)]
                               + common)
            line = [x for x in done.stderr.splitlines() if "tokens/s" in x][-1]
            rates = [float(line.split(" tokens/s")[0].split()[-1])]
        else:
            model = folder / ("reward" if task["task"] == "reward" else "policy")
            command = keel + ["--model", str(model), "--data", str(task["data"])] + common + training
            if task["task"] == "ppo":
                command += ["--reward-model", str(folder / "reward"), "--response-length", "64", "--ppo-epochs", "4",
                            "--mini-batches", "4"]
            done, others = run(command)
            rows = models.read(out / "metrics.jsonl")[self.arguments.steps:]
            count = task["tokens"] if task["task"] != "ppo" else batch
            rates = [count / row["seconds"] for row in rows]
        peak = int(done.stderr.split("peak ")[-1].split()[0]) / 1024**2
        return {"rate": statistics.median(rates), "rates": rates, "peak_gb": peak}, others

    def measure(self, task):
        models.build(task["model"], self.work / task["model"])
        self.write_rows(task)
        peers = {name: [] for name in task["targets"]}
        keel, products = [], []
        for _ in range(self.arguments.rounds):
            before, others = self.calibrate()
            found = {}
            for name in peers:
                found[name], load = self.peer(task, name)
                others = max(others, load)
            own, load = self.keel(task)
            after, last = self.calibrate()
            if max(others, load, last) > 0.05 or abs(after - before) > 0.1 * before:
                self.disturbed += 1
                print(f"  a round was disturbed: others took {max(others, load, last):.0%}, products {before:.0f} and "
                      f"{after:.0f} GFLOP/s", flush=True)
                if not self.arguments.keep_disturbed:
                    continue
            keel.append(own)
            products += [before, after]
            for name, result in found.items():
                peers[name].append(result)
        return {"task": task["name"], "targets": task["targets"], "keel": keel, "peers": peers, "products": products}

    def write_rows(self, task):
        name, shape = task["model"], (task["lengths"][0], task["lengths"][1])
        path = self.work / "rows" / f"{task['task']}-{name}-{task['batch']}.jsonl"
        if task["task"] == "sft":
            made = models.rows(name, task["batch"], *shape)
            task["tokens"] = sum(len(row["input_ids"]) for row in made)
        elif task["task"] in ("reward", "dpo"):
            made = models.pairs(name, task["batch"], *shape)
            task["tokens"] = sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"])
                                 for row in made)
        else:
            made = models.prompts(name, task["batch"], *shape)
        task["data"] = models.write(path, made)


def spread(values):
    return f"{min(values):,.3g}–{max(values):,.3g}" if len(values) > 1 else "one round"


def row(result):
    lines = []
    for name, target in result["targets"].items():
        ratios = [k["rate"] / p["rate"] for k, p in zip(result["keel"], result["peers"][name])]
        if not ratios:
            lines.append(f"| {result['task']} | {name} | no undisturbed round | | | {target} | – |")
            continue
        middle = statistics.median(ratios)
        keel = statistics.median(k["rate"] for k in result["keel"])
        peer = statistics.median(p["rate"] for p in result["peers"][name])
        lines.append(f"| {result['task']} | {name} | {peer:,.4g} | {keel:,.4g} | {middle:.2f} ({spread(ratios)}) | "
                     f"≥ {target} | {'yes' if middle >= target else '**no**'} |")
    return lines


def page(results, bench):
    version = subprocess.run([sys.executable, "-m", "pip", "list", "--format", "freeze"], capture_output=True,
                             text=True).stdout
    wanted = ("torch", "transformers", "trl", "llama", "accelerate")
    versions = ", ".join(line for line in version.splitlines() if line.split("=")[0].lower().startswith(wanted))
    cpu = next((x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    products = [rate for result in results for rate in result["products"]]
    text = ["# Benchmarks", "", "Written by `make bench` (bench/run.py): Keel and the peer in turn in one run, medians of "
            "undisturbed rounds; ratios with their smallest and largest.", "",
            f"- Machine: {cpu}, {os.cpu_count()} cores, {platform.platform()}.", f"- Versions: torch from set-up; {versions}.",
            f"- Products of 1,024³ in bfloat16 by torch meanwhile: {statistics.median(products):.0f} GFLOP/s "
            f"({spread(products)})." if products else "", f"- Disturbed rounds, {'kept' if bench.arguments.keep_disturbed else 'discarded'}: {bench.disturbed}.", "",
            "Rates: useful tokens/s for training (padding does not count), episodes/s for PPO, new tokens/s for generation. "
            "TRL's PPO runs with accumulation 4, which makes it take four optimizer steps an epoch (its `step` lies inside "
            "`accumulate`); Keel is given four mini-batches.", "",
            "| work | peer | peer's rate | Keel's rate | ratio | wanted | met |", "|---|---|---|---|---|---|---|"]
    for result in results:
        text += row(result)
    text += ["", "Peak memory (resident, GB):", "", "| work | peer | peer's | Keel's | ratio |", "|---|---|---|---|---|"]
    for result in results:
        for name, found in result["peers"].items():
            if found and result["keel"]:
                peer, keel = (statistics.median(x["peak_gb"] for x in side) for side in (found, result["keel"]))
                text.append(f"| {result['task']} | {name} | {peer:.2f} | {keel:.2f} | {keel / peer:.2f} |")
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keel", type=Path, default=ROOT / "build" / "keel")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--only", default="", help="tasks whose name matches this expression")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--keep-disturbed", action="store_true")
    parser.add_argument("--no-page", action="store_true")
    arguments = parser.parse_args()
    arguments.keel, arguments.work = arguments.keel.resolve(), arguments.work.resolve()
    bench, results = Bench(arguments), []
    for task in TASKS:
        if re.search(arguments.only, task["name"]):
            print(task["name"], flush=True)
            results.append(bench.measure(dict(task)))
            print("\n".join(row(results[-1])), flush=True)
            if not arguments.no_page:
                write_page(results, bench)


def write_page(results, bench):
    """After every task, so that what was measured is kept."""
    (ROOT / "docs" / "BENCHMARKS.md").write_text(page(results, bench), encoding="utf-8")
    (ROOT / "docs" / "results" / "benchmarks.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
