"""What the tests of the label page do again and again."""

import json

LETTERS = "abcdef"
SIX = {"kind": "ranking", "prompt": "Which letter?", "completions": [f"letter {c}" for c in LETTERS]}
PAIR = {"kind": "ranking", "prompt": "Which one?", "completions": ["short", "much longer"]}


def pairs(count):
    return [{**PAIR, "prompt": f"Which one, {number}?"} for number in range(count)]


def wait_for_task(page, question=None):
    page.wait_for_selector("#task:not([hidden])")
    if question:
        page.wait_for_function("text => document.querySelector('#question').textContent === text", arg=question)
    page.wait_for_timeout(350)  # a key pressed sooner was meant for the task before


def wait_until_stored(page):
    """Everything that the page keeps is acknowledged."""
    page.wait_for_function("() => Object.keys(localStorage).filter(name => name.startsWith('keel.unsent.'))"
                           ".every(name => localStorage[name] === '[]')")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def notice(page):
    return page.locator("#notice").text_content()


def kept(page, kind):
    """The judgements in the browser's list `unsent` or `refused`."""
    lists = page.evaluate("kind => Object.keys(localStorage).filter(name => name.startsWith(`keel.${kind}.`))"
                          ".map(name => localStorage[name])", kind)
    return [judgement for text in lists for judgement in json.loads(text)]


def numbers(page):
    """{text: the number under which the page shows it}"""
    cards = page.locator(".answer")
    return {cards.nth(i).locator(".words").first.text_content().strip(): i + 1 for i in range(cards.count())}


def tiers(page):
    """The ranking as the bar shows it: [["3", "1"], ["2"]]"""
    return page.evaluate("[...document.querySelectorAll('.tier')].map(tier => [...tier.children]"
                         ".map(chip => chip.textContent.trim()))")


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, source, target):
    """With the mouse, in steps, as a hand does."""
    page.mouse.move(*centre(source))
    page.mouse.down()
    page.mouse.move(*(part + 12 for part in centre(source)), steps=3)
    page.mouse.move(*centre(target), steps=8)
    page.mouse.up()


def chip(page, number):
    return page.locator(f".chip:has-text('{number}')")
