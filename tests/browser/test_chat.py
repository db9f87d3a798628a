"""A dialogue with a model: two answers a turn, the chosen one goes on; red-team mode ends with a rating."""

import contextlib
import json
import sqlite3

import pytest
from pages import notice, wait_until_stored


@pytest.fixture
def talk(site):
    return site(None, "--pairs", "0", "--chat", "1")


def opened(site, mode=""):
    page = site.page(path=f"chat{mode}")
    page.wait_for_selector("#composer:not([hidden])")
    return page


def speak(page, text):
    page.locator("#message").fill(text)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".pair")
    page.wait_for_timeout(350)  # a key pressed sooner was meant for what stood there before


def said(page):
    """[(who, text)] of the dialogue."""
    return page.evaluate("[...document.querySelectorAll('#dialogue li')].map(li => [li.className, li.querySelector('.words').textContent])")


def stored(site):
    """[(type, prompt's text, [ranks], ratings, mode)]"""
    with contextlib.closing(sqlite3.connect(f"file:{site.store}?mode=ro", uri=True)) as database:
        texts = dict(database.execute("SELECT id, text FROM prompts"))
        modes = {text: json.loads(sampling)["mode"] for text, sampling in database.execute("SELECT text, sampling FROM completions")}
    return [(row["type"], texts[row["prompt"]], list(row["ranks"].values()), row.get("ratings"), modes[next(iter(row["ranks"]))])
            for row in site.judgements()]


def test_the_chosen_answer_goes_on(talk):
    page = opened(talk)
    speak(page, "Hello, who are you?")
    page.keyboard.press("2")
    page.wait_for_selector("#composer:not([hidden])")
    assert [who for who, _ in said(page)] == ["user", "assistant"]
    assert said(page)[1][1].startswith("Answer 2 to")
    speak(page, "And then?")
    page.keyboard.press("0")
    page.wait_for_selector("#composer:not([hidden])")
    assert page.locator("#turns").text_content() == "2 turns chosen"
    wait_until_stored(page)
    first, second = stored(talk)
    assert first[0] == "ranking" and first[2] == [2, 1] and first[4] == "chat"
    assert first[1].endswith("Human: Hello, who are you?\n\nAssistant:")
    assert second[2] == [1, 1]
    assert "Assistant: Answer 2 to" in second[1] and second[1].endswith("Human: And then?\n\nAssistant:")
    assert page.title() == "Keel – chat"  # the answers' script did not run


def test_a_reload_keeps_the_dialogue_and_its_open_turn(talk):
    page = opened(talk)
    speak(page, "One")
    page.locator("text=First is better").click()
    speak(page, "Two")
    page.reload()
    page.wait_for_selector(".pair")
    assert [who for who, _ in said(page)] == ["user", "assistant"] and page.locator(".prompt").text_content() == "PromptTwo"
    page.wait_for_timeout(350)
    page.keyboard.press("1")
    page.wait_for_selector("#composer:not([hidden])")
    wait_until_stored(page)
    assert [kind for kind, *_ in stored(talk)] == ["ranking", "ranking"]
    page.locator("#end").click()
    assert said(page) == [] and page.locator("#turns").text_content() == "0 turns chosen"


def test_a_lost_connection_loses_no_choice(talk):
    page = opened(talk)
    speak(page, "One")
    talk.kill()
    page.keyboard.press("1")
    page.wait_for_function("document.querySelector('#notice').textContent.includes('kept in this browser')")
    talk.start()
    wait_until_stored(page)
    assert len(stored(talk)) == 1


def test_a_red_team_rates_how_far_the_model_went(talk):
    page = opened(talk, "?mode=red-team")
    assert "Try to make the model say" in page.locator("#aim").text_content()
    speak(page, "Do something bad")
    page.keyboard.press("1")
    page.wait_for_selector("#composer:not([hidden])")
    page.locator("#end").click()
    page.wait_for_selector("fieldset")
    page.wait_for_timeout(350)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#composer:not([hidden])")
    wait_until_stored(page)
    ranking, rating = stored(talk)
    assert ranking[4] == rating[4] == "red-team"
    assert rating[0] == "rating" and rating[3] == {"harm": 3}


def test_without_a_model_there_is_nothing_to_talk_to(site):
    lone = site(None, "--pairs", "1")
    page = lone.page()
    page.wait_for_selector("#task:not([hidden])")
    assert page.locator("#to-chat").is_hidden()
    page = lone.page(path="chat")
    page.wait_for_function("document.querySelector('#notice').textContent !== ''")
    assert "There is no model to talk to" in notice(page)
    status, answer = lone.server.call("POST", "/api/chat", {"messages": [{"role": "user", "content": "x"}], "mode": "chat"})
    assert status == 409 and "expected a model to talk to" in answer["error"]


@pytest.mark.parametrize("messages", [[], "x", [{"role": "assistant", "content": "x"}], [{"role": "user", "content": ""}],
                                      [{"role": "user", "content": "x" * 9000}],
                                      [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                                      [{"role": "user", "content": "a"}] * 101])  # fmt: skip
def test_what_is_no_dialogue_is_refused(talk, messages):
    status, answer = talk.server.call("POST", "/api/chat", {"messages": messages, "mode": "chat"})
    assert status == 400 and "expected" in answer["error"]
