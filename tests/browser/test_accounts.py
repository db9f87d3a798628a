"""Logging in, being refused, joining by invite; what other sites and hostile names can do."""

import contextlib
import hashlib
import json
import sqlite3
import time

import pytest
from pages import notice, pairs, press, wait_for_task, wait_until_stored

PASSWORD = "correct horse"
SCRIPT, SQL = "<img src=x onerror='window.broken=1'>", "Robert'); DROP TABLE accounts;--"
PEOPLE = [{"name": "anna", "role": "annotator"}, {"name": "lea", "role": "lead"},
          {"name": "carl", "role": "annotator", "closed": True},
          {"name": SCRIPT, "role": "annotator"}, {"name": SQL, "role": "annotator"}]


@pytest.fixture
def accounted(site, tmp_path):
    def make(tasks):
        path = tmp_path / "accounts.jsonl"
        path.write_text("".join(json.dumps({"password": PASSWORD, **person}) + "\n" for person in PEOPLE))
        return site(tasks, "--accounts", str(path))

    return make


def log_in(page, name, password=PASSWORD):
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("button[type=submit]")


def entered(at, name):
    """A page of somebody who has logged in."""
    page = at.page(path="sign-in")
    log_in(page, name)
    wait_for_task(page)
    return page


def sql(at, statement, *values):
    with contextlib.closing(sqlite3.connect(at.store)) as database, database:
        return database.execute(statement, values).fetchall()


def annotators_of(at):
    return [name for (name,) in sql(at, "SELECT a.name FROM judgements j JOIN annotators a ON a.id = j.annotator")]


