"""The lead's board: its figures, single tasks, exports; who may see it; by keyboard, narrow, light and dark."""

import json
import re

import pytest
from pages import PAIR, pairs, press, wait_for_task, wait_until_stored
from test_access import AXE, faults

SCRIPT = "<img src=x onerror='window.broken=1'>"
HOSTILE = {"kind": "ranking", "prompt": f"Hostile {SCRIPT}", "completions": [
    {"text": f"**bold** {SCRIPT}", "model": SCRIPT}, {"text": "plain " * 60, "model": "ppo"}]}
TASKS = [HOSTILE, {"kind": "label", "prompt": "Say hello.", "completions": ["Hello."]},
         {"kind": "rating", "prompt": "Is it safe?", "completions": ["Yes."], "copies": 3,
          "details": {"dimensions": ["helpful"], "scale": [1, 5]}}]


def judged(at, *, names, tasks=3):
    """Each of the names judges everything, the second one contrary to the first, through the page's own interface."""
    for turn, name in enumerate(names):
        at.kill()
        at.arguments += ["--annotator", name]
        at.start()
        for number in range(tasks):
            task = at.server.claim()
            ids = sorted(completion["id"] for completion in task["completions"])
            answer = {"ranking": {"ranks": [1, 2] if turn == 0 else [2, 1]}, "label": {"label": turn == 0},
                      "rating": {"ratings": {"helpful": 1 + turn}}}[task["kind"]]
            state = at.server.call("GET", "/api/state")[1]
            status, said = at.server.call("POST", "/api/submit", {
                "store": state["store"], "key": f"{turn}-{number}", "type": task["kind"], "task": task["id"],
                "prompt": task["prompt"], "completions": ids, "seconds": 20 + number, **answer})
            assert status == 200, said


def board_of(at, **options):
    page = at.page(path="board", **options)
    page.wait_for_selector("#overview:not([hidden])")
    return page


def cells(page, part):
    """The rows of a part's table, as texts."""
    return page.evaluate("part => [...document.querySelectorAll(`#${part} tbody tr`)].map(row => "
                         "[...row.children].map(cell => cell.textContent))", part)


def test_it_shows_what_was_judged_and_by_whom(site):
    at = site(TASKS)
    judged(at, names=["anna", SCRIPT])
    page = board_of(at)
    figures = dict(zip(page.locator("#figures dt").all_inner_texts(), page.locator("#figures dd").all_inner_texts()))
    assert figures["Judgements"] == "6" and figures["Answers still wanted"] == "1"
    assert figures["Pace of the last hour"] == "6 an hour"
    assert [row[:2] for row in cells(page, "annotators")] == [["anna", "3"], [SCRIPT, "3"]]
    assert [row[0] for row in cells(page, "times")] == ["label", "ranking of 2", "rating"]
    assert [row[0] for row in cells(page, "agreement")] == ["comparisons", "labels", "ratings of helpful"]
    assert [row[1:3] for row in cells(page, "disagreements")] == [["100 %", "2"], ["100 %", "2"], ["25 %", "2"]]
    assert sorted(row[0] for row in cells(page, "leaderboard")) == sorted([SCRIPT, "ppo"])
    assert re.search("The last 48 hours; at most [1-6] in one", page.locator("#hours svg").get_attribute("aria-label"))
    assert page.evaluate("window.broken") is None


def test_a_disagreement_leads_to_the_task_and_back_by_keyboard(site):
    at = site(TASKS)
    judged(at, names=["anna", "bert"])
    page = board_of(at)
    page.locator("#disagreements a").first.focus()
    number = page.evaluate("document.activeElement.textContent")
    press(page, "Enter")
    page.wait_for_selector("#task:not([hidden])")
    assert page.locator("#task-title").inner_text().startswith(number) and page.is_hidden("#overview")
    assert page.evaluate("document.activeElement.id") == "task-title"
    page.go_back()
    page.wait_for_selector("#overview:not([hidden])")
    page.goto(at.url + "board#task-1")
    page.wait_for_selector("#task:not([hidden])")
    said = cells(page, "work")
    assert [row[0] for row in said] == ["anna", "bert"]
    assert {said[0][1], said[1][1]} == {"answers 1 > 2", "answers 2 > 1"}
    page.click("summary")
    assert page.locator("#work .answer").first.inner_text().count(SCRIPT) == 1
    assert page.locator("#work details li").first.inner_text() == SCRIPT  # a model's name
    assert page.locator("#work strong").inner_text() == "bold" and page.evaluate("window.broken") is None
    page.focus("#task-title")
    press(page, "Shift+Tab")
    press(page, "Enter")  # back to the board
    page.wait_for_selector("#overview:not([hidden])")


