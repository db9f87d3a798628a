"""Pictures of the pages for docs/label: python tests/browser/screenshots.py [FOLDER]

The ranking page, the log-in and the board, at 375 and 1280 pixels; look at them after a change of the pages.
"""

import json
import pathlib
import random
import sys
import tempfile
import uuid

import playwright.sync_api
from conftest import CHROMIUM, FLAGS, Site
from pages import press, wait_for_task

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIDTHS = (375, 1280)
PASSWORD = "correct horse"
PEOPLE = {"Anna": 0.9, "Béla": 0.85, "Chidi": 0.8, "Dora": 0.6, "Lea": 0.9}  # how often each sides with the better one
QUESTIONS = ["Why does bread rise?", "How do I fix a slow drain?", "What is a leap year?", "Why is the sky blue?",
             "How long do I boil an egg?", "What does *inflation* mean?", "Can I freeze rice?", "Why do cats purr?"]
FOUR = {"kind": "ranking", "prompt": "Why does bread rise? Keep it short.", "copies": 9, "priority": 5, "completions": [
    {"text": "Yeast eats sugar and gives off **carbon dioxide**. The dough holds the bubbles, so it grows.", "model": "ppo-2"},
    {"text": "Bread rises because the rising is what bread does when it has risen.", "model": "sft"},
    {"text": "1. Yeast ferments sugar.\n2. Gas forms.\n3. Gluten traps it.\n\nHeat then sets the crumb.", "model": "ppo-1"},
    {"text": "Because of baking powder, mostly; see `NaHCO3`.", "model": "base"}]}
ORDER = ["base", "sft", "ppo-1", "ppo-2"]


def tasks():
    made = [FOUR]
    for number, question in enumerate(QUESTIONS):
        for pair in ((0, 1), (1, 2), (2, 3)):
            made.append({"kind": "ranking", "prompt": question, "copies": 4, "completions": [
                {"text": f"An answer of {ORDER[i]} to question {number + 1}.", "model": ORDER[i]} for i in pair]})
    return made


def judge(at, name, share, draws):
    """Part of the pairs, as this person sees them."""
    token = log_in(at, name)
    for _ in range(12 + draws.randrange(10)):
        task = at.server.call("POST", "/api/claim", {"holder": "pictures"}, token)[1]["task"]
        if task is None or len(task["completions"]) != 2:
            break
        worth = [ORDER.index(answer["text"].split()[3]) for answer in task["completions"]]
        first = (worth[0] > worth[1]) == (draws.random() < share)
        at.server.call("POST", "/api/submit", {
            "store": at.identity, "key": str(uuid.UUID(int=draws.getrandbits(128))), "type": "ranking", "task": task["id"],
            "prompt": task["prompt"], "completions": [answer["id"] for answer in task["completions"]],
            "ranks": [1, 2] if first else [2, 1], "seconds": round(draws.lognormvariate(2.6, 0.5), 1)}, token)


def log_in(at, name):
    """What a request of this person carries."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", at.server.port)
    connection.request("POST", "/api/sign-in", json.dumps({"name": name, "password": PASSWORD}),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    cookie = {"Cookie": response.getheader("Set-Cookie").split(";")[0]}
    state = at.server.call("GET", "/api/state", None, cookie)[1]
    at.identity = state["store"]
    return {**cookie, "X-Keel-Token": state["token"]}


def entered(at, name, path, **options):
    page = at.page(path="sign-in", **options)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(at.url)
    if path:
        page.goto(at.url + path)
    return page


def shrink(path):
    """To 64 colours where Pillow is there: a third of the bytes."""
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder):
    draws = random.Random(7)
    with playwright.sync_api.sync_playwright() as started, tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        accounts = scratch / "accounts.jsonl"
        accounts.write_text("".join(json.dumps({"name": name, "password": PASSWORD,
                                                "role": "lead" if name == "Lea" else "annotator"}) + "\n" for name in PEOPLE))
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        at = Site(chromium, scratch, tasks()[1:], ["--accounts", str(accounts)])
        for name, share in PEOPLE.items():
            judge(at, name, share, draws)
        at.kill()
        (scratch / "tasks.jsonl").write_text(json.dumps(FOUR) + "\n")
        at.start()
        for width, name in zip(WIDTHS, ("Anna", "Béla")):  # what one has begun is held for her
            options = {"viewport": {"width": width, "height": 720}, "color_scheme": "dark" if width == 375 else "light"}
            page = at.page(path="sign-in", **options)
            page.fill("#name", "Anna")
            page.screenshot(path=folder / f"log-in-{width}.png")
            page = entered(at, name, "", **options)
            wait_for_task(page, "Rank the answers, best first.")
            press(page, "2", "4", "=", "1", "w")
            page.screenshot(path=folder / f"rank-{width}.png")
            page.context.close()
            page = entered(at, "Lea", "board", **options)
            page.wait_for_selector("#overview:not([hidden])")
            page.click("#reliability button")
            page.wait_for_selector("#reliability table")
            page.screenshot(path=folder / f"board-{width}.png", full_page=True)
            page.context.close()
        at.kill()
        chromium.close()
    for path in folder.glob("*.png"):
        shrink(path)


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "label"
    target.mkdir(parents=True, exist_ok=True)
    main(target)
