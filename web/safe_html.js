// The server's HTML of a Markdown text, as elements. The server lets nothing through that could load or run
// (markdown.h); here only known elements and attributes are copied, so that a mistake there changes nothing.
// The HTML is parsed into a document without scripts, styles or a network: text is all that leaves it.

const ELEMENTS = new Set(['P', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'BLOCKQUOTE', 'PRE', 'CODE', 'UL', 'OL', 'LI',
  'HR', 'BR', 'EM', 'STRONG', 'DEL', 'TABLE', 'THEAD', 'TBODY', 'TR', 'TH', 'TD']);
const SCROLLED = new Set(['PRE', 'TABLE']);
const ATTRIBUTES = new Set(['start', 'align']);

// The one place of the page that may turn text into a document (Trusted Types; see the content policy).
/** @type {{createHTML: (html: string) => any} | undefined} */
const policy = /** @type {any} */ (window).trustedTypes?.createPolicy('keel', {
  createHTML: (/** @type {string} */ html) => html,
});

/** @param {string} html */
export function safeFragment(html) {
  const parsed = new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, 'text/html');
  const fragment = document.createDocumentFragment();
  copyChildren(parsed.body, fragment);
  return fragment;
}

/**
 * @param {Node} from
 * @param {Node} to
 */
function copyChildren(from, to) {
  for (const node of from.childNodes) {
    if (node instanceof Element || node.nodeType === Node.ELEMENT_NODE) {
      to.appendChild(copied(/** @type {Element} */ (node)));
    } else if (node.nodeType === Node.TEXT_NODE) {
      to.appendChild(document.createTextNode(node.textContent ?? ''));
    }
  }
}

/** @param {Element} from */
function copied(from) {
  if (!ELEMENTS.has(from.tagName)) return document.createTextNode(from.textContent ?? '');
  const to = document.createElement(nameFor(from.tagName));
  for (const { name, value } of from.attributes) {
    if (ATTRIBUTES.has(name)) to.setAttribute(name, value);
  }
  if (SCROLLED.has(from.tagName)) to.tabIndex = 0; // so that keys can scroll it
  copyChildren(from, to);
  return to;
}

// Below the page's own headings, which stop at the second level.
/** @param {string} tag */
function nameFor(tag) {
  return /^H[1-6]$/.test(tag) ? `h${Math.min(6, Number(tag[1]) + 2)}` : tag.toLowerCase();
}
