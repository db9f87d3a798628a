"""One sitting: arguments that every benchmark takes, rounds of tasks, results that stay between sittings."""

import argparse
import json
import re
import shlex
import statistics
from pathlib import Path

import flops
import machine
import models
import shares as breakdown
from machine import ROOT
from rounds import interleaved
from tasks import Job

PROFILED = 16384  # tokens of m30, at least, of a run that is profiled


def parser(description):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--keel", type=Path, default=ROOT / "build" / "keel", help="the program")
    made.add_argument("--work", type=Path, default=ROOT / "runs" / "bench", help="where models and rows are made")
    made.add_argument("--docs", type=Path, default=ROOT / "docs", help="where BENCHMARKS.md and results/ are")
    made.add_argument("--only", default="", help="what matches this expression; other results are kept")
    made.add_argument("--rounds", type=int, default=3, help="undisturbed rounds wanted of each task")
    made.add_argument("--attempts", type=int, default=0, help="rounds tried at most; default: three times as many")
    made.add_argument("--steps", type=int, default=3, help="timed steps of a peer; Keel has twice as many")
    made.add_argument("--keep-disturbed", action="store_true", help="and mark the task as measured on a busy machine")
    made.add_argument("--no-peers", action="store_true", help="Keel alone, where no ratio is wanted")
    made.add_argument("--no-profile", action="store_true", help="no breakdowns by perf")
    made.add_argument("--prepare", action="store_true", help="write models and rows, print commands, measure nothing")
    return made


class Session:
    def __init__(self, arguments):
        self.a = arguments
        self.a.keel, self.a.work, self.a.docs = (
            path.resolve() for path in (arguments.keel, arguments.work, arguments.docs)
        )
        self.attempts = arguments.attempts or 3 * arguments.rounds
        self.stamp = machine.stamp()

    def chosen(self, names):
        return [name for name in names if re.search(self.a.only, name)]

    def job(self, task):
        made = Job(task, self.a.keel, self.a.work, self.a.steps)
        made.prepare()
        return made

    def measure(self, tasks):
        """[result] of tasks whose rounds are interleaved."""
        jobs = {task: self.job(task) for task in tasks}
        if self.a.prepare:
            for job in jobs.values():
                print("\n".join([f"# {job.task.name}", *self.commands(job).values()]))
            return []
        kept, disturbed = interleaved(tasks, self.a.rounds, self.attempts, lambda task: self.round(jobs[task]))
        return [self.result(jobs[task], kept[task], disturbed[task]) for task in tasks]

    def peers(self, task):
        return [] if self.a.no_peers else [*task.targets, *task.beside]

    def round(self, job):
        """Products, the peers, Keel, products; and what disturbed them."""
        before = machine.products()
        with machine.Watch() as watch:
            found = {peer: job.measure_peer(peer) for peer in self.peers(job.task)}
            keel = job.measure_keel()
        after = machine.products()
        reason = machine.complaint(before, after, watch.others)
        print(
            f"  {job.task.name}: {keel['rate']:,.4g} {job.task.unit}" + (f" (disturbed: {reason})" if reason else ""),
            flush=True,
        )
        result = {"keel": keel, "peers": found, "products": machine.best(before, after), "disturbed": reason}
        return result, None if self.a.keep_disturbed else reason

    def profile(self, task):
        """The breakdown of a run's time (shares.py), or None; the run is long, so that loading hides nothing."""
        if self.a.no_profile or not breakdown.available():
            return None
        least = int(PROFILED * models.times_smaller(task.model))
        # A step of PPO is long anyway.
        steps = 1 if task.kind == "ppo" else -(-least // (3 * task.batch * task.lengths[1]))
        job = Job(task, self.a.keel, self.a.work, max(self.a.steps, steps), least=least)
        job.prepare()
        job.remove_output()
        return breakdown.shares(job.keel_command())

    def commands(self, job):
        python = {
            peer: shlex.join(["$KEEL_PYTHON"] + job.peer_command(peer)).replace("'$KEEL_PYTHON'", "$KEEL_PYTHON")
            for peer in self.peers(job.task)
        }
        return {"keel": shlex.join(job.keel_command()), **python}

    def result(self, job, rounds, disturbed):
        task, shape = job.task, models.SHAPES[job.task.model]
        if self.a.keep_disturbed:
            disturbed = [one["disturbed"] for one in rounds if one["disturbed"]]
        return {
            "task": task.name,
            "unit": task.unit,
            "targets": task.targets,
            "memory": task.memory,
            "format": flops.format_used(task.precision, shape, machine.bfloat16_is_faster(task.kind)),
            "flops": job.step_flops / job.units,
            "keel": [one["keel"] for one in rounds],
            "peers": {peer: [one["peers"][peer] for one in rounds] for peer in self.peers(task)},
            "products": [one["products"] for one in rounds],
            "commands": self.commands(job),
            "measured": self.stamp
            | {
                "rounds": len(rounds),
                "wanted": self.a.rounds,
                "attempts": self.attempts,
                "disturbed": disturbed,
                "kept_disturbed": self.a.keep_disturbed,
            },
        }

    # What earlier sittings left.

    def read(self, name):
        path = self.a.docs / "results" / name
        return json.loads(path.read_text()) if path.exists() else []

    def write(self, name, results):
        path = self.a.docs / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def figure(value):
    """Three digits, or all in front of the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def middle(rounds):
    return statistics.median(one["rate"] for one in rounds)


def shares(result):
    """Of the matrix rate in the format used, one number a round: model FLOPs over what a product would have made."""
    return [
        one["rate"] * result["flops"] / (rate[result["format"]] * 1e9)
        for one, rate in zip(result["keel"], result["products"])
        if result["format"] in rate
    ]


def missed(result):
    """The peers whose wanted ratio of rates was not reached."""
    return [
        peer
        for peer, wanted in result["targets"].items()
        if (found := ratios(result, peer)) and statistics.median(found) < wanted
    ]


def ratios(result, peer, what="rate"):
    """Keel's over the peer's, one number a round."""
    return [mine[what] / theirs[what] for mine, theirs in zip(result["keel"], result["peers"].get(peer, []))]
