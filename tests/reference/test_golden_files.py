"""Every committed golden file is what its generator writes, and small.

Ids, masks and texts must be equal; floats to rounding, since another processor may change the last bits.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

TESTS = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KEEL_TEST_DATA", TESTS.parents[1] / "shared" / "data")).resolve()
GENERATORS = ("make_models", "make_losses", "make_sampling", "make_ppo", "make_train", "make_dpo")


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory):
    """A copy of the generators and, beside them, everything that they write."""
    if not DATA.is_dir():
        pytest.skip(f"no data at {DATA}: set KEEL_TEST_DATA")
    copy = tmp_path_factory.mktemp("tests")
    shutil.copytree(TESTS / "reference", copy / "reference")
    (copy / "golden").mkdir()
    for source in (TESTS / "golden").glob("*.py"):
        shutil.copy(source, copy / "golden")
    for name in GENERATORS:
        command = [sys.executable, str(copy / "golden" / f"{name}.py")]
        done = subprocess.run(
            command, env={**os.environ, "KEEL_TEST_DATA": str(DATA)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    return copy / "golden"


def values(folder):
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix in (".safetensors", ".json") and path.is_file()
    }


def test_no_file_is_missing_or_left_over(rewritten):
    # These folders' generators are proved in tests of their own, or need other packages.
    elsewhere = ("tokenizers", "statistics", "rows")
    assert values(rewritten) == {path for path in values(TESTS / "golden") if path.parts[0] not in elsewhere}


def test_json_is_equal(rewritten):
    for path in values(rewritten):
        if path.suffix == ".json":
            ours, theirs = (
                json.loads((folder / path).read_text()) for folder in (rewritten, TESTS / "golden")
            )
            for gap in ("greedy_smallest_gap",):
                assert ours.pop(gap, 0) == pytest.approx(theirs.pop(gap, 0), rel=1e-2)
            assert ours == theirs, path


def test_tensors_are_equal(rewritten):
    for path in values(rewritten):
        if path.suffix != ".safetensors":
            continue
        ours, theirs = load_file(rewritten / path), load_file(TESTS / "golden" / path)
        assert ours.keys() == theirs.keys(), path
        for name, tensor in theirs.items():
            tolerance = {torch.float32: 1e-5, torch.float64: 1e-10}.get(tensor.dtype, 0.0)
            torch.testing.assert_close(
                ours[name],
                tensor,
                rtol=tolerance,
                atol=tolerance,
                equal_nan=True,  # a rating that a row does not have
                msg=lambda said, name=name: f"{path} {name}: {said}",
            )


def test_files_are_small():
    sizes = {path: (TESTS / "golden" / path).stat().st_size for path in values(TESTS / "golden")}
    assert max(sizes.values()) < 1 << 20 and sum(sizes.values()) < 8 << 20
