"""The pages under docs/commands/ are what the program writes, and every command has its help."""

import os
import subprocess
from pathlib import Path

KEEL = os.environ.get("KEEL_BINARY", "build/keel")
PAGES = Path("docs/commands")


def test_pages_are_fresh(tmp_path):
    subprocess.run([KEEL, "docs", "--output", tmp_path], check=True)
    written = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert written == {p.name: p.read_text() for p in PAGES.iterdir()}, "run build/keel docs"


def test_every_page_is_a_command_with_help():
    for page in PAGES.glob("*.md"):
        if page.name == "README.md":
            continue
        command = page.read_text().splitlines()[0].removeprefix("# keel ")
        helped = subprocess.run([KEEL, *command.split(), "--help"], check=True, capture_output=True, text=True).stdout
        assert helped.startswith(f"keel {command}: ")
