"""No judgement is lost: killed servers, lost replies, no network, closed pages, several tabs."""

import signal

from pages import SIX, kept, notice, pairs, press, tiers, wait_for_task, wait_until_stored


def test_the_server_is_killed_before_it_stores_and_comes_back(site):
    at = site(pairs(3))
    page = at.page()
    wait_for_task(page)
    at.server.process.send_signal(signal.SIGSTOP)  # takes the request and does nothing
    press(page, "1")
    page.wait_for_timeout(300)
    assert len(kept(page, "unsent")) == 1
    at.kill()
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('kept in this browser')")
    assert at.judgements() == []
    at.start()
    wait_until_stored(page)
    wait_for_task(page)
    assert len(at.judgements()) == 1 and page.is_hidden("#notice")


def test_the_server_is_killed_between_commit_and_reply(site):
    at = site(pairs(3))
    page = at.page()
    wait_for_task(page)

    def commit_and_die(route):
        route.fetch()
        at.kill()
        route.abort()

    page.route("**/api/submit", commit_and_die, times=1)
    press(page, "2")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('kept in this browser')")
    assert len(at.judgements()) == 1 and len(kept(page, "unsent")) == 1
    at.start()
    wait_until_stored(page)  # sent again under its key
    assert len(at.judgements()) == 1
    wait_for_task(page)
    press(page, "1")
    wait_until_stored(page)
    assert len(at.judgements()) == 2


def test_offline_and_back(site):
    at = site(pairs(3))
    context = at.context()
    page = at.page(context)
    wait_for_task(page)
    context.set_offline(True)
    press(page, "1")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('does not answer')")
    press(page, "u")  # a judgement that is not sent yet can be corrected, too
    wait_for_task(page)
    press(page, "2")
    assert [judgement["ranks"] for judgement in kept(page, "unsent")] == [[1, 2], [2, 1]]
    context.set_offline(False)
    wait_until_stored(page)
    first, second = at.judgements()
    assert second["corrects"] == first["id"]
    wait_for_task(page)
    assert page.is_hidden("#notice")


def test_a_correction_survives_a_reload_before_anything_was_sent(site):
    at = site(pairs(2))
    page = at.page()
    wait_for_task(page)
    at.server.process.send_signal(signal.SIGSTOP)
    press(page, "1", "u")
    wait_for_task(page)
    press(page, "2")
    assert len(kept(page, "unsent")) == 2
    at.kill()
    at.start()
    page.reload()
    wait_until_stored(page)
    first, second = at.judgements()
    assert second["corrects"] == first["id"]


def test_a_refused_judgement_is_said_and_kept(site):
    at = site(pairs(2))
    context = at.context()
    page, other = at.page(context), at.page(context)
    for tab in (page, other):
        wait_for_task(tab)
    press(page, "1")
    wait_until_stored(page)
    page.evaluate("""() => {
      const name = Object.keys(localStorage).find(name => name.startsWith('keel.unsent.'));
      localStorage[name] = JSON.stringify([{store: 'another', key: 'k', type: 'skip', prompt: 1}]);
      dispatchEvent(new Event('online'));
    }""")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('refused 1 of your judgements')")
    assert "another store" in notice(page)
    (refused,) = kept(page, "refused")
    assert refused["key"] == "k" and kept(page, "unsent") == []


def test_two_tabs_have_two_tasks_and_a_closed_one_gives_its_back(site):
    at = site(pairs(2))
    context = at.context()
    first, second = at.page(context), at.page(context)
    for tab in (first, second):
        wait_for_task(tab)
    prompts = [tab.locator(".prompt .words").first.text_content() for tab in (first, second)]
    assert len(set(prompts)) == 2
    first.close(run_before_unload=True)
    press(second, "1")
    wait_for_task(second)
    assert second.locator(".prompt .words").first.text_content() == prompts[0]


def test_half_done_work_is_held_for_who_comes_back(site):
    at = site([SIX, *pairs(1)])
    page = at.page()
    wait_for_task(page)
    if "Rank" not in page.locator("#question").text_content():
        press(page, "s")
        wait_for_task(page, "Rank the answers, best first.")
    press(page, "5", "2")
    task = page.inner_text(".answers")
    at.kill()
    at.start()
    other = at.page()  # somebody else's browser, the same annotator: the task is held
    other.wait_for_timeout(1000)
    assert not other.is_visible(".answers")
    page.reload()
    wait_for_task(page)
    assert tiers(page) == [["5"], ["2"]]
    assert page.inner_text(".answers") == task


def test_a_browser_that_keeps_nothing_says_so(site):
    at = site(pairs(2))
    context = at.context()
    context.add_init_script("Storage.prototype.setItem = () => { throw new Error('no room'); };")
    page = at.page(context)
    wait_for_task(page)
    press(page, "1")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('keeps nothing')")
    wait_for_task(page)
    assert len(at.judgements()) == 1
