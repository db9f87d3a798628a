"""Writes argilla_2.json or argilla_1.json: records with our own texts, as Argilla's own classes write them.

Which file is written follows from the version that is installed; records are built without a server: argilla
2.8.0's Record, Response, Suggestion and its to_json, or 1.29.1's FeedbackRecord and pydantic's JSON of it.

    python tests/golden/rows/make_argilla.py
"""

import importlib.metadata
import json
import uuid
from pathlib import Path

HERE = Path(__file__).parent
ANA, BEN = uuid.UUID(int=10), uuid.UUID(int=11)

ANSWERS = {
    "prompt": "Name a red fruit.",
    "response1": "A cherry is red.",
    "response2": "A banana — yellow.",
    "response3": "Red.",
}
ANSWER = {"instruction": "How long should tea steep?", "response": "About four minutes."}
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is the sea salty?"},
    {"role": "assistant", "content": "Yes."},
]


def write_second():
    import argilla
    from argilla.records._io import JsonIO

    def record(number, fields, responses=(), suggestions=()):
        return argilla.Record(
            id=f"record-{number}",
            fields=fields,
            metadata={"split": "train"},
            responses=[
                argilla.Response(name, value, user_id=user, status=status)
                for name, value, user, status in responses
            ],
            suggestions=[
                argilla.Suggestion(name, value, agent=agent, score=score)
                for name, value, agent, score in suggestions
            ],
        )

    records = [
        record(
            0,
            ANSWERS,
            [
                ("preference", ["response1", "response3", "response2"], ANA, "submitted"),
                ("preference", ["response3", "response1", "response2"], BEN, "submitted"),
                ("comment", "The second one is not red.", BEN, "submitted"),
            ],
            [("preference", ["response1", "response2", "response3"], "judge-7b", 0.75)],
        ),
        record(1, ANSWERS, [("best", "response2", ANA, "submitted")]),
        record(
            2,
            ANSWER,
            [
                ("helpful", 4, ANA, "submitted"),
                ("harmless", 5, ANA, "submitted"),
                ("label", "yes", ANA, "submitted"),
                ("hallucination", "no", BEN, "submitted"),
            ],
            [("helpful", 3, None, None)],
        ),
        record(
            3,
            {"instruction": "Write a line about rain."},
            [("response", "Rain taps the tin roof.", ANA, "submitted")],
        ),
        record(4, ANSWER, [("topics", ["tea", "time"], ANA, "submitted")]),
        record(5, ANSWERS),
        record(6, {"chat": CHAT}, [("label", "no", BEN, "submitted")]),
    ]
    path = HERE / "argilla_2.json"
    path.unlink(missing_ok=True)
    JsonIO.to_json(records, path)
    return path


def write_first():
    from argilla.client.feedback.schemas.records import FeedbackRecord
    from argilla.client.feedback.schemas.response_values import RankingValueSchema

    def response(user, status, **values):
        return {
            "user_id": user,
            "status": status,
            "values": {name: {"value": value} for name, value in values.items()},
        }

    def ranking(*ranks):
        return [RankingValueSchema(value=f"response{i}", rank=rank) for i, rank in enumerate(ranks, 1)]

    records = [
        FeedbackRecord(
            fields=ANSWERS,
            responses=[
                response(ANA, "submitted", preference=ranking(1, 2, 2)),
                response(BEN, "submitted", preference=ranking(2, 3, 1), comment="The second one is not red."),
                response(None, "draft", preference=ranking(1, 1, 1)),
                response(uuid.UUID(int=12), "discarded", preference=ranking(3, 2, 1)),
            ],
            suggestions=[
                {
                    "question_name": "preference",
                    "value": ranking(1, 3, 2),
                    "type": "model",
                    "agent": "judge-7b",
                    "score": 0.75,
                }
            ],
            external_id="record-0",
        ),
        FeedbackRecord(
            fields=ANSWER,
            responses=[response(ANA, "submitted", helpful=4, harmless=5, label="yes")],
            suggestions=[{"question_name": "helpful", "value": 2, "type": "human", "agent": "Cy"}],
        ),
        FeedbackRecord(
            fields={"instruction": "Write a line about rain.", "context": None},
            responses=[response(BEN, "submitted", response="Rain taps the tin roof.")],
        ),
    ]
    path = HERE / "argilla_1.json"
    path.write_text("[" + ",".join(record.json() for record in records) + "]")
    return path


def main():
    second = importlib.metadata.version("argilla").startswith("2")
    path = write_second() if second else write_first()
    text = json.dumps(json.loads(path.read_text()), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


main()