def test_it_follows_the_work(site):
    at = site(pairs(2))
    board = board_of(at)
    assert cells(board, "annotators") == [] and board.locator("#annotators").inner_text() == "Nobody has judged yet."
    page = at.page()
    wait_for_task(page)
    board.click("#refresh")
    board.wait_for_function("() => document.querySelectorAll('#leases tbody tr').length === 1")
    press(page, "1")
    wait_until_stored(page)
    wait_for_task(page)
    press(page, "s")
    wait_until_stored(page)
    board.click("#refresh")
    board.wait_for_function("() => document.querySelectorAll('#annotators tbody tr').length === 1")
    assert cells(board, "leases") == [] and cells(board, "annotators")[0][:4] == ["reader", "2", "2", "2"]
    board.select_option("#kinds", "simulated")
    board.wait_for_function("() => document.querySelector('#annotators p')")


def test_reliability_is_worked_out_when_it_is_asked_for(site):
    at = site(pairs(12))
    judged(at, names=["anna", SCRIPT, "cleo"], tasks=12)
    page = board_of(at)
    page.locator("#reliability button").click()
    page.wait_for_selector("#reliability table")
    assert "12 pairs, 12 of them judged by several." in page.locator("#reliability").text_content()
    rows = {row[0]: row for row in cells(page, "reliability")}
    assert set(rows) == {"anna", SCRIPT, "cleo"} and all(row[1] == "12" and row[4] for row in rows.values())
    assert page.evaluate("window.broken") is None
    page.locator("#kinds").select_option("ai")
    page.wait_for_function("() => !document.querySelector('#reliability table')")


def test_exports_are_downloads(site):
    at = site(TASKS)
    judged(at, names=["anna", "bert"])
    page = board_of(at)
    links = page.locator("#exports a")
    files = {}
    for i in range(links.count()):
        with page.expect_download() as started:
            links.nth(i).click()
        files[i] = (started.value.suggested_filename, open(started.value.path()).read())
    names = [name for name, _ in files.values()]
    assert names == ["judgements.jsonl", "judgements.jsonl", "summary.json", "agreement.json", "reliability.json",
                     "leaderboard.json", "archive.jsonl"]
    rows = [json.loads(line) for line in files[0][1].splitlines()]
    assert [row["annotator"] for row in rows] == ["anna"] * 3 + ["bert"] * 3
    assert "anna" not in files[1][1] and files[1][1].count('"annotator":"annotator-') == 6
    assert {one["annotator"] for one in json.loads(files[4][1])["annotators"]} == {"anna", "bert"}
    assert json.loads(files[5][1])["battles"] == 2
    assert files[6][1].startswith('{"keel_archive":1')


def test_an_annotator_is_refused(site, tmp_path):
    at = site([PAIR], *accounts_in(tmp_path))
    page = at.page(path="board")
    page.wait_for_url("**/sign-in")
    for name in ("anna", "lea"):
        page.fill("#name", name)
        page.fill("#password", "correct horse")
        page.click("button[type=submit]")
        page.wait_for_selector("#sign-out:not([hidden])")
        assert page.is_visible("#to-board") == (name == "lea")
        page.goto(at.url + "board")
        if name == "anna":
            page.wait_for_function("() => document.querySelector('#notice').textContent.includes('for leads')")
            assert page.is_hidden("#overview") and page.is_hidden("#task")
            page.context.clear_cookies()
            page.goto(at.url + "sign-in")
    page.wait_for_selector("#overview:not([hidden])")


def accounts_in(folder):
    path = folder / "accounts.jsonl"
    path.write_text("".join(json.dumps({"name": name, "role": role, "password": "correct horse"}) + "\n"
                            for name, role in (("anna", "annotator"), ("lea", "lead"))))
    return "--accounts", str(path)


def entered(at, name):
    page = at.page(path="sign-in")
    page.fill("#name", name)
    page.fill("#password", "correct horse")
    page.click("button[type=submit]")
    page.wait_for_selector("#sign-out:not([hidden])")
    return page


def test_what_a_lead_returns_is_looked_at_again(site, tmp_path):
    at = site([{"kind": "label", "prompt": f"Number {n}?", "completions": ["Hello."]} for n in range(2)], *accounts_in(tmp_path))
    page = entered(at, "anna")
    for _ in range(2):
        wait_for_task(page)
        press(page, "y")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    lead = entered(at, "lea")
    for number in (1, 2):
        lead.goto(at.url + f"board#task-{number}")
        lead.reload()
        lead.get_by_role("button", name="Return what anna said").click()
        lead.fill("textarea", f"Really? {SCRIPT}")
        lead.click("text=Return it")
        lead.wait_for_function("() => document.querySelector('#notice').textContent === 'Returned to anna.'")
    page.reload()
    wait_for_task(page)
    assert f"lea: Really? {SCRIPT}" in page.inner_text(".notice .quoted") and page.evaluate("window.broken") is None
    assert page.get_by_role("button", name="Yes").get_attribute("aria-pressed") == "true"
    press(page, "n")
    page.wait_for_function("() => document.querySelectorAll('.quoted').length === 1 && "
                           "document.querySelector('[aria-pressed=\"true\"]').textContent.includes('Yes')")
    page.click("text=Leave it as it was")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    first, second, third = at.judgements()
    assert third["corrects"] == first["id"] and third["label"] == 0 and second["label"] == 1


