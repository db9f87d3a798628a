// What opens over the page: notes on a task, the guidelines, the list of keys.
/** @typedef {import('./types.js').Task} Task */
import { button, freshId, make } from './dom.js';
import { safeFragment } from './safe_html.js';
import { keysAreOn, switchKeys } from './keys.js';

/**
 * Opens a dialog; resolves when it is closed, to what closed it.
 * @param {string} title
 * @param {HTMLElement} content
 * @param {(close: (answer: any) => void) => HTMLElement[]} buttons
 * @returns {Promise<any>}  null when it was left by Escape
 */
function open(title, content, buttons) {
  const id = freshId();
  const dialog = make('dialog', { 'aria-labelledby': id });
  return new Promise((resolve) => {
    /** @param {any} answer */
    const close = (answer) => {
      dialog.close();
      resolve(answer);
    };
    dialog.append(make('h2', { id }, title), content, make('div', { class: 'dialog-buttons' }, ...buttons(close)));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** @typedef {{title: string, label: string, send: string, reasons?: string[], optional?: boolean}} Note */
/** @typedef {{text: string, completion: number | null}} Written */

/** @type {Note} */
export const FLAG = { title: 'Flag', label: 'What is wrong with it?', send: 'Flag it',
  reasons: ['Harmful or illegal', 'Personal data', 'Broken text', 'Something else'] };
/** @type {Note} */
export const COMMENT = { title: 'Comment', label: 'Your comment', send: 'Keep it' };
/** @type {Note} */
export const SKIP = { title: 'Skip with a reason', label: 'Anything to add?', send: 'Skip it', optional: true,
  reasons: ['I cannot judge this', 'The task is unclear', 'I would rather not read it', 'Something else'] };
/** @type {Note} */
export const RETURN = { title: 'Return for correction', label: 'What should be looked at again?', send: 'Return it' };

/**
 * @param {Note} note
 * @param {Task} [task]  given: the note may be about one of its completions
 * @returns {Promise<Written | null>}
 */
export function askNote(note, task) {
  const id = freshId(), name = freshId(), about = freshId();
  const area = make('textarea', { id, rows: 4, dir: 'auto', maxlength: 4000 });
  const reasons = (note.reasons ?? []).map((value) => make('input', { type: 'radio', name, value }));
  const targets = make('select', { id: about }, make('option', { value: '' }, 'The prompt'),
    ...(task?.completions ?? []).map((answer, i) => make('option', { value: answer.id }, `Answer ${i + 1}`)));
  const content = make('div', { class: 'note' },
    ...(task && task.completions.length > 0 ? [make('label', { for: about }, 'About'), targets] : []),
    ...reasons.map((input) => make('label', { class: 'choice' }, input, make('span', {}, input.value))),
    make('label', { for: id }, note.label), area, make('p', { class: 'hint', role: 'status' }));

  /** @param {(answer: any) => void} close */
  const buttons = (close) => [
    button(note.send, () => {
      const reason = reasons.find((input) => input.checked)?.value;
      const text = [reason, area.value.trim()].filter(Boolean).join(': ');
      if (text || note.optional) return close({ text, completion: targets.value ? Number(targets.value) : null });
      /** @type {HTMLElement} */ (content.querySelector('.hint')).textContent = 'Say what it is.';
      area.focus();
    }),
    button('Leave it', () => close(null), { class: 'quiet' }),
  ];
  return open(note.title, content, buttons);
}

/** @param {{version: number | null, html: string, text: string}} guidelines */
export function showGuidelines({ version, html, text }) {
  const content = make('div', { class: 'words guidelines', tabindex: 0, dir: 'auto' });
  if (html) content.append(safeFragment(html));
  else content.textContent = text || 'There are no guidelines yet.';
  return open(version ? `Guidelines, version ${version}` : 'Guidelines', content,
    (close) => [button('Close', () => close(true), { autofocus: true })]);
}

const KEYS = [
  ['1 2', 'the first or the second answer is better; 0: equally good'],
  ['1 – 9', 'in a ranking: this answer is next, or is taken out again; =: tie the next one'],
  ['Backspace', 'in a ranking: take the last one out'],
  ['q w e', 'slightly, clearly, much better; n: none is acceptable'],
  ['y n', 'yes, no'],
  ['Enter', 'submit; from within a text: Ctrl Enter'],
  ['s', 'skip; Shift s: with a reason'],
  ['u', 'back to the last judgement'],
  ['g r', 'guidelines; raw text'],
  ['f c', 'flag; comment'],
];

export function showKeys() {
  const on = make('input', { type: 'checkbox' });
  on.checked = keysAreOn();
  on.addEventListener('change', () => switchKeys(on.checked));
  const list = make('dl', { class: 'keys' }, ...KEYS.flatMap(([key, meaning]) => [
    make('dt', {}, make('kbd', {}, key)), make('dd', {}, meaning)]));
  const content = make('div', {}, list, make('label', { class: 'choice' }, on, make('span', {}, 'Single keys are commands')));
  return open('Keys', content, (close) => [button('Close', () => close(true), { autofocus: true })]);
}
