"""keel-label: the labelling server and its store's commands without libtorch; accounts through the binary."""

import hashlib
import http.client
import json
import os
import pathlib
import subprocess

import pytest
from label_server import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAIRS = [{"kind": "ranking", "prompt": "Which one?", "completions": ["a", "b"]}]


@pytest.fixture(scope="module")
def program():
    for folder in (os.environ.get("KEEL_BUILD", "build"), "build-plain", "build"):
        if (ROOT / folder / "keel-label").exists():
            return str(ROOT / folder / "keel-label")
    pytest.skip("keel-label is not built")


@pytest.fixture
def store(program, tmp_path):
    """A store with one pair to judge."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "Which one?", "completions": ["a", "b"], "ranks": [1, 2],
                                "annotator": "imported", "kind": "human"}) + "\n")
    run(program, "feedback", "import", "--store", tmp_path / "feedback.db", "--data", rows)
    return tmp_path / "feedback.db"


def run(program, *arguments, typed=None):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, input=typed, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(program, *arguments, status=2, typed=""):
    """The one line of a refusal."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, input=typed, timeout=60)
    assert done.returncode == status, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def post(server, path, body, headers=None):
    """(status, answer, cookie)"""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
    response = connection.getresponse()
    answer = json.loads(response.read())
    cookie = (response.getheader("Set-Cookie") or "").split(";")[0]
    connection.close()
    return response.status, answer, cookie


def test_it_links_no_libtorch_and_serves_the_page(program, store):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    assert "libsqlite3" in linked and "torch" not in linked and "libc10" not in linked
    server = Server(store, "--annotator", "anna", command=[program, "label"])
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    assert b"<title>Keel" in connection.getresponse().read()
    assert server.claim()["text"] == "Which one?"


def test_its_commands_are_the_stores(program):
    shown = run(program, "--help")
    for command in ("label", "feedback import", "feedback elo", "feedback invite", "feedback accounts"):
        assert f"\n  {command} " in shown
    assert "ppo" not in shown
    assert "did you mean feedback stats" in refused(program, "feedback", "stat")


def test_other_machines_need_accounts(program, store):
    for wrong in (["--host", "0.0.0.0"], ["--behind-proxy", "https://label.example.org"]):
        assert "--accounts" in refused(program, "label", "--store", store, "--port", "0", *wrong)


