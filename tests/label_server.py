"""A label server under test, started on a free port and spoken to over HTTP.

KEEL_LABEL_COMMAND   the server to test, as a shell would split it; `--store FILE --port N` is added to it
                     (default: build-plain/ or build/keel_label_test_server)
"""

import http.client
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def small_server():
    folders = [os.environ.get("KEEL_BUILD", "build"), "build-plain", "build"]
    for folder in folders:
        executable = ROOT / folder / "keel_label_test_server"
        if executable.exists():
            return str(executable)
    pytest.skip("keel_label_test_server is not built")


def label_command():
    given = os.environ.get("KEEL_LABEL_COMMAND")
    return shlex.split(given) if given else [small_server()]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One process of the label server; `kill` is SIGKILL."""

    running = []  # what a failed test leaves behind is killed after it

    def __init__(self, store, *more, command=None, port=None):
        self.port = port or free_port()
        arguments = (command or label_command()) + ["--store", str(store), "--port", str(self.port), *more]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True)
        Server.running.append(self)
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.stderr.read()
            try:
                self.call("GET", "/api/state")
                return
            except OSError:
                time.sleep(0.005)
        raise AssertionError("the server does not answer")

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text,
                           {**({"Content-Type": "application/json"} if text else {}), **(headers or {})})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def claim(self):
        status, answer = self.call("POST", "/api/claim", {"holder": "test"})
        assert status == 200, answer
        return answer["task"]

    def start(self, body):
        """Sends a judgement and returns the socket on which the reply will come."""
        text = json.dumps(body).encode()
        head = (f"POST /api/submit HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode()
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(head + text)
        return connection

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()
        Server.running.remove(self)


RANKS = {"first": [1, 2], "second": [2, 1], "tie": [1, 1], "skip": None}


def new_judgement(identity, task, choice):
    """choice: first, second, tie or skip"""
    return {"store": identity, "key": str(uuid.uuid4()), "task": task["id"], "prompt": task["prompt"],
            "type": "skip" if choice == "skip" else "ranking", "ranks": RANKS[choice],
            "completions": [completion["id"] for completion in task["completions"]]}
