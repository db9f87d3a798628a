"""Fixtures of the tests through the binary; ../program.py starts it."""

import random
import shutil
import subprocess

import pytest
from label_server import Server
from program import MODELS, contents, keel
from small_demo import run_demo


@pytest.fixture
def model_copy(tmp_path):
    """model_copy("llama_untied"): a golden model in a folder that the test may damage."""

    def copy(name, to=None):
        folder = tmp_path / (to or name)
        shutil.copytree(MODELS / name, folder)
        return folder

    return copy


@pytest.fixture
def refused(tmp_path):
    """refused("sft", ..., status=1, names=["rows.jsonl:3"]): the program refuses, as it should, everywhere.

    That is: it ends by itself with the status, says one line that holds every part, and leaves the test's
    folder (inputs, outputs and what is beside them) as it was.
    """

    def run(*words, status=1, names=(), program=keel, **options):
        before = contents(tmp_path)
        ended = program(*words, check=False, **options)
        assert ended.status == status, ended
        (line,) = ended.messages() or [""]
        assert line.startswith("keel: ") and len(line) < 600, ended
        assert not [part for part in names if part not in line], line
        assert ended.out == ""
        assert contents(tmp_path) == before, ended
        return line

    return run


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(size): a folder on a file system of its own, of that many bytes."""
    mounted = []

    def mount(size):
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        remount = "remount," if mounted else ""
        command = ["mount", "-t", "tmpfs", "-o", f"{remount}size={size}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip("a file system of a few kilobytes needs the right to mount (root)")
        mounted.append(folder)
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(mounted[0])], check=True)


@pytest.fixture
def dice(request):
    """Random numbers that a failure can be repeated with: seeded by the test's name."""
    return random.Random(request.node.name)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder of a small demo run. Tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    run_demo(folder)
    return folder


@pytest.fixture(autouse=True)
def no_server_left():
    yield
    for server in list(Server.running):
        server.kill()
