"""The label server killed between request and reply: each acknowledged judgement is there exactly once.

Also: the disk full (a small tmpfs, needs the right to mount one).

KEEL_CRASH_SEED      the seed of the moments to kill at (default 1); printed
"""

import contextlib
import http.client
import json
import os
import random
import sqlite3
import subprocess
import time

import pytest
from label_server import RANKS, Server, new_judgement, small_server

KILLS = 50
MOST_ROUNDS = 500


def reply(connection):
    """The receipt, or None when the reply did not come whole."""
    with connection:
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except OSError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head:
        return None
    try:
        return json.loads(body)["receipt"]
    except ValueError:
        return None


def make_store(path, pairs):
    """A store with pairs to judge, made by the test's own executable whatever server is tested."""
    server = Server(path, "--pairs", str(pairs), command=[small_server()])
    identity = server.call("GET", "/api/state")[1]["store"]
    server.kill()
    return identity


def stored(path):
    """key → (prompt, completions, ranks), read without Keel; a key that is there twice fails."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        found = {}
        for number, key, prompt in database.execute("SELECT id, key, prompt FROM judgements"):
            assert key not in found, f"{key} is there twice"
            items = database.execute("SELECT completion, rank FROM judged WHERE judgement = ? "
                                     "ORDER BY position", (number,)).fetchall()
            found[key] = (prompt, [item[0] for item in items], [item[1] for item in items])
        return found


def as_stored(judgement):
    return judgement["prompt"], judgement["completions"], judgement["ranks"] or [None, None]


def check_acknowledged(path, acknowledged):
    found = stored(path)
    by_key = {key.removeprefix("page-"): value for key, value in found.items()}
    for judgement in acknowledged:
        assert by_key.get(judgement["key"]) == as_stored(judgement)
    assert len(found) == len({judgement["key"] for judgement in acknowledged})


def test_killed_between_request_and_reply(tmp_path):
    seed = int(os.environ.get("KEEL_CRASH_SEED", "1"))
    moments = random.Random(seed)
    store = tmp_path / "feedback.db"
    identity = make_store(store, MOST_ROUNDS * 3)
    acknowledged, receipts, waiting = [], {}, None
    rounds = unanswered = already_there = 0
    usual = 0.005  # seconds from a request to its reply, measured as we go
    while unanswered < KILLS:  # a kill that the reply outran does not count
        rounds += 1
        assert rounds <= MOST_ROUNDS, f"only {unanswered} kills came before the reply"
        server = Server(store)
        if waiting:  # as the page does: what was not acknowledged is sent again under its key
            before = {key.removeprefix("page-") for key in stored(store)}
            already_there += waiting["key"] in before
            receipt = reply(server.start(waiting))
            assert receipt, "the judgement that was sent again was not acknowledged"
            acknowledged.append(waiting)
            receipts[waiting["key"]] = receipt
            waiting = None
        for _ in range(moments.randrange(3)):
            judgement = new_judgement(identity, server.claim(), moments.choice(list(RANKS)))
            began = time.monotonic()
            receipts[judgement["key"]] = reply(server.start(judgement))
            usual = 0.8 * usual + 0.2 * (time.monotonic() - began)
            assert receipts[judgement["key"]]
            acknowledged.append(judgement)
        judgement = new_judgement(identity, server.claim(), moments.choice(list(RANKS)))
        connection = server.start(judgement)
        time.sleep(moments.random() ** 3 * usual)  # mostly soon: the commit comes early in that time
        server.kill()
        receipt = reply(connection)
        if receipt:
            acknowledged.append(judgement)
            receipts[judgement["key"]] = receipt
        else:
            unanswered += 1
            waiting = judgement
    server = Server(store)
    already_there += waiting["key"] in {key.removeprefix("page-") for key in stored(store)}
    assert reply(server.start(waiting))
    acknowledged.append(waiting)
    for judgement in acknowledged:  # everything once more: the same receipts, nothing new
        receipt = reply(server.start(judgement))
        assert receipt and receipt == receipts.setdefault(judgement["key"], receipt)
    server.kill()
    check_acknowledged(store, acknowledged)
    print(f"seed {seed}: {rounds} kills, {KILLS} of them between request and reply, {already_there} of these "
          f"after the commit; {len(acknowledged)} judgements acknowledged, each there once")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    for server in list(Server.running):  # a running one keeps the disk busy
        server.kill()
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass


def test_full_disk_is_said_and_nothing_acknowledged_is_lost(small_disk):
    store = small_disk / "feedback.db"
    identity = make_store(store, 4)
    server = Server(store)
    task = server.claim()
    acknowledged, refused = [], None
    filler = small_disk / "filler"
    for number in range(3000):
        if number == 20:
            fill_up(filler)
        judgement = new_judgement(identity, task, "skip")  # a task takes one answer, but any number of these
        status, answer = server.call("POST", "/api/submit", judgement)
        if status != 200:
            refused = judgement
            break
        acknowledged.append(judgement)
    assert refused and status == 500
    assert "the disk is full" in answer["error"] and "\n" not in answer["error"]
    filler.unlink()
    assert server.call("POST", "/api/submit", refused)[0] == 200  # the same server goes on once there is room
    acknowledged.append(refused)
    server.kill()
    server = Server(store)
    server.kill()
    check_acknowledged(store, acknowledged)
