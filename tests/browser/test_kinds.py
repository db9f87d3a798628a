"""Tasks of the other kinds, notes, warnings, guidelines."""

from pages import PAIR, notice, pairs, press, wait_for_task, wait_until_stored

RATING = {"kind": "rating", "prompt": "Is it good?", "completions": ["An answer."],
          "details": {"dimensions": ["helpful", "honest", "harmless"], "scale": [1, 7]}}


def finish(at, page):
    page.wait_for_selector("#finished:not([hidden])")
    wait_until_stored(page)
    return at.judgements()


def test_ratings_by_keys_and_by_clicking(site):
    at = site([RATING, {**RATING, "prompt": "And this?"}])
    page = at.page()
    wait_for_task(page, "How good is this answer?")
    press(page, "6", "Enter")
    assert notice(page) == "Not rated yet: honest, harmless."
    page.reload()
    wait_for_task(page)
    press(page, "2", "7", "Enter")
    wait_for_task(page)
    page.wait_for_function("() => document.querySelectorAll(':checked').length === 0")
    for dimension, value in (("harmless", 1), ("helpful", 3), ("honest", 2)):
        page.locator(f"fieldset:has-text('{dimension}') label:has-text('{value}')").click()
    page.click("text=Submit ratings")
    first, second = finish(at, page)
    assert first["ratings"] == {"helpful": 6, "honest": 2, "harmless": 7}
    assert second["ratings"] == {"helpful": 3, "honest": 2, "harmless": 1}


def test_labels_answer_the_tasks_own_question(site):
    task = {"kind": "label", "prompt": "Say hello.", "completions": ["Hello."], "details": {"question": "Is it polite?"}}
    at = site([task, {**task, "prompt": "Say bye.", "details": {}}])
    page = at.page()
    wait_for_task(page)
    questions = {page.locator("#question").text_content()}
    press(page, "y")
    wait_for_task(page)
    questions.add(page.locator("#question").text_content())
    page.click("button:has-text('No')")
    first, second = finish(at, page)
    assert questions == {"Is it polite?", "Is this a good answer?"}
    assert (first["label"], second["label"]) == (1, 0)


def test_a_demonstration_is_written_and_a_reload_keeps_it(site):
    at = site([{"kind": "demonstration", "prompt": "Write a haiku."}])
    page = at.page()
    wait_for_task(page, "Write a good answer.")
    page.click("button:has-text('Submit')")
    assert notice(page) == "Nothing is written yet."
    page.fill("textarea", "An old silent pond,\na frog: su 3, gs ?")  # letters that are commands elsewhere
    page.reload()
    wait_for_task(page)
    page.focus("textarea")
    press(page, "Control+End", "s", "1", "?", "Control+Enter")
    (judgement,) = finish(at, page)
    assert judgement["type"] == "demonstration"
    assert judgement["text"] == "An old silent pond,\na frog: su 3, gs ?s1?"


def test_an_edit_begins_with_the_answer(site):
    at = site([{"kind": "edit", "prompt": "Mend it.", "completions": ["Teh **cat**"]}])
    page = at.page()
    wait_for_task(page)
    assert page.input_value("textarea") == "Teh **cat**"
    page.click("button:has-text('Submit')")
    assert "as it was" in notice(page)
    page.fill("textarea", "Nonsense")
    page.click("text=Start over")
    assert page.input_value("textarea") == "Teh **cat**"
    page.fill("textarea", "The **cat**")
    press(page, "Control+Enter")
    (judgement,) = finish(at, page)
    assert judgement["type"] == "edit" and judgement["text"] == "The **cat**"
    assert judgement["ranks"] == {"Teh **cat**": None}


def test_flag_comment_and_a_skip_with_a_reason(site):
    at = site([PAIR])
    page = at.page()
    wait_for_task(page)
    press(page, "f")
    page.click("dialog button:has-text('Flag it')")
    assert page.locator("dialog .hint").text_content() == "Say what it is."
    page.select_option("dialog select", label="Answer 2")
    page.click("dialog label:has-text('Personal data')")
    page.fill("dialog textarea", "a street address")
    page.click("dialog button:has-text('Flag it')")
    page.wait_for_selector("dialog", state="detached")
    press(page, "c")
    page.fill("dialog textarea", "Both are dull: 1 2 s")
    page.click("dialog button:has-text('Keep it')")
    page.wait_for_selector("dialog", state="detached")
    press(page, "c", "Escape")
    page.wait_for_selector("dialog", state="detached")
    press(page, "Shift+S")
    page.click("dialog label:has-text('The task is unclear')")
    page.click("dialog button:has-text('Skip it')")
    flag, comment, skip = finish(at, page)
    assert (flag["type"], flag["text"]) == ("flag", "Personal data: a street address") and len(flag["ranks"]) == 1
    assert (comment["type"], comment["text"], comment["ranks"]) == ("comment", "Both are dull: 1 2 s", {})
    assert (skip["type"], skip["text"]) == ("skip", "The task is unclear")


def test_a_warning_stands_before_the_texts(site):
    at = site([{**PAIR, "details": {"warning": "Describes violence."}}])
    page = at.page()
    wait_for_task(page)
    assert page.locator(".warning").text_content().startswith("Describes violence.")
    assert not page.is_visible(".pair")
    press(page, "1", "2", "0")  # nobody judges what they have not seen
    assert page.is_visible(".warning") and at.judgements() == []
    page.click("text=Show it")
    assert page.is_visible(".pair") and not page.is_visible(".warning")
    page.wait_for_timeout(350)
    press(page, "1")
    assert len(finish(at, page)) == 1


def test_guidelines_open_once_and_stand_on_every_judgement(site, tmp_path):
    guidelines = tmp_path / "guidelines.md"
    guidelines.write_text("# Be fair\n\nRead *both* answers.")
    at = site(pairs(3), "--guidelines", str(guidelines))
    page = at.page()
    page.wait_for_selector("dialog[open]")
    assert page.locator("dialog h2").text_content() == "Guidelines, version 1"
    assert page.locator("dialog em").text_content() == "both"
    press(page, "1")  # a key while they are read decides nothing
    page.click("dialog button:has-text('Close')")
    wait_for_task(page)
    press(page, "1")
    wait_for_task(page)
    assert page.locator("dialog").count() == 0
    press(page, "g")
    page.wait_for_selector("dialog[open]")
    press(page, "Escape")
    page.wait_for_selector("dialog", state="detached")
    at.kill()
    guidelines.write_text("Be fairer.")
    at.start()
    page.reload()
    page.wait_for_selector("dialog[open]")
    assert page.locator("dialog h2").text_content() == "Guidelines, version 2"
    press(page, "Escape")
    wait_for_task(page)
    press(page, "1")
    wait_for_task(page)
    wait_until_stored(page)
    assert [judgement["guideline"] for judgement in at.judgements()] == [1, 2]


def test_raw_text_is_one_switch(site):
    at = site([{"kind": "ranking", "prompt": "A **b**", "completions": ["# x", "[y](http://z.example)"]}])
    page = at.page()
    wait_for_task(page)
    assert page.inner_text(".prompt").split("\n")[-1] == "A b"
    press(page, "r")
    assert page.inner_text(".prompt").split("\n")[-1] == "A **b**"
    assert page.get_attribute("#raw", "aria-pressed") == "true"
    page.reload()
    wait_for_task(page)
    assert page.inner_text(".prompt").split("\n")[-1] == "A **b**"
    page.click("#raw")
    assert "y (http://z.example)" in page.inner_text(".pair")
