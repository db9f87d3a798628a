"""What models, prompts and guidelines hold runs nothing, loads nothing and disturbs nothing."""

import pytest
from pages import press, wait_for_task

HOSTILE = [
    "<script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    "<svg onload='window.broken = 1'><animate onbegin='window.broken = 1'></svg>",
    "<iframe srcdoc='<script>parent.broken = 1</script>'></iframe>",
    "[a link](javascript:window.broken=1) <javascript:window.broken=1> [b](data:text/html,<script>1</script>)",
    "![an image](https://beacon.example/pixel.png)\n\n![relative](/api/state)",
    "<style>* { display: none }</style>\n<link rel=stylesheet href=https://beacon.example/a.css>",
    "<form action=https://beacon.example><input autofocus onfocus='window.broken = 1'></form>",
    "```\"><img src=x onerror=window.broken=1>\n\"><img src=x onerror=window.broken=1>\n```",
    "</p></div></main><h1>Nothing left to do</h1><meta http-equiv=refresh content='0;url=https://beacon.example'>",
    "| <img src=x onerror=window.broken=1> | b |\n|---|---|\n| <script>window.broken=1</script> | ![x](//beacon.example/x) |",
    "\u202eevil\u2066 <base href=https://beacon.example>\n\n" + "# deep\n" * 50 + "> " * 300 + "end",
]


@pytest.fixture
def watched(site, tmp_path):
    guidelines = tmp_path / "guidelines.md"
    guidelines.write_text("\n\n".join(HOSTILE))
    tasks = [{"kind": "ranking", "prompt": text, "completions": [text, "plain", "<b onclick='window.broken = 1'>" + text],
              "details": {"question": text, "warning": text}} for text in HOSTILE]
    at = site(tasks, "--guidelines", str(guidelines))
    context = at.context()
    requests, dialogs = [], []
    context.on("request", lambda request: requests.append(request.url))
    context.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page = at.page(context)
    yield at, page
    assert page.evaluate("window.broken") is None and dialogs == []
    assert [url for url in requests if not url.startswith(at.url)] == []
    assert context.pages == [page] and page.url == at.url


def elements_of(page):
    return set(page.evaluate("[...document.querySelectorAll('.words *')].map(element => element.localName)"))


def test_model_text_runs_nothing(watched):
    at, page = watched
    page.wait_for_selector("dialog[open]")
    assert elements_of(page) <= ALLOWED
    page.click("dialog button:has-text('Close')")
    for _ in HOSTILE:
        wait_for_task(page)
        page.click("text=Show it")
        assert elements_of(page) <= ALLOWED
        attributes = page.evaluate("[...document.querySelectorAll('.words *')].flatMap(e => e.getAttributeNames())")
        assert set(attributes) <= {"start", "align", "tabindex"}
        for element in page.locator(".words *").all()[:40]:
            element.dispatch_event("click")
        press(page, "r", "r", "s")
    page.wait_for_selector("#finished:not([hidden])")
    assert page.locator("h1:visible").count() == 1


ALLOWED = {"p", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "ul", "ol", "li", "hr", "br", "em", "strong",
           "del", "table", "thead", "tbody", "tr", "th", "td"}


def test_the_page_itself_lets_nothing_through_that_a_server_might(watched):
    """As if cmark-gfm had a hole: the server's HTML is hostile, and the page's own copy of it is not."""
    at, page = watched
    press(page, "Escape")
    wait_for_task(page)
    found = page.evaluate("""async (texts) => {
      const { safeFragment } = await import('/safe_html.js');
      const root = document.querySelector('#work');
      root.replaceChildren();
      for (const text of texts) root.append(safeFragment(text));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return [...root.querySelectorAll('*')].map((element) => [element.localName, ...element.getAttributeNames()]);
    }""", HOSTILE + ["<p onclick='window.broken=1' style='color:red' id=task class=x start=1>a</p>",
                     "<template><script>window.broken=1</script></template>", "<math><mi xlink:href=javascript:1>"])
    assert found and {name for name, *_ in found} <= ALLOWED
    assert {attribute for _, *attributes in found for attribute in attributes} <= {"start", "align", "tabindex"}


def test_the_policy_refuses_what_a_script_might_try(watched):
    """Even code that runs on the page can neither load from elsewhere nor make elements of texts."""
    at, page = watched
    press(page, "Escape")
    failures = page.evaluate("""async () => {
      const tries = {
        html: () => { document.querySelector('#work').innerHTML = '<b>x</b>'; },
        eval: () => new Promise((resolve, reject) => setTimeout(() => {  // outside of what the test itself runs
          try { resolve(eval('1')); } catch (error) { reject(error); }
        })),
        policy: () => window.trustedTypes.createPolicy('other', { createHTML: (text) => text }),
        fetch: () => fetch('https://beacon.example/'),
        style: () => { const s = document.createElement('style'); s.textContent = '#work { color: rgb(1, 2, 3) }';
                       document.head.append(s);
                       if (getComputedStyle(document.querySelector('#work')).color !== 'rgb(1, 2, 3)') throw Error(); },
      };
      const failed = [];
      for (const [name, action] of Object.entries(tries)) {
        try { await action(); } catch { failed.push(name); }
      }
      return failed;
    }""")
    assert failures == ["html", "eval", "policy", "fetch", "style"]
