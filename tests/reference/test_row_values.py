"""The counts and hashes of the real files of judgements are what their generator finds again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KEEL_TEST_DATA", TESTS.parents[1] / "shared" / "data")).resolve()
ROWS = TESTS / "golden" / "rows"


def test_values_are_found_again(tmp_path):
    if not DATA.is_dir():
        pytest.skip(f"no data at {DATA}: set KEEL_TEST_DATA")
    done = subprocess.run(
        [sys.executable, str(ROWS / "make_values.py"), str(tmp_path / "values.json")],
        env={**os.environ, "KEEL_TEST_DATA": str(DATA)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, committed = (json.loads((folder / "values.json").read_text()) for folder in (tmp_path, ROWS))
    assert found == committed
