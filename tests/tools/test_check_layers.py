"""tools/check_layers names each kind of violation by file and line, and passes what the table allows."""

import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_layers"


@pytest.fixture
def check(tmp_path):
    """check({"data/x.h": text}): the tool's exit status and lines on a tree of these files."""

    def run(files):
        for name, text in files.items():
            path = tmp_path / "keel" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([TOOL, tmp_path / "keel"], capture_output=True, text=True)
        return done.returncode, done.stdout.replace(str(tmp_path) + "/", "").splitlines()

    return run


def test_lower_levels_and_the_own_folder_are_allowed(check):
    files = {
        "data/batches.h": '#include <vector>\n#include "keel/rows/rows.h"\n#include "keel/data/examples.h"\n',
        "tensors/tensor.h": "#include <ATen/core/Tensor.h>\n",
        "main.cpp": '#include "keel/pipeline/stages.h"\n',
        "rows/rows.cpp": '// #include "keel/pipeline/stages.h"\n#include "keel/base/error.h"\n',
    }
    assert check(files) == (0, [])


@pytest.mark.parametrize(
    "name, include, part",
    [
        ("rows/rows.cpp", '"keel/data/examples.h"', "higher level 3"),
        ("models/model.h", '"keel/optimizers/adamw.h"', "equal level 4"),
        ("base/files.h", '"../rows/rows.h"', "higher level 2"),
        ("rows/rows.cpp", "<ATen/ATen.h>", "free of torch"),
        ("server/server.cpp", '"keel/models/model.h"', "free of torch"),
        ("rows/rows.cpp", '"keel/strings/strings.h"', "a folder without a level"),
    ],
)
def test_a_violation_is_named_by_file_and_line(check, name, include, part):
    status, lines = check({"rows/rows.h": "\n", name: f"#pragma once\n\n  #  include {include}\n"})
    assert status == 1 and len(lines) == 1
    assert lines[0].startswith(f"keel/{name}:3: ") and part in lines[0]


def test_a_folder_that_the_table_does_not_know_is_named(check):
    status, lines = check({"strings/strings.h": "\n"})
    assert status == 1 and lines[0].startswith("keel/strings/strings.h:1: the folder strings has no level")
