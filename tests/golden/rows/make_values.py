"""Writes values.json: what the real files of judgements hold, counted and hashed by Python, TRL and pandas.

The data's licences forbid copies of it here, so each file is told by counts and SHA-256 sums alone: of all
its rows, and of a few single ones. A row is hashed as text: kind, line (of JSON lines; else 0), prompt,
completions, then what was judged, joined by "\\x1f"; rows are joined by "\\x1e". Ratings are whole billionths.

Run with trl 0.24.0, from the repository root; a file's name may follow, to write elsewhere:
    KEEL_TEST_DATA=../shared/data python tests/golden/rows/make_values.py
"""

import collections
import gzip
import hashlib
import itertools
import json
import os
import sys
from pathlib import Path

import numpy
import pandas
from trl.data_utils import extract_prompt, maybe_extract_prompt

DATA = Path(os.environ.get("KEEL_TEST_DATA", "../shared/data"))
TURN = "\n\nAssistant:"
SPEAKERS = {"system": "System", "user": "Human", "assistant": "Assistant", "tool": "Tool"}


def lines_of(name):
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def list_of(name):
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return json.load(file)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def row(kind, line, prompt, completions, ranks=(), label=None, ratings=None):
    judged = [
        ",".join(map(str, ranks)),
        {None: "", True: "yes", False: "no"}[label],
        ",".join(f"{name}={round(value * 1e9)}" for name, value in (ratings or {}).items()),
    ]
    return "\x1f".join([kind, str(line), prompt, *completions, *judged])


