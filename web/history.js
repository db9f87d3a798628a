// The last judgements of this tab with what their view showed, newest last, so that they can be seen again and
// corrected.
/** @typedef {import('./types.js').Task} Task */
import { readOwn, writeOwn } from './storage.js';

const MOST_KEPT = 10;

/**
 * @typedef {object} Past
 * @property {string} key       of the judgement
 * @property {number} [number]  its number in the store, once that is known
 * @property {Task} task
 * @property {any} draft
 * @property {number} seconds
 * @property {string} [note]    why it was returned by a lead
 */

export class History {
  /** @param {string} owner */
  constructor(owner) {
    this.name = `keel.history.${owner}`;
  }

  /** @returns {Past[]} */
  all() {
    return readOwn(this.name, []);
  }

  /** @param {Past[]} entries */
  write(entries) {
    for (let kept = entries.slice(-MOST_KEPT); !writeOwn(this.name, kept) && kept.length > 0;) kept = kept.slice(1);
  }

  /** A correction takes the place of what it corrects. @param {Past} past @param {string} [corrected] */
  add(past, corrected) {
    this.write([...this.all().filter((other) => other.key !== corrected), past]);
  }

  /** @param {string} key @param {number} number */
  acknowledge(key, number) {
    this.write(this.all().map((past) => (past.key === key ? { ...past, number } : past)));
  }

  /** The newest one, or the one before the given one. @param {string} [key] @returns {Past | undefined} */
  before(key) {
    const all = this.all();
    const index = key === undefined ? all.length : all.findIndex((past) => past.key === key);
    return all[index - 1];
  }
}
