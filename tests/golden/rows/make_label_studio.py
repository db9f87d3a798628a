"""Writes label_studio.json: what a Label Studio server itself exports ("JSON") of judgements made here.

A server with a fresh SQLite database is started on this machine, given projects with labelling interfaces of
the tags that Label Studio's templates for language models use, and tasks, annotations and predictions with
texts of our own, then asked for its export. label-studio-sdk checks results against the interface first. Dates
and identifiers that differ from run to run are made constant.

Run with a Python that has label-studio 1.23.2 and label-studio-sdk 2.1.2, from the repository root:
    python tests/golden/rows/make_label_studio.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface

HERE = Path(__file__).parent
PORT = 18457
TOKEN = "0123456789abcdef0123456789abcdef01234567"

PAIRS = """<View>
  <Text name="prompt" value="$prompt"/>
  <Pairwise name="comparison" toName="answer1,answer2"/>
  <Text name="answer1" value="$answer1"/>
  <Text name="answer2" value="$answer2"/>
  <TextArea name="comment" toName="prompt"/>
</View>"""

LISTS = """<View>
  <Text name="prompt" value="$prompt"/>
  <List name="answers" value="$items"/>
  <Ranker name="rank" toName="answers"/>
</View>"""

BUCKETS = """<View>
  <Text name="prompt" value="$prompt"/>
  <List name="answers" value="$items"/>
  <Ranker name="rank" toName="answers">
    <Bucket name="relevant_results"/>
    <Bucket name="biased_results"/>
  </Ranker>
</View>"""

GRADES = """<View>
  <Text name="prompt" value="$prompt"/>
  <Text name="response" value="$response"/>
  <Rating name="helpful" toName="response" maxRating="5"/>
  <Rating name="harmless" toName="response" maxRating="5"/>
  <Number name="confidence" toName="response" min="0" max="1"/>
  <Choices name="acceptable" toName="response" choice="single">
    <Choice value="Yes"/>
    <Choice value="No"/>
  </Choices>
</View>"""

WRITING = """<View>
  <Text name="prompt" value="$prompt"/>
  <TextArea name="instruction" toName="prompt" maxSubmissions="1"/>
</View>"""


def region(name, target, kind, value):
    return {"from_name": name, "to_name": target, "type": kind, "value": value}


def pair(side, comment=None):
    said = [region("comment", "prompt", "textarea", {"text": [comment]})] if comment else []
    return [region("comparison", "comparison", "pairwise", {"selected": side}), *said]


def items(*texts):
    return [{"id": f"answer_{i}", "title": f"Model {i}", "body": text} for i, text in enumerate(texts)]


FRUIT = {"prompt": "Name a red fruit.", "answer1": "A cherry is red.", "answer2": "A banana — yellow."}
SEA = {
    "prompt": "Why is the sea salty?",
    "items": items("Rivers carry salt.", "Fish.", "Rain leaves salt behind."),
}
TEA = {"prompt": "How long should tea steep?", "response": "About four minutes."}
GRADE = [
    region("helpful", "response", "rating", {"rating": 4}),
    region("harmless", "response", "rating", {"rating": 5}),
    region("confidence", "response", "number", {"number": 0.5}),
    region("acceptable", "response", "choices", {"choices": ["Yes"]}),
]

# (interface, task, annotations: (results, skipped), predictions: (results, model))
PROJECTS = [
    (
        PAIRS,
        [
            (
                FRUIT,
                [(pair("left"), False), (pair("right", "The dash is nice."), False), ([], True)],
                [(pair("left"), "judge-7b")],
            ),
            ({**FRUIT, "prompt": "Name a yellow fruit."}, [(pair("right"), False)], []),
            ({**FRUIT, "prompt": "Name a blue fruit."}, [], []),
        ],
    ),
    (
        LISTS,
        [
            (
                SEA,
                [
                    (
                        [
                            region(
                                "rank",
                                "answers",
                                "ranker",
                                {"ranker": {"rank": ["answer_2", "answer_0", "answer_1"]}},
                            )
                        ],
                        False,
                    )
                ],
                [],
            )
        ],
    ),
    (
        BUCKETS,
        [
            (
                SEA,
                [
                    (
                        [
                            region(
                                "rank",
                                "answers",
                                "ranker",
                                {
                                    "ranker": {
                                        "_": [],
                                        "relevant_results": ["answer_0", "answer_2"],
                                        "biased_results": ["answer_1"],
                                    }
                                },
                            )
                        ],
                        False,
                    )
                ],
                [],
            )
        ],
    ),
    (
        GRADES,
        [
            (
                TEA,
                [(GRADE, False), ([region("acceptable", "response", "choices", {"choices": ["No"]})], False)],
                [],
            )
        ],
    ),
    (
        WRITING,
        [
            (
                {"prompt": "Write a line about rain."},
                [
                    (
                        [region("instruction", "prompt", "textarea", {"text": ["Rain taps the tin roof."]})],
                        False,
                    )
                ],
                [],
            )
        ],
    ),
]


class Server:
    def __init__(self, folder):
        environment = {
            **os.environ,
            "LABEL_STUDIO_BASE_DATA_DIR": folder,
            "COLLECT_ANALYTICS": "False",
            "LATEST_VERSION_CHECK": "False",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
        }
        program = Path(sys.executable).with_name("label-studio")
        account = ["--username", "lead@example.org", "--password", "only-for-this-run", "--user-token", TOKEN]
        self.log = open(Path(folder) / "log", "w")
        self.process = subprocess.Popen(
            [
                program,
                "start",
                "--no-browser",
                "--port",
                str(PORT),
                "--data-dir",
                folder,
                *account,
                "--enable-legacy-api-token",
            ],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def ask(self, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}/api/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def wait(self):
        for _ in range(300):
            try:
                return self.ask("projects")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(1)
        raise SystemExit("expected a server, got none in 300 seconds")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def is_valid(checker, result):
    """As the SDK checks it. A pair's target is its own tag: so the SDK writes it, and then refuses it."""
    return result["type"] == "pairwise" or checker.validate_region(result)


def export(server, interface, tasks):
    checker = LabelInterface(interface)
    project = server.ask("projects", {"title": "judgements", "label_config": interface})["id"]
    for data, annotations, predictions in tasks:
        task = server.ask(f"projects/{project}/import?return_task_ids=true", [{"data": data}])["task_ids"][0]
        for result, skipped in annotations:
            assert all(is_valid(checker, each) for each in result), result
            server.ask(
                f"tasks/{task}/annotations", {"result": result, "was_cancelled": skipped, "lead_time": 7.5}
            )
        for result, model in predictions:
            server.ask("predictions", {"task": task, "result": result, "model_version": model, "score": 0.9})
    return server.ask(f"projects/{project}/export?exportType=JSON&download_all_tasks=true")


def constant(value, name=""):
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {key: constant(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [constant(each, name) for each in value]
    if isinstance(value, str) and (name.endswith("_at") or name == "unique_id"):
        return (
            "2024-05-01T12:00:00.000000Z" if name.endswith("_at") else "00000000-0000-4000-8000-000000000000"
        )
    return value


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        try:
            server.wait()
            tasks = [task for project in PROJECTS for task in export(server, *project)]
        finally:
            server.stop()
    text = json.dumps(constant(tasks), indent=1, ensure_ascii=False)
    (HERE / "label_studio.json").write_text(text + "\n", encoding="utf-8")


main()
