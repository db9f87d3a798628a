"""Where a Keel command spends the processors' time, by `perf record`: shares of the samples by kind of work.

oneDNN writes its kernels as it runs (ONEDNN_JIT_PROFILE=2 makes it name them in /tmp/perf-PID.map); a product inside of
attention is the same kernel as one of a weight, so the row "products" holds both.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from machine import ROOT

# The first that matches "program symbol" counts.
GROUPS = {
    "waiting for the other core": r"barrier|sched_yield|finish_task_switch|futex|libgomp|libiomp|libomp|_raw_spin",
    "packing for products": r"copy_[ab]|scopy|dcopy|mscale|pack_|_pack|reorder|weight_pack",
    "products": r"brgemm|gemm|::product|block_product",
    "attention but its products": r"softmax_block|gradient_block|attend|forest_attention|::dot<|scale_row|score_pages",
    "norms, rotation, gate, sums": r"(norm|rotate|gated|add|copy)_row|::norm<|::gate<|fused_block",
    "softmax of the vocabulary": r"logprob|::draw|token_sampling",
    "optimizer": r"adamw|::squares",
    "new pages of memory": r"clear_page|page_fault|\[kernel",
    "the rest of libtorch": r"libtorch|libc10",
    "other": r"",
}
LINE = re.compile(r"^\s*([\d.]+)%\s*\|\s*(.*?)\|\s*(?:\[.\]\s*)?(.*?)\s*(?:\|.*)?$")


def grouped(report):
    """{group: share} from `perf report -t '|' --sort dso,symbol`."""
    found = dict.fromkeys(GROUPS, 0.0)
    for line in report.splitlines():
        if match := LINE.match(line):
            share, program, symbol = match.groups()
            where = f"{program} {symbol}"
            found[next(name for name, rule in GROUPS.items() if re.search(rule, where))] += float(share) / 100
    return found


def available():
    return shutil.which("perf") is not None


def shares(command):
    """{group: share} of a run of `command`, or None where perf may not look."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        record = ["perf", "record", "-q", "-F", "499", "-o", str(data), *command]
        maps = set(Path("/tmp").glob("perf-*.map"))
        done = subprocess.run(record, cwd=ROOT, env=os.environ | {"ONEDNN_JIT_PROFILE": "2"}, capture_output=True)
        if done.returncode or not data.exists():
            return None
        report = subprocess.run(
            ["perf", "report", "-i", str(data), "--stdio", "-t", "|", "--sort", "dso,symbol"],
            capture_output=True,
            text=True,
        ).stdout
    for path in set(Path("/tmp").glob("perf-*.map")) - maps:
        path.unlink()
    found = grouped(report)
    return found if sum(found.values()) > 0.5 else None