def test_who_is_not_logged_in_is_asked_to_and_then_judges_under_that_name(accounted):
    at = accounted(pairs(2))
    page = at.page()
    page.wait_for_url("**/sign-in")
    assert page.evaluate("document.activeElement.id") == "name"
    page.keyboard.type("Anna")
    press(page, "Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    wait_for_task(page)
    assert page.inner_text("#who") == "anna"
    press(page, "1")
    wait_until_stored(page)
    wait_for_task(page)
    assert annotators_of(at) == ["anna"]
    assert page.evaluate("document.cookie") == ""  # scripts cannot read it
    page.click("#sign-out")
    page.wait_for_url("**/sign-in")
    page.goto(at.url)
    page.wait_for_url("**/sign-in")


def test_wrong_passwords_closed_accounts_and_too_many_tries_are_refused(accounted):
    at = accounted(pairs(1))
    page = at.page(path="sign-in")
    log_in(page, "carl")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('closed')")
    for _ in range(5):
        log_in(page, "anna", "wrong password")
        page.wait_for_function("() => document.querySelector('#notice').textContent.includes('do not belong together')")
    log_in(page, "anna")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('wait some minutes')")
    assert page.url.endswith("/sign-in")
    log_in(page, "lea")
    wait_for_task(page)


def test_an_invite_makes_one_account(accounted):
    at = accounted(pairs(1))
    sql(at, "INSERT INTO invites (hash, role, expires, uses_left) VALUES (?, 'annotator', ?, 1)",
        hashlib.sha256(b"invited").hexdigest(), int(time.time()) + 60)
    page = at.page(path="join#invited")
    log_in(page, "dora", "short")
    assert page.url.endswith("/join#invited") and page.is_hidden("#notice")  # the browser asks for ten characters
    log_in(page, "anna")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('is free')")
    log_in(page, "dora")
    wait_for_task(page)
    assert page.inner_text("#who") == "dora"
    other = at.page(path="join#invited")
    log_in(other, "emil")
    other.wait_for_function("() => document.querySelector('#notice').textContent.includes('ask for a new link')")


def test_hostile_names_are_names(accounted):
    at = accounted(pairs(2))
    for name in (SCRIPT, SQL):
        page = entered(at, name)
        assert page.inner_text("#who") == name
        press(page, "s")
        wait_until_stored(page)
        assert page.evaluate("window.broken") is None
    assert annotators_of(at) == [SCRIPT, SQL]
    assert len(sql(at, "SELECT * FROM accounts")) == len(PEOPLE)


def test_a_forged_cookie_is_nobodys(accounted):
    at = accounted(pairs(1))
    context = at.context()
    name = f"keel-{at.server.port}"
    context.add_cookies([{"name": name, "value": "0" * 64, "url": at.url}])
    page = at.page(context)
    page.wait_for_url("**/sign-in")
    log_in(page, "anna")
    wait_for_task(page)
    (cookie,) = context.cookies()
    assert cookie["name"] == name and cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    (kept,) = sql(at, "SELECT hash FROM sessions")[0]
    context.add_cookies([{**cookie, "value": kept}])  # who reads the store cannot be somebody
    page.goto(at.url)
    page.wait_for_url("**/sign-in")


ATTACKS = """async (target) => {
  const outcomes = [];
  const send = (body, headers) => fetch(target + 'api/claim', { method: 'POST', credentials: 'include', body, headers })
    .then((answer) => outcomes.push(answer.status), () => outcomes.push('refused'));
  await send('{"holder": "x"}', { 'Content-Type': 'application/json' });
  await send('{"holder": "x"}', { 'Content-Type': 'text/plain' });
  await fetch(target + 'api/claim', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"holder": "x"}' })
    .then(() => outcomes.push('sent'), () => outcomes.push('refused'));
  await fetch(target + 'api/state', { credentials: 'include' }).then((a) => a.text()).then((t) => outcomes.push(t),
    () => outcomes.push('refused'));
  const frame = document.createElement('iframe');
  frame.name = 'target';
  const form = document.createElement('form');
  Object.assign(form, { action: target + 'api/sign-out', method: 'post', enctype: 'text/plain', target: 'target' });
  document.body.append(frame, form);
  form.submit();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return outcomes;
}"""


def test_another_site_can_neither_read_nor_change(accounted):
    """The other site is on this machine, so that even a cookie of the same site would be sent."""
    at = accounted(pairs(1))
    page = entered(at, "anna")
    leases = sql(at, "SELECT * FROM leases")
    evil = page.context.new_page()
    evil.route("http://127.0.0.1:1/**", lambda route: route.fulfill(body="<body>evil</body>", content_type="text/html"))
    evil.goto("http://127.0.0.1:1/")
    assert evil.evaluate(ATTACKS, at.url) == ["refused"] * 4
    assert sql(at, "SELECT * FROM leases") == leases and len(sql(at, "SELECT * FROM sessions")) == 1
    page.reload()
    wait_for_task(page)


def test_an_oversized_body_is_refused_and_the_page_goes_on(accounted):
    at = accounted(pairs(1))
    page = entered(at, "anna")
    status = page.evaluate("""async () => {
      const { ask } = await import('/api.js');
      return ask('/api/claim', { holder: 'x'.repeat(70000) }).then(() => 'taken', (error) => error.message);
    }""")
    assert "at most 65536 bytes" in status
    press(page, "s")
    page.wait_for_selector("#finished:not([hidden])")


def test_what_one_account_has_not_sent_no_other_sends(accounted):
    at = accounted(pairs(2))
    page = entered(at, "anna")
    page.route("**/api/submit", lambda route: route.abort())
    press(page, "1")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('kept in this browser')")
    page.click("#sign-out")
    assert "not sent yet" in notice(page)
    page.unroute("**/api/submit")
    page.context.clear_cookies()  # as if the session had ended
    page.goto(at.url + "sign-in")
    log_in(page, "lea")
    wait_for_task(page)
    assert annotators_of(at) == []
    page.click("#sign-out")
    page.wait_for_url("**/sign-in")
    log_in(page, "anna")
    page.wait_for_selector("#sign-out:not([hidden])")
    wait_until_stored(page)
    assert annotators_of(at) == ["anna"]
