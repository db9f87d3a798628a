// How much better the best answer is, and whether even that one is not good enough.
/** @typedef {import('./types.js').Task} Task */
import { freshId, make } from './dom.js';

const STRENGTHS = [
  { value: 1, label: 'Slightly', key: 'q' },
  { value: 2, label: 'Clearly', key: 'w' },
  { value: 3, label: 'Much', key: 'e' },
];

export class Preference {
  /** @param {() => void} changed */
  constructor(changed) {
    const name = freshId();
    /** @type {HTMLInputElement[]} */
    this.inputs = STRENGTHS.map(({ value }) => make('input', { type: 'radio', name, value }));
    this.none = make('input', { type: 'checkbox' });
    const choices = STRENGTHS.map(({ label, key }, i) => make('label', { class: 'choice' }, this.inputs[i],
      make('span', {}, label), ' ', make('kbd', {}, key)));
    this.element = make('div', { class: 'preference' },
      make('fieldset', {}, make('legend', {}, 'How much better is the best one?'), ...choices),
      make('label', { class: 'choice' }, this.none, make('span', {}, 'None is acceptable'), ' ', make('kbd', {}, 'n')));
    this.element.addEventListener('change', changed);
    this.changed = changed;
  }

  /** @returns {number | null} */
  get strength() {
    const chosen = this.inputs.find((input) => input.checked);
    return chosen ? Number(chosen.value) : null;
  }

  /** @param {number | null} strength */
  set strength(strength) {
    for (const input of this.inputs) input.checked = Number(input.value) === strength;
  }

  /** What a judgement says of it; a tie has no strength. @param {number[]} ranks */
  part(ranks) {
    const isTie = new Set(ranks).size < 2;
    return { ...(this.strength && !isTie ? { strength: this.strength } : {}),
      ...(this.none.checked ? { none_acceptable: true } : {}) };
  }

  draft() {
    return this.strength || this.none.checked ? { strength: this.strength, none: this.none.checked } : null;
  }

  /** @param {{strength: number | null, none: boolean} | null | undefined} draft */
  restore(draft) {
    this.strength = draft?.strength ?? null;
    this.none.checked = draft?.none ?? false;
  }

  /** The same key again takes it back. @param {string} key */
  press(key) {
    const strength = STRENGTHS.find((choice) => choice.key === key)?.value;
    if (strength) this.strength = this.strength === strength ? null : strength;
    else if (key === 'n') this.none.checked = !this.none.checked;
    else return false;
    this.changed();
    return true;
  }
}
