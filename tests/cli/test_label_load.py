"""64 annotators at once, 20,000 judgements, the server killed five times at random moments: every acknowledged
judgement is there once, and no task has more answers than it asks for.

Rate and latency are printed (pytest -s), they decide nothing. KEEL_LOAD_JUDGEMENTS asks for fewer.
"""

import contextlib
import http.client
import json
import os
import random
import sqlite3
import threading
import time

from label_server import Server, new_judgement, small_server

ANNOTATORS, KILLS = 64, 5
JUDGEMENTS = int(os.environ.get("KEEL_LOAD_JUDGEMENTS", "20000"))
CHOICES = ("first", "second", "tie")


class Annotator:
    """What the page does: claims, judges, sends, and sends again under the same key until it is acknowledged."""

    def __init__(self, number, port, identity):
        self.number, self.port, self.identity = number, port, identity
        self.acknowledged, self.seconds, self.refused = {}, [], []
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def call(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer token-{self.number}"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def insist(self, path, body):
        """The answer, however often the server dies meanwhile; and the seconds of the call that was answered."""
        while True:
            began = time.monotonic()
            try:
                status, answer = self.call(path, body)
                return status, answer, time.monotonic() - began
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)

    def work(self):
        choices = random.Random(self.number)
        while True:
            status, answer, _ = self.insist("/api/claim", {"holder": "load"})
            if status != 200:
                self.refused.append(answer)
                return
            if answer["task"] is None:
                return
            judgement = new_judgement(self.identity, answer["task"], choices.choice(CHOICES))
            status, answer, seconds = self.insist("/api/submit", judgement)
            if status == 200:
                self.acknowledged[judgement["key"]] = judgement
                self.seconds.append(seconds)
            else:
                self.refused.append(answer)


def judged(path):
    """key -> (annotator's name, task, ranks), read without Keel."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT j.key, a.name, j.task, (SELECT json_group_array(rank) FROM "
            "(SELECT rank FROM judged WHERE judgement = j.id ORDER BY position)) "
            "FROM judgements j JOIN annotators a ON a.id = j.annotator").fetchall()
        assert len({row[0] for row in rows}) == len(rows)
        return {key: (name, task, json.loads(ranks)) for key, name, task, ranks in rows}


def killed_and_started_again(server, store, annotators, moments):
    """At shares of the work that are drawn, so that each kill meets annotators at work."""
    def done():
        return sum(len(annotator.acknowledged) for annotator in annotators)

    for share in sorted(moments.uniform(0.05, 0.95) for _ in range(KILLS)):
        while done() < share * JUDGEMENTS:
            time.sleep(moments.random() * 0.05)
        server.kill()
        server = Server(store, "--annotators", str(ANNOTATORS), command=[small_server()], port=server.port)
    return server


def test_64_annotators_20000_judgements_five_kills(tmp_path):
    store = tmp_path / "feedback.db"
    server = Server(store, "--pairs", str(JUDGEMENTS), "--copies", "1", "--annotators", str(ANNOTATORS),
                    command=[small_server()])
    identity = server.call("GET", "/api/state")[1]["store"]
    began = time.monotonic()
    annotators = [Annotator(number, server.port, identity) for number in range(1, ANNOTATORS + 1)]
    server = killed_and_started_again(server, store, annotators, random.Random(7))
    for annotator in annotators:
        annotator.thread.join()
    took = time.monotonic() - began
    server.kill()

    found = judged(store)
    assert [annotator.refused for annotator in annotators] == [[]] * ANNOTATORS
    acknowledged = {f"page-{key}": (f"annotator {annotator.number}", judgement["task"], judgement["ranks"])
                    for annotator in annotators for key, judgement in annotator.acknowledged.items()}
    assert found == acknowledged
    assert len({task for _, task, _ in found.values()}) == len(found) == JUDGEMENTS
    times = sorted(second for annotator in annotators for second in annotator.seconds)
    print(f"{len(found)} judgements of {ANNOTATORS} annotators in {took:.0f} s with {KILLS} kills: "
          f"{len(found) / took:.0f} a second; a submission's median {1e3 * times[len(times) // 2]:.0f} ms, "
          f"99th percentile {1e3 * times[int(0.99 * len(times))]:.0f} ms")