def test_a_lead_says_the_last_word_without_seeing_who_wrote_what(site, tmp_path):
    at = site([HOSTILE], *accounts_in(tmp_path))
    page = entered(at, "anna")
    wait_for_task(page)
    press(page, "1")
    wait_until_stored(page)
    lead = entered(at, "lea")
    for key, said in (("2", "answers"), ("0", "answers 1 = 2 (the last word)")):
        lead.goto(at.url + "board#task-1")
        lead.reload()
        lead.wait_for_selector("#work table")
        assert not lead.locator("details li").first.is_visible()
        lead.click("text=Decide it yourself")
        assert lead.inner_text("#task-title") == "Which answer is better?"
        press(lead, key)
        lead.wait_for_function("said => [...document.querySelectorAll('#work tbody tr')].some(row => "
                               "row.children[0].textContent === 'lea' && row.children[1].textContent.startsWith(said))", arg=said)
    first, second, third = at.judgements()
    assert second["adjudicates"] is True and third["corrects"] == second["id"] and "adjudicates" not in first


def test_a_lead_invites_and_closes_accounts(site, tmp_path):
    at = site([PAIR], *accounts_in(tmp_path))
    page = entered(at, "lea")
    page.goto(at.url + "board")
    page.wait_for_selector("#people tbody tr")
    assert [row[:3] for row in cells(page, "people")] == [["anna", "annotator", "open"], ["lea", "lead", "open"]]
    page.fill("#invite-uses", "2")
    page.click("text=Make a link")
    page.wait_for_selector("#link-part:not([hidden])")
    link = page.input_value("#link")
    assert link.startswith(f"{at.url}join#") and page.evaluate("document.activeElement.id") == "link"
    joining = at.page(path=link.removeprefix(at.url))
    joining.fill("#name", SCRIPT)
    joining.fill("#password", "correct horse")
    joining.click("button[type=submit]")
    wait_for_task(joining)
    page.click("#refresh")
    page.wait_for_function("() => document.querySelectorAll('#people tbody tr').length === 3")
    page.get_by_role("button", name="Close the account of <img").click()
    page.wait_for_selector("#people :text('closed')")
    joining.reload()
    joining.wait_for_url("**/sign-in")
    page.get_by_role("button", name="Reopen the account of <img").click()
    page.wait_for_function("() => !document.querySelector('#people').textContent.includes('closed')")
    assert page.evaluate("window.broken") is None
    if AXE.exists():
        page.evaluate(AXE.read_text())
        assert faults(page) == []


def test_a_warning_covers_the_texts_on_the_board_too(site):
    at = site([{**PAIR, "details": {"warning": "Describes violence."}}])
    page = at.page(path="board#task-1")
    page.wait_for_selector("#task:not([hidden])")
    assert page.is_visible("text=Describes violence.") and not page.is_visible(".answer")
    page.click("summary:has-text('violence')")
    assert page.is_visible(".answer >> nth=1")


def test_the_qualification_round_lets_the_right_ones_through(site, tmp_path):
    gold = [{"kind": "label", "prompt": f"Is {n} even?", "completions": [str(n)],
             "details": {"gold": n % 2 == 0, "qualification": True}} for n in range(3)]
    at = site([PAIR, *gold], *accounts_in(tmp_path))
    page = entered(at, "anna")
    for _ in range(3):
        wait_for_task(page, "Is this a good answer?")
        press(page, "n")
        wait_until_stored(page)
    page.wait_for_selector("#finished:not([hidden])")
    assert "1 of 3 right" in page.inner_text("#refusal") and page.is_hidden("#all-done")
    board = entered(at, "lea")  # a lead is not examined
    board.goto(at.url + "board")
    board.wait_for_selector("#overview:not([hidden])")
    assert cells(board, "annotators")[0][5] == "1 of 3"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_and_nothing_sticks_out(site, scheme, width):
    if not AXE.exists():
        pytest.skip("axe-core is not installed (tools/setup test)")
    at = site([*TASKS, {**PAIR, "prompt": "wide" * 200}])
    judged(at, names=["anna", "b" * 60], tasks=3)
    for path, ready in (("board", "#overview"), ("board#task-1", "#task"), ("sign-in", "form"), ("join", "form")):
        page = at.page(path=path, viewport={"width": width, "height": 800}, color_scheme=scheme)
        if path == "sign-in":  # without accounts it leads on at once
            page.wait_for_url(at.url)
            continue
        page.wait_for_selector(f"{ready}:not([hidden])")
        page.evaluate(AXE.read_text())
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
