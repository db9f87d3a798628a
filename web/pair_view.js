// Two answers side by side: one key decides.
/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').View} View */
import { button, make } from './dom.js';
import { promptOf, titled } from './passages.js';
import { Preference } from './preference.js';

/** @typedef {'first' | 'second' | 'tie'} Choice */
/** @type {Record<Choice, [number, number]>} */
const RANKS = { first: [1, 2], second: [2, 1], tie: [1, 1] };
/** @type {Record<string, Choice>} */
const CHOICE_OF_KEY = { 1: 'first', ArrowLeft: 'first', 2: 'second', ArrowRight: 'second', 0: 'tie', '=': 'tie' };

/** @param {Context} context @returns {View} */
export function pairView({ task, root, submit, changed, warn }) {
  /** @type {Choice | null} */
  let chosen = null;
  const preference = new Preference(decided);
  const buttons = {
    first: button('First is better', () => choose('first'), { 'aria-keyshortcuts': '1 ArrowLeft' }, '1'),
    tie: button('Equally good', () => choose('tie'), { 'aria-keyshortcuts': '0 =' }, '0'),
    second: button('Second is better', () => choose('second'), { 'aria-keyshortcuts': '2 ArrowRight' }, '2'),
  };
  root.append(promptOf(task),
    make('div', { class: 'pair' }, titled('First', task.completions[0]), titled('Second', task.completions[1])),
    preference.element,
    make('div', { class: 'choices', role: 'group', 'aria-label': 'Your choice' }, ...Object.values(buttons)));

  /** @param {Choice} choice */
  function choose(choice) {
    chosen = choice;
    showChosen();
    if (choice !== 'tie' && task.strength && !preference.strength) {
      warn('How much better? Q slightly, W clearly, E much.');
      preference.inputs[0].focus();
      changed();
      return;
    }
    send(choice);
  }

  // With a choice that waits for its strength, the strength sends it.
  function decided() {
    if (chosen && task.strength && preference.strength) send(chosen);
    else changed();
  }

  /** @param {Choice} choice */
  function send(choice) {
    const ranks = RANKS[choice];
    submit({ type: 'ranking', completions: task.completions.map(({ id }) => id), ranks, ...preference.part(ranks) });
  }

  function showChosen() {
    for (const [name, made] of Object.entries(buttons)) made.setAttribute('aria-pressed', String(name === chosen));
  }

  return {
    draft: () => (chosen || preference.draft() ? { chosen, preference: preference.draft() } : null),
    restore(draft) {
      chosen = draft?.chosen ?? null;
      preference.restore(draft?.preference);
      if (chosen) showChosen();
    },
    press(key) {
      if (preference.press(key)) return true;
      const choice = CHOICE_OF_KEY[key];
      if (choice) choose(choice);
      return Boolean(choice);
    },
  };
}