def test_a_first_lead_joins_by_the_link_that_the_server_prints(program, store):
    process = subprocess.Popen([program, "label", "--store", store, "--port", "0", "--accounts"],
                               stdout=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline()
        assert "Nobody has an account yet" in first
        url, secret = first.split(" at ")[1].strip().split("join#")
        assert len(secret) == 64 and hashlib.sha256(secret.encode()).hexdigest() in sqlite_dump(store)
        assert secret not in sqlite_dump(store)
        connection = http.client.HTTPConnection("127.0.0.1", int(url.rsplit(":", 1)[1].strip("/")), timeout=20)
        connection.request("POST", "/api/join", json.dumps({"invite": secret, "name": "lea", "password": "correct horse"}),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200 and json.loads(response.read()) == {"lead": True}
    finally:
        process.terminate()
        process.wait(20)
    (lea,) = json.loads(run(program, "feedback", "accounts", "--store", store))
    assert lea["name"] == "lea" and lea["role"] == "lead" and lea["closed"] is False


def sqlite_dump(store):
    import sqlite3

    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return str(database.execute("SELECT * FROM invites").fetchall())
    finally:
        database.close()


def test_invites_and_accounts_from_the_command_line(program, store):
    link = run(program, "feedback", "invite", "--store", store, "--url", "https://label.example.org/").strip()
    assert link.startswith("https://label.example.org/join#")
    run(program, "feedback", "accounts", "--store", store, "--add", "anna", typed="correct horse\n")
    run(program, "feedback", "accounts", "--store", store, "--add", "lea", "--role", "lead", typed="battery staple\n")
    server = Server(store, "--accounts", command=[program, "label"])

    def log_in(name, password):
        return post(server, "/api/sign-in", {"name": name, "password": password})[0]

    status, _, cookie = post(server, "/api/join", {"invite": link.split("#")[1], "name": "bert", "password": "tr0ubador&3"})
    assert status == 200 and cookie.startswith(f"keel-{server.port}=")
    assert post(server, "/api/claim", {"holder": "h"}, {"Cookie": cookie})[0] == 401  # no token beside it
    assert (log_in("anna", "correct horse"), log_in("lea", "battery staple")) == (200, 200)
    run(program, "feedback", "accounts", "--store", store, "--close", "anna")
    run(program, "feedback", "accounts", "--store", store, "--change", "lea", "--new-password", typed="new password\n")
    assert (log_in("anna", "correct horse"), log_in("lea", "battery staple"), log_in("lea", "new password")) == (403, 401, 200)
    run(program, "feedback", "accounts", "--store", store, "--reopen", "anna")
    run(program, "feedback", "accounts", "--store", store, "--change", "anna", "--role", "lead")
    assert post(server, "/api/sign-in", {"name": "anna", "password": "correct horse"})[1] == {"lead": True}


@pytest.mark.parametrize("arguments, typed, said, status", [
    (["--add", "anna"], "short\n", "[password] expected 10 to 256", 1),
    (["--add", "anna"], "", "[password] expected one line", 1),
    (["--add", ""] + ["--close", "nobody"], "", "[account] expected the name of an account", 1),
    (["--add", "a\nb"], "correct horse\n", "[name] expected", 1),
    (["--add", "anna", "--close", "bert"], "", "got several", 2),
    (["--change", "anna"], "", "--role or --new-password", 2),
    (["--add", "anna", "--role", "admin"], "correct horse\n", "expected annotator or lead", 2),
])
def test_wrong_use_is_one_line(program, store, arguments, typed, said, status):
    assert said in refused(program, "feedback", "accounts", "--store", store, *arguments, typed=typed, status=status)


def test_tasks_of_every_kind_are_asked_once(program, tmp_path):
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("".join(json.dumps(task) + "\n" for task in (
        {"kind": "label", "prompt": "Say hello.", "completions": ["Hello."], "details": {"gold": True, "qualification": True}},
        {"kind": "demonstration", "prompt": "Write a haiku."})))
    ask = [program, "feedback", "ask", "--store", str(tmp_path / "new.db"), "--tasks", str(tasks)]
    for count in (2, 0):
        done = subprocess.run(ask, capture_output=True, text=True, check=True)
        assert f"{count} new tasks asked for" in done.stderr
    server = Server(tmp_path / "new.db", command=[program, "label"])
    task = server.claim()
    assert task["kind"] == "label" and "gold" not in json.dumps(task)
    assert "--samples or --tasks" in refused(program, "feedback", "ask", "--store", tmp_path / "x.db")
    tasks.write_text('{"kind": "label", "prompt": "p", "completions": ["a"], "details": {"gold": 3}}\n')
    assert "tasks.jsonl:1] [task] expected as gold true or false" in refused(program, *ask[1:], status=1)


def test_a_backup_is_taken_while_people_judge(program, store, tmp_path):
    server = Server(store, command=[program, "label"])
    task = server.claim()
    identity = server.call("GET", "/api/state")[1]["store"]
    from label_server import new_judgement

    assert server.call("POST", "/api/submit", new_judgement(identity, task, "first"))[0] == 200
    run(program, "feedback", "backup", "--store", store, "--output", tmp_path / "copy.db")
    assert server.call("POST", "/api/submit", new_judgement(identity, task, "skip"))[0] == 200
    rankings = {path: json.loads(run(program, "feedback", "stats", "--store", path))["kinds"]["human"]
                for path in (store, tmp_path / "copy.db")}
    assert rankings[store]["skips"] == 1 and rankings[tmp_path / "copy.db"]["skips"] == 0
    assert rankings[tmp_path / "copy.db"]["rankings"] == 2
    assert "pg_dump" in refused(program, "feedback", "backup", "--store", "postgresql://nowhere/x", "--output", tmp_path / "y")


def test_an_export_under_pseudonyms_names_nobody(program, store, tmp_path):
    for names in ([], ["--pseudonyms"]):
        run(program, "feedback", "export", "--store", store, "--output", tmp_path / "rows.jsonl", *names)
        text = (tmp_path / "rows.jsonl").read_text()
        assert ("imported" in text) == (not names) and ('"annotator":"annotator-' in text) == bool(names)
