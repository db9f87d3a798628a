"""The pages' modules hold to the types that their comments state: tsc --checkJs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("KEEL_CACHE", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "keel"))
TSC = CACHE / "page-checkers" / "node_modules" / "typescript" / "bin" / "tsc"


def check(config):
    if not TSC.exists() or not shutil.which("node"):
        pytest.skip("typescript is not installed (tools/setup test)")
    done = subprocess.run(["node", str(TSC), "-p", str(config)], capture_output=True, text=True, timeout=120)
    return done.stdout.splitlines()


def test_the_pages_types_hold():
    assert check(HERE / "tsconfig.json") == []


def test_a_wrong_type_is_seen(tmp_path):
    shutil.copytree(HERE.parents[1] / "web", tmp_path / "web")
    config = json.loads((HERE / "tsconfig.json").read_text())
    (tmp_path / "tsconfig.json").write_text(json.dumps({**config, "include": ["web/*.js"]}))
    module = tmp_path / "web" / "ranking.js"
    module.write_text(module.read_text().replace("return this.unranked().length === 0;", "return this.unranked();"))
    assert any("TS" in line for line in check(tmp_path / "tsconfig.json"))