def summary(records, rows, refused):
    kinds = collections.Counter(each.split("\x1f")[0] for each in rows)
    places = sorted({0, 1, len(rows) // 3, len(rows) // 2, len(rows) - 1})
    return {
        "records": records,
        "kinds": dict(sorted(kinds.items())),
        "refused": dict(sorted((+refused).items())),
        "sha256": digest("\x1e".join(rows)),
        "rows": {str(i): digest(rows[i]) for i in places},
    }


def hh():
    rows, refused, as_trl = [], collections.Counter(), 0
    records = lines_of("hh-rlhf/harmless-base-test.jsonl.gz")
    for line, record in enumerate(records, 1):
        chosen, rejected = record["chosen"], record["rejected"]
        if chosen == rejected:
            refused["chosen equals rejected"] += 1
            continue
        shared = os.path.commonprefix([chosen, rejected])
        if TURN not in shared:
            refused['different dialogues: no beginning that ends with "Assistant:" is shared'] += 1
            continue
        prompt = shared[: shared.rindex(TURN) + len(TURN)]
        sides = [chosen[len(prompt) :], rejected[len(prompt) :]]
        if any(mark in side for side in sides for mark in (TURN, "\n\nHuman:")):
            refused["different dialogues: one goes on with another turn"] += 1
            continue
        rows.append(row("preference", line, prompt, sides, (1, 2)))
        as_trl += extract_prompt(record)["prompt"] == prompt
    trl = [extract_prompt(record) for record in records]
    by_trl = [
        row("preference", line, each["prompt"], [each["chosen"], each["rejected"]], (1, 2))
        for line, each in enumerate(trl, 1)
    ]
    return {
        "hh": {**summary(len(records), rows, refused), "prompts_as_trl": as_trl},
        "hh_as_trl": summary(len(records), by_trl, collections.Counter()),
    }


def ranking_of(comparisons):
    """The only weak order of four with these results, as 1 + the number of better ones; None without one."""
    pairs = list(itertools.combinations(range(4), 2))
    for levels in itertools.product(range(4), repeat=4):
        results = [1 if levels[i] < levels[j] else 2 if levels[i] > levels[j] else 0 for i, j in pairs]
        if results == comparisons:
            return [1 + sum(other < mine for other in levels) for mine in levels]
    return None


def share_outside(answer, spans):
    marked = numpy.zeros(len(answer), bool)
    for span in spans:
        marked[span["start"] : span["end"]] = True
    return 1 - marked.mean()


def qa_feedback():
    rows, refused, ordered = [], collections.Counter(), {}
    records = list_of("qa-feedback/dev_feedback.json.gz")
    inputs = {each["question"]: each["text"] for each in list_of("qa-feedback/dev.json.gz")}
    as_input = 0
    for record in records:
        passages = " | ".join(f"wikipage: {p[0]} text: {' '.join(p[1:])}" for p in record["passages"])
        prompt = f"question: {record['question']} context: {passages}"
        as_input += "".join(prompt.split()) == "".join(inputs[record["question"]].split())
        answers = [record[f"prediction {i}"] for i in range(1, 5)]
        ranks = ranking_of(record["preference"])
        if ranks is None:
            refused["no ranking fits the comparisons"] += 1
        else:
            rows.append(row("ranking", 0, prompt, answers, ranks))
        feedback = record["feedback"]
        spans = collections.defaultdict(list)
        for span in feedback["errors"]:
            spans[
                (
                    "relevance"
                    if span["error type"] in ("Irrelevant", "Redundant", "Incoherent")
                    else "factuality"
                )
            ].append(span)
        ratings = {name: share_outside(answers[0], spans[name]) for name in ("relevance", "factuality")}
        ratings["completeness"] = 0 if feedback["missing-info"] else 1
        rows.append(row("rating", 0, prompt, answers[:1], ratings=ratings))
        corrected = feedback["corrected-prediction"]
        if not corrected.strip():
            refused["a correction is empty"] += 1
        elif corrected == answers[0]:
            refused["a correction changes nothing"] += 1
        else:
            rows.append(row("completion", 0, prompt, [corrected]))
    # The authors' own input file differs in the white space of 55 passages alone.
    assert as_input == len(records), as_input
    return {"qa_feedback": summary(len(records), rows, refused)}


def add_ranking(rows, refused, line, prompt, texts, scores):
    given = [(text, score) for text, score in zip(texts, scores) if score is not None and text]
    refused["an answer without text is left out of its ranking"] += sum(
        score is not None and not text for text, score in zip(texts, scores)
    )
    if len({text for text, _ in given}) == 1:
        refused["all completions are equal"] += 1
        return
    ranks = pandas.Series([score for _, score in given]).rank(method="min", ascending=False).astype(int)
    rows.append(row("ranking", line, prompt, [text for text, _ in given], ranks))


def alpacaeval():
    results = {}
    rows, refused = [], collections.Counter()
    records = lines_of("alpacaeval-kway/tulu2-dpo-13b-best-of-16.jsonl.gz")
    for line, record in enumerate(records, 1):
        add_ranking(
            rows,
            refused,
            line,
            record["prompt"],
            record["responses"] + [record["reference_gpt35t"]],
            record["gpt4_preference_over_ref"] + [0.5],
        )
    results["alpacaeval_responses"] = summary(len(records), rows, refused)
    rows, refused = [], collections.Counter()
    records = lines_of("alpacaeval-kway/twelve-models-vs-davinci003.jsonl.gz")
    for line, record in enumerate(records, 1):
        add_ranking(
            rows,
            refused,
            line,
            record["prompt"],
            [each["response"] for each in record["candidates"]],
            [each["gpt4_win_over_text_davinci_003"] for each in record["candidates"]],
        )
    results["alpacaeval_candidates"] = summary(len(records), rows, refused)
    return results


def plain(messages):
    return "".join(f"\n\n{SPEAKERS[each['role']]}: {each['content']}" for each in messages)


def split_plain(prompt, completion):
    """Both assistants' messages only: the header goes with the prompt."""
    assert completion[0]["role"] == "assistant"
    return plain(prompt) + TURN, plain(completion)[len(TURN) :]


def tulu():
    rows, exported = [], []
    records = lines_of("tulu3-preference-sample/preference_sample.jsonl.gz")
    for line, record in enumerate(records, 1):
        found = maybe_extract_prompt(record)
        prompt, chosen = split_plain(found["prompt"], found["chosen"])
        rejected = split_plain(found["prompt"], found["rejected"])[1]
        rows.append(row("preference", line, prompt, [chosen, rejected], (1, 2)))
        written = {
            name: [{"role": each["role"], "content": each["content"]} for each in found[name]]
            for name in ("prompt", "chosen", "rejected")
        }
        written.update({name: record[name] for name in ("id", "source")})
        exported.append(json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n")
    return {
        "tulu": {
            **summary(len(records), rows, collections.Counter()),
            "exported_sha256": digest("".join(exported)),
        }
    }


def kto():
    rows = []
    records = list_of("llama-factory-demo/kto_en_demo.json.gz")
    for record in records:
        prompt, completion = split_plain(record["messages"][:-1], record["messages"][-1:])
        rows.append(row("label", 0, prompt, [completion], label=record["label"]))
    return {"kto": summary(len(records), rows, collections.Counter())}


def main():
    values = {**hh(), **qa_feedback(), **alpacaeval(), **tulu(), **kto()}
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("values.json")
    path.write_text(json.dumps(values, indent=1) + "\n")


main()
