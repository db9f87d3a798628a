// Texts of prompts and models, as Markdown or as they were written; which of the two is one switch for all.
/** @typedef {import('./types.js').Passage} Passage */
/** @typedef {import('./types.js').Task} Task */
import { freshId, make } from './dom.js';
import { safeFragment } from './safe_html.js';
import { readShared, writeShared } from './storage.js';

const NAME = 'keel.raw';

export const showsRaw = () => readShared(NAME, false) === true;

/** @param {boolean} raw */
export function showRaw(raw) {
  writeShared(NAME, raw);
  document.documentElement.classList.toggle('raw', raw);
}

/** @param {Passage} passage */
export function words({ text, html }) {
  const written = make('p', { class: html ? 'words written' : 'words', dir: 'auto' }, text);
  if (!html) return written;
  const rendered = make('div', { class: 'words rendered', dir: 'auto' });
  rendered.append(safeFragment(html));
  return make('div', {}, rendered, written);
}

/**
 * A text under a heading.
 * @param {string} title
 * @param {Passage} passage
 * @param {Record<string, string | number | boolean>} [attributes]
 */
export function titled(title, passage, attributes = {}) {
  const id = freshId();
  return make('article', { 'aria-labelledby': id, ...attributes }, make('h2', { id }, title), words(passage));
}

/** @param {Task} task */
export const promptOf = (task) => titled('Prompt', task, { class: 'prompt' });
