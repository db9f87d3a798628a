"""By keyboard, with a screen reader, on a phone, right to left, with an input method, dark and light."""

import os
from pathlib import Path

import pytest
from pages import PAIR, SIX, chip, pairs, press, tiers, wait_for_task

CACHE = Path(os.environ.get("KEEL_CACHE", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "keel"))
AXE = CACHE / "page-checkers" / "node_modules" / "axe-core" / "axe.min.js"
KINDS = [
    SIX,
    PAIR,
    {"kind": "rating", "prompt": "Is it safe?", "completions": ["Yes."],
     "details": {"dimensions": ["helpful", "harmless"], "scale": [1, 5]}},
    {"kind": "label", "prompt": "Say hello.", "completions": ["Hello."]},
    {"kind": "demonstration", "prompt": "Write a haiku."},
    {"kind": "edit", "prompt": "Mend it.", "completions": ["Teh cat"]},
    {**PAIR, "prompt": "Look away.", "details": {"warning": "Describes violence."}},
    {"kind": "ranking", "prompt": "Long words", "completions": ["a" * 400, "```\n" + "code " * 80 + "\n```\n",
                                                            "|" + "wide cell|" * 30 + "\n|" + "---|" * 30]},
]


def every_kind(page, at):
    """Goes through all tasks, skipping each after it was looked at."""
    for _ in KINDS:
        wait_for_task(page)
        yield
        press(page, "s")
    page.wait_for_selector("#finished:not([hidden])")
    yield


def faults(page):
    """What axe finds wrong by the WCAG's levels A and AA, and by its best practices."""
    found = page.evaluate("axe.run().then(({ violations }) => violations.map((v) => [v.id, ...v.nodes.map((n) => "
                          "n.html + ': ' + n.any.map((check) => check.message))]))")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_and_nothing_sticks_out(site, scheme, width):
    if not AXE.exists():
        pytest.skip("axe-core is not installed (tools/setup test)")
    at = site(KINDS)
    page = at.page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.evaluate(AXE.read_text())
    for _ in every_kind(page, at):
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for key in ("?", "g"):
        press(page, key)
        page.wait_for_selector("dialog[open]")
        assert faults(page) == []
        press(page, "Escape")
        page.wait_for_selector("dialog", state="detached")


def test_a_new_task_takes_the_focus_and_is_reached_in_order(site):
    page = site([SIX]).page()
    wait_for_task(page)
    assert page.evaluate("document.activeElement.id") == "question"
    reached = []
    for _ in range(6 + 4 + 6 + 2 + 2):  # cards, preference, chips, buttons, skips
        press(page, "Tab")
        reached.append(page.evaluate("document.activeElement.className + document.activeElement.type"))
    assert [name.split("button")[0] for name in reached[:6]] == ["badge"] * 6
    assert "radio" in reached[6] and "checkbox" in reached[7]
    assert [name.split("button")[0] for name in reached[8:14]] == ["chip"] * 6


def test_chips_have_names_that_say_where_they_stand(site):
    page = site([SIX]).page()
    wait_for_task(page)
    press(page, "2", "=", "4")
    assert chip(page, 4).get_attribute("aria-label").startswith("Answer 4, first, tied with 2.")
    assert chip(page, 1).get_attribute("aria-label").startswith("Answer 1, not ranked.")
    assert page.get_by_role("list", name="Ranked, best first").count() == 1
    assert page.get_by_role("region", name="Your ranking").count() == 1
    assert page.get_by_role("article", name="Answer 3").count() == 1


def test_keys_leave_input_methods_and_modifiers_alone(site):
    at = site(pairs(2))
    page = at.page()
    wait_for_task(page)
    page.evaluate("""() => {
      for (const extra of [{ isComposing: true }, { keyCode: 229 }, { ctrlKey: true }, { metaKey: true }, { altKey: true },
                           { repeat: true }]) {
        for (const key of ['1', '2', '0', 's', 'ArrowLeft']) {
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, ...extra }));
        }
      }
    }""")
    page.wait_for_timeout(300)
    assert at.judgements() == []
    press(page, "?")
    page.uncheck("text=Single keys are commands")
    press(page, "Escape")
    page.wait_for_selector("dialog", state="detached")
    press(page, "1", "s", "u")
    page.wait_for_timeout(300)
    assert at.judgements() == [] and page.is_visible("#task")


def test_arrows_scroll_and_choose_among_radios_before_they_judge(site):
    wide = {**PAIR, "completions": ["```\n" + "code " * 80 + "\n```\n", "short"]}
    at = site([wide])
    page = at.page()
    wait_for_task(page)
    page.focus("pre")
    press(page, "ArrowRight", "ArrowLeft", "ArrowRight")
    page.wait_for_function("() => document.querySelector('pre').scrollLeft > 0")
    page.focus(".preference input")
    press(page, "ArrowRight")
    assert page.is_checked("text=Clearly") and at.judgements() == []
    page.focus("#raw")
    press(page, "ArrowRight")
    page.wait_for_selector("#finished:not([hidden])")


def test_a_key_for_the_last_task_does_not_judge_the_next(site):
    at = site(pairs(3))
    page = at.page()
    wait_for_task(page)
    page.evaluate("""() => {
      let sent = 0;
      const press = () => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '1', bubbles: true }));
      new MutationObserver(() => { if (!document.querySelector('#task').hidden && sent++ < 5) press(); })
        .observe(document.querySelector('#task'), { attributes: true });
      press();
    }""")
    page.wait_for_timeout(600)
    assert len(at.judgements()) == 1


def test_right_to_left_text_is_set_by_what_it_says(site):
    hebrew, mixed = "שלום עולם", "English first.\n\nואז עברית"
    at = site([{"kind": "ranking", "prompt": hebrew, "completions": [mixed, "plain"]},])
    page = at.page()
    wait_for_task(page)
    directions = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('.rendered')].map((words) =>
      [words.textContent.trim(), getComputedStyle(words).direction]))""")
    assert directions[hebrew] == "rtl" and directions["plain"] == "ltr"
    sides = page.evaluate("""() => {
      const paragraphs = [...document.querySelectorAll('.pair .rendered p')].filter((p) => p.textContent.length > 6);
      return paragraphs.map((p) => { const range = document.createRange(); range.selectNodeContents(p);
        const text = range.getBoundingClientRect(), box = p.getBoundingClientRect();
        return Math.round(text.left - box.left) < 2 ? 'left' : 'right'; });
    }""")
    assert sides == ["left", "right"]


def test_a_phone_held_upright_keeps_the_bar_in_sight(site):
    long = {**SIX, "completions": [f"{c}\n\n" + "words " * 300 for c in "abcdefghi"]}
    page = site([long]).page(viewport={"width": 375, "height": 667})
    wait_for_task(page)
    box = page.locator(".bar").bounding_box()
    assert box["y"] + box["height"] <= 667 and box["height"] < 667 / 2.5
    press(page, *"123456789")
    assert tiers(page) == [[c] for c in "123456789"]
    box = page.locator(".bar").bounding_box()
    assert box["height"] < 667 / 2 and page.evaluate("document.documentElement.scrollWidth") <= 375
    sizes = page.evaluate("[...document.querySelectorAll('.chip')].map((c) => c.getBoundingClientRect().width)")
    assert min(sizes) >= 44
