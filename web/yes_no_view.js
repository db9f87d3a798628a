// One question about one answer.
/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').View} View */
import { button, make } from './dom.js';
import { promptOf, titled } from './passages.js';

/** @param {Context} context @returns {View} */
export function yesNoView({ task, root, submit }) {
  /** @type {boolean | null} */
  let answered = null;
  const yes = button('Yes', () => answer(true), { 'aria-keyshortcuts': 'Y' }, 'y');
  const no = button('No', () => answer(false), { 'aria-keyshortcuts': 'N' }, 'n');
  root.append(...(task.text ? [promptOf(task)] : []), titled('Answer', task.completions[0], { class: 'answer' }),
    make('div', { class: 'choices', role: 'group', 'aria-label': 'Your answer' }, yes, no));

  /** @param {boolean} label */
  function answer(label) {
    answered = label;
    submit({ type: 'label', completions: [task.completions[0].id], label });
  }

  return {
    draft: () => (answered === null ? null : { answered }),
    restore(draft) {
      answered = draft?.answered ?? null;
      yes.setAttribute('aria-pressed', String(answered === true));
      no.setAttribute('aria-pressed', String(answered === false));
    },
    press(key) {
      if (key !== 'y' && key !== 'n') return false;
      answer(key === 'y');
      return true;
    },
  };
}
