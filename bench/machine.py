"""The machine under a benchmark: what it is, how fast it multiplies now, how much of it others take.

The matrix rate is libtorch's best over products of 512³, 1,024³ and 2,048³, measured before and after every round in
float32 and bfloat16. A round in between is disturbed when other processes took more than a twentieth of the machine or
when the median bfloat16 product became a tenth faster or slower. (libtorch's float32 products vary by a fifth from one
half second to the next on a machine where nothing else runs, so they judge nothing.)
"""

import importlib.util
import os
import platform
import statistics
import subprocess
import time
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ("float32", "bfloat16")
SIZES = (512, 1024, 2048)
JUDGE = "bfloat16"
MOST_OTHERS = 0.05  # share of the machine
MOST_CHANGE = 0.10  # of the median product's rate
PACKAGES = ("torch", "transformers", "trl", "accelerate", "llama_cpp_python")


def busy_seconds():
    """Processor seconds that the whole machine has spent so far, those that its host took from it with them."""
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """Processor seconds of this process and of the children it has waited for."""
    return sum(os.times()[:4])


class Watch:
    """with Watch() as watch: ...; then watch.others is the share of the machine that other processes took."""

    def __enter__(self):
        self.began, self.busy, self.own = time.time(), busy_seconds(), own_seconds()
        return self

    def __exit__(self, *_):
        theirs = (busy_seconds() - self.busy) - (own_seconds() - self.own)
        self.others = max(0.0, theirs) / (time.time() - self.began) / os.cpu_count()


def rates(kind, size, seconds=0.08, trials=5):
    """GFLOP/s of products of size³, one number a trial."""
    torch.set_num_threads(os.cpu_count())
    x = torch.randn(size, size).to(getattr(torch, kind))
    out = torch.mm(x, x)
    measured = []
    for _ in range(trials):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds / trials:
            torch.mm(x, x, out=out)
            count += 1
        measured.append(count * 2 * size**3 / (time.perf_counter() - began) / 1e9)
    return measured


def products():
    """{format: {"best", "median"}} in GFLOP/s, now; half a second."""
    found = {kind: [rate for size in SIZES for rate in rates(kind, size)] for kind in FORMATS}
    return {kind: {"best": max(r), "median": statistics.median(r)} for kind, r in found.items()}


def complaint(before, after, others):
    """Why the round between two products() was disturbed, or None."""
    if others > MOST_OTHERS:
        return f"others took {others:.0%} of the machine"
    first, last = before[JUDGE]["median"], after[JUDGE]["median"]
    if abs(last - first) > MOST_CHANGE * first:
        return f"{JUDGE} products went from {first:.0f} to {last:.0f} GFLOP/s"
    return None


def best(before, after):
    """The matrix rate of a round, GFLOP/s by format."""
    return {kind: max(before[kind]["best"], after[kind]["best"]) for kind in FORMATS}


def description():
    info = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in info if "model name" in line), platform.machine())
    return f"{cpu}, {os.cpu_count()} cores, {platform.platform()}"


def bfloat16_is_faster(kind, info=None):
    """What `--precision auto` goes by (src/keel/tensors/precision.cpp): the kind of the processor."""
    info = info or Path("/proc/cpuinfo").read_text()
    dots = "avx512_bf16" in info
    return dots and (kind == "generate" or "AuthenticAMD" in info or "amx_tile" in info)


def versions():
    installed = {
        package: metadata.version(package)
        for package in PACKAGES
        if importlib.util.find_spec(package.replace("_python", ""))
    }
    return ", ".join(f"{package} {version}" for package, version in installed.items())


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT).stdout.strip()


def stamp():
    """When a measurement is, and the commit that last changed the program."""
    dirty = "-dirty" if git("status", "--porcelain", "--", "src") else ""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": (git("log", "-1", "--format=%h", "--", "src") or "unknown") + dirty,
        "machine": description(),
        "versions": versions(),
    }
