"""What the tests through the binary share: how it is started, rows of token ids, and hashes of what it wrote.

The program is KEEL_BINARY (default build/keel); KEEL_TEST_DEVICE is the --device of what computes, where it
is set. The golden models have no tokenizer, so rows carry ids:
0 pads, 1 begins and 2 ends a text, 3 to 96 are words; the context is 64 tokens.
"""

import hashlib
import json
import os
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
MODELS = GOLDEN / "models"
BINARY = (ROOT / os.environ.get("KEEL_BINARY", "build/keel")).resolve()
DEVICE = os.environ.get("KEEL_TEST_DEVICE")
COMPUTING = ("pretrain", "sft", "reward", "dpo", "ppo", "sample", "score")
VOCABULARY, CONTEXT = 97, 64
FIRST_WORD = 3
PROGRESS = re.compile(r"[a-z ]+  [a-z]+ \d+(/\d+)?  [\d.]+/s")  # sft  step 3/8  2.10/s ...

needs_program = pytest.mark.skipif(not BINARY.exists(), reason=f"{BINARY} is not built (make build)")


@dataclass
class Ended:
    """How a run of the program ended. A negative status is a signal's number."""

    status: int
    out: str
    err: str

    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def messages(self):
        """The lines on stderr beside progress."""
        return [line for line in self.err.splitlines() if line and not PROGRESS.match(line)]


def flags(options):
    """{"max_length": 8, "shuffle": False} → --max-length 8 --no-shuffle."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *(str(item) for item in (value if isinstance(value, list) else [value]))]
    return words


def command(*words, **options):
    if DEVICE and words and words[0] in COMPUTING:
        options = {"device": DEVICE, **options}
    return [str(BINARY), *(str(word) for word in words), *flags(options)]


def surroundings(threads=2):
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


def keel(*words, check=True, threads=2, timeout=120, cwd=ROOT, **options):
    """Runs the program to its end. With `check`, anything but exit status 0 fails the test."""
    done = subprocess.run(
        command(*words, **options),
        cwd=cwd,
        env=surroundings(threads),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
    )
    ended = Ended(done.returncode, done.stdout, done.stderr)
    if check:
        assert ended.status == 0, f"{' '.join(command(*words, **options))}\n{ended.err}"
    return ended


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def words(source, shortest, longest):
    return [source.randrange(FIRST_WORD, VOCABULARY) for _ in range(source.randint(shortest, longest))]


def demonstrations(count, seed=1):
    source = random.Random(seed)
    return [
        {"prompt_ids": [1, *words(source, 2, 9)], "completion_ids": [*words(source, 1, 12), 2]}
        for _ in range(count)
    ]


def texts(count, seed=1):
    source = random.Random(seed)
    return [{"input_ids": [1, *words(source, 2, 20)]} for _ in range(count)]


def prompts(count, seed=1):
    source = random.Random(seed)
    return [{"prompt_ids": [1, *words(source, 2, 9)]} for _ in range(count)]


def preferences(count, seed=1):
    source = random.Random(seed)
    return [
        {
            "prompt_ids": [1, *words(source, 2, 9)],
            "chosen_ids": [*words(source, 1, 8), 2],
            "rejected_ids": [*words(source, 1, 8), 2],
        }
        for _ in range(count)
    ]


def rankings(count, completions=4, seed=1):
    """K-wise rows; every third one has a tie."""
    source = random.Random(seed)
    rows = []
    for index in range(count):
        ranks = source.sample(range(1, completions + 1), completions)
        if index % 3 == 0:
            ranks[0] = ranks[1]
        rows.append(
            {
                "prompt_ids": [1, *words(source, 2, 9)],
                "completions_ids": [[*words(source, 1, 8), 2] for _ in range(completions)],
                "ranks": ranks,
            }
        )
    return rows


def labelled(count, seed=1):
    source = random.Random(seed)
    return [
        {"input_ids": [1, *words(source, 2, 12), 2], "label": source.random() < 0.5} for _ in range(count)
    ]


def contents(folder):
    """{name: SHA-256, or "folder"} of everything under a folder, hidden files too; {} where there is none.

    The empty files that SQLite keeps beside a store it only reads are left out.
    """
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        )
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-shm", "-wal"))
    }
