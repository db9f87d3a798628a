"""A Chromium for the tests of the pages, and servers for it to look at."""

import contextlib
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from label_server import Server, small_server  # noqa: E402

CHROMIUM = os.environ.get("KEEL_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE = 15_000  # milliseconds: the machine may be shared


@pytest.fixture(scope="session")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (tools/setup test)")
    if not pathlib.Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed (tools/setup test)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Site:
    """A store with tasks, a server on it, and pages of one browser that look at it."""

    def __init__(self, chromium, folder, tasks=None, arguments=()):
        self.chromium, self.store = chromium, folder / "feedback.db"
        self.arguments = list(arguments)
        if tasks is not None:
            path = folder / "tasks.jsonl"
            path.write_text("".join(json.dumps(task) + "\n" for task in tasks))
            self.arguments += ["--tasks", str(path)]
        self.server = None
        self.contexts, self.errors = [], []
        self.start()

    def start(self):
        port = self.server.port if self.server else None
        self.server = Server(self.store, *self.arguments, command=[small_server()], port=port)

    def kill(self):
        self.server.kill()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}/"

    def context(self, **options):
        """As one person's browser: cookies and what pages keep are its own."""
        made = self.chromium.new_context(**options)
        made.set_default_timeout(PATIENCE)
        self.contexts.append(made)
        return made

    def page(self, context=None, path="", **options):
        made = (context or self.context(**options)).new_page()
        made.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        made.goto(self.url + path)
        return made

    def judgements(self):
        """What the store holds, read without Keel: a list of dicts in the order of their numbers."""
        import sqlite3

        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            found = []
            for row in database.execute("SELECT * FROM judgements ORDER BY id"):
                judged = database.execute(
                    "SELECT c.text, j.rank FROM judged j JOIN completions c ON c.id = j.completion "
                    "WHERE j.judgement = ? ORDER BY j.position", (row["id"],)).fetchall()
                found.append({**dict(row), **json.loads(row["answer"]),
                              "ranks": {item["text"]: item["rank"] for item in judged}})
            return found

    def close(self):
        for context in self.contexts:
            context.close()


@pytest.fixture
def site(chromium, tmp_path):
    """site(tasks): a Site; a script error on one of its pages fails the test."""
    sites = []

    def make(tasks=None, *arguments):
        sites.append(Site(chromium, tmp_path, tasks, arguments))
        return sites[-1]

    yield make
    for made in sites:
        made.close()
        assert made.errors == []
