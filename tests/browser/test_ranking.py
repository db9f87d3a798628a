"""Rankings in the page: by dragging, by clicking, by keys alone; ties, strength, undo, drafts."""

from pages import PAIR, SIX, centre, chip, drag, notice, numbers, pairs, press, tiers, wait_for_task, wait_until_stored

RANK_OF = {f"letter {c}": rank for rank, c in enumerate("fbdace", 1)}  # what the tests want


def wanted_order(page):
    """The numbers of the six answers, best first."""
    shown = numbers(page)
    return [str(shown[text]) for text in sorted(RANK_OF, key=RANK_OF.get)]


def the_one(site):
    (judgement,) = site.judgements()
    return judgement


def test_six_are_ranked_by_keys_alone(site):
    at = site([SIX])
    page = at.page()
    wait_for_task(page, "Rank the answers, best first.")
    press(page, *wanted_order(page))
    assert tiers(page) == [[number] for number in wanted_order(page)]
    press(page, "Enter")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    judgement = the_one(at)
    assert judgement["ranks"] == RANK_OF and judgement["type"] == "ranking" and judgement["shown"] == 1
    assert 0 < judgement["seconds"] < 60


def test_six_are_ranked_by_dragging(site):
    at = site([SIX])
    page = at.page(viewport={"width": 1280, "height": 900})
    wait_for_task(page)
    order = wanted_order(page)
    for number in order[:5]:  # from the pool to the end
        drag(page, chip(page, number), page.locator(".gap").last)
    badge = page.locator(f".badge[data-name='{order[5]}']")  # and from the card itself
    badge.scroll_into_view_if_needed()
    drag(page, badge, page.locator(".gap").last)
    assert tiers(page) == [[number] for number in order]
    drag(page, chip(page, order[5]), page.locator(".gap").first)  # to the front, and back
    assert tiers(page)[0] == [order[5]]
    drag(page, chip(page, order[5]), page.locator(".gap").last)
    drag(page, chip(page, order[0]), page.locator(".pool"))  # out, and in again
    assert len(tiers(page)) == 5
    drag(page, chip(page, order[0]), page.locator(".gap").first)
    page.click("text=Submit ranking")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    assert the_one(at)["ranks"] == RANK_OF


def test_six_are_ranked_by_clicking(site):
    at = site([SIX])
    page = at.page()
    wait_for_task(page)
    for number in wanted_order(page):
        page.click(f".badge[data-name='{number}']")
    page.click("text=Submit ranking")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    assert the_one(at)["ranks"] == RANK_OF


def test_six_are_ranked_by_a_finger_on_a_phone(site):
    at = site([SIX])
    page = at.page(viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    wait_for_task(page)
    order = wanted_order(page)
    touch = page.context.new_cdp_session(page)

    def finger(kind, point=None):
        touch.send("Input.dispatchTouchEvent",
                   {"type": kind, "touchPoints": [{"x": point[0], "y": point[1]}] if point else []})

    def slide(start, end):
        finger("touchStart", start)
        for step in range(1, 6):
            finger("touchMove", tuple(a + (b - a) * step / 5 for a, b in zip(start, end)))
        finger("touchEnd")

    for number in order:
        slide(centre(chip(page, number)), centre(page.locator(".gap").last))
    assert tiers(page) == [[number] for number in order]
    page.click("text=Submit ranking")  # Chromium takes no made tap for a while after a drag
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    assert the_one(at)["ranks"] == RANK_OF


def test_arrow_keys_move_an_answer_through_ties(site):
    page = site([SIX]).page()
    wait_for_task(page)
    press(page, "1", "2", "3")
    chip(page, 3).focus()
    press(page, "ArrowLeft")
    assert tiers(page) == [["1"], ["2", "3"]]
    page.wait_for_function("() => document.querySelector('#said').textContent === 'Answer 3: second, tied with 2.'")
    press(page, "ArrowLeft")
    assert tiers(page) == [["1"], ["3"], ["2"]]
    press(page, "ArrowUp", "ArrowUp")
    assert tiers(page) == [["3"], ["1"], ["2"]]
    press(page, "ArrowDown")
    assert tiers(page) == [["1", "3"], ["2"]]
    press(page, "Enter")  # the focus has stayed on the answer: it is taken out
    assert tiers(page) == [["1"], ["2"]]
    press(page, "ArrowRight")  # and comes in at the end
    assert tiers(page) == [["1"], ["2"], ["3"]]


def test_ties_by_key_by_button_and_by_dragging_onto(site):
    at = site([SIX])
    page = at.page(viewport={"width": 1280, "height": 900})
    wait_for_task(page)
    press(page, "=")
    assert notice(page) == "Rank one answer first."
    press(page, "2", "=", "5", "1")
    assert tiers(page) == [["2", "5"], ["1"]]
    page.click("text=Tie next")
    press(page, "6")
    assert tiers(page) == [["2", "5"], ["1", "6"]]
    drag(page, chip(page, 3), page.locator(".tier").first)
    press(page, "4")
    assert tiers(page) == [["2", "5", "3"], ["1", "6"], ["4"]]
    press(page, "Backspace", "Backspace", "4", "6")
    assert tiers(page) == [["2", "5", "3"], ["1"], ["4"], ["6"]]
    shown = {number: text for text, number in numbers(page).items()}
    press(page, "Enter")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    ranks = the_one(at)["ranks"]
    assert [ranks[shown[number]] for number in range(1, 7)] == [2, 1, 1, 3, 1, 4]


def test_half_a_ranking_is_refused_and_kept(site):
    at = site([SIX])
    context = at.context()
    page = at.page(context)
    wait_for_task(page)
    press(page, "4", "=", "2", "n", "w", "Enter")
    assert notice(page) == "Answers 1, 3, 5, 6 are not ranked yet."
    shown = numbers(page)
    page.reload()
    wait_for_task(page)
    assert numbers(page) == shown and tiers(page) == [["4", "2"]]
    assert page.is_checked("text=None is acceptable") and page.is_checked("text=Clearly")
    press(page, "1", "3", "5", "6", "Enter")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    judgement = the_one(at)
    assert judgement["none_acceptable"] is True and judgement["strength"] == 2
    assert page.evaluate("Object.keys(localStorage).filter(n => n.startsWith('keel.drafts')).map(n => localStorage[n])"
                         ) == ["[]"]


def judge_pair(page, longer, *before):
    """Presses the key for the longer or the shorter one."""
    wait_for_task(page, "Which answer is better?")
    first_is_longer = page.locator(".pair .words").first.text_content().strip() == "much longer"
    press(page, *before, "1" if first_is_longer == longer else "2")


def test_a_pair_takes_one_key(site):
    at = site(pairs(4))
    page = at.page()
    judge_pair(page, longer=True)
    judge_pair(page, False, "e")
    wait_for_task(page)
    press(page, "0")
    wait_for_task(page)
    press(page, "s")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    first, second, third, fourth = at.judgements()
    assert first["ranks"] == {"short": 2, "much longer": 1} and "strength" not in first
    assert second["ranks"] == {"short": 1, "much longer": 2} and second["strength"] == 3
    assert third["ranks"] == {"short": 1, "much longer": 1}
    assert fourth["type"] == "skip" and fourth["ranks"] == {"short": None, "much longer": None}


def test_a_pair_that_asks_how_much_waits_for_it(site):
    at = site([{**PAIR, "details": {"strength": True}}])
    page = at.page()
    judge_pair(page, longer=True)
    assert notice(page) == "How much better? Q slightly, W clearly, E much."
    page.reload()  # the choice is kept
    wait_for_task(page)
    press(page, "q")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    assert the_one(at)["ranks"] == {"short": 2, "much longer": 1} and the_one(at)["strength"] == 1


def test_undo_returns_to_judgements_and_corrects_them(site):
    at = site([SIX, *pairs(1)])
    page = at.page()
    for _ in range(2):
        wait_for_task(page)
        if "Rank" in page.locator("#question").text_content():
            press(page, "1", "2", "3", "4", "5", "6", "Enter")
        else:
            press(page, "s")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    press(page, "u")
    wait_for_task(page)
    press(page, "u")  # the one before
    wait_for_task(page)
    if "Rank" not in page.locator("#question").text_content():
        press(page, "1")
    else:
        assert tiers(page) == [["1"], ["2"], ["3"], ["4"], ["5"], ["6"]]
        press(page, "6", "=", "6", "Enter")
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    first, second, third = at.judgements()
    assert third["corrects"] == first["id"] and third["type"] == "ranking" and third["task"] == first["task"]
    assert at.server.call("GET", "/api/state")[1]["done"] == 2
    press(page, "u")  # of the correction, then left as it was
    page.click("text=Leave it as it was")
    page.wait_for_selector("#finished:not([hidden])")
    assert len(at.judgements()) == 3


def test_a_task_that_was_left_for_undo_is_there_afterwards(site):
    at = site([SIX, *pairs(1)])
    page = at.page()
    wait_for_task(page)
    press(page, "s")
    wait_for_task(page)
    question = page.locator("#question").text_content()
    if "Rank" in question:
        press(page, "3", "1")
    press(page, "u")
    wait_for_task(page)
    press(page, "s")  # the skip is corrected by another one
    wait_for_task(page, question)
    if "Rank" in question:
        assert tiers(page) == [["3"], ["1"]]
    wait_until_stored(page)
    first, second = at.judgements()
    assert second["corrects"] == first["id"]


def test_undo_in_a_tab_without_a_past_says_so(site):
    page = site(pairs(1)).page()
    wait_for_task(page)
    assert page.is_disabled("#undo")
    press(page, "u")
    assert notice(page) == "There is no earlier judgement in this tab."
