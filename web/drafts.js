// What is half done, by task, so that a reload or a closed page loses nothing.
import { changeList, readList } from './storage.js';

const MOST_KEPT = 20;

/** @typedef {{task: number, draft: any, seconds: number}} Draft */

export class Drafts {
  /** @param {string} owner */
  constructor(owner) {
    this.name = `keel.drafts.${owner}`;
  }

  /** @param {number} task @returns {Draft | undefined} */
  of(task) {
    return readList(this.name).find((kept) => kept.task === task);
  }

  /** @param {Draft} draft */
  keep(draft) {
    changeList(this.name, (list) => [...list.filter((kept) => kept.task !== draft.task), draft].slice(-MOST_KEPT));
  }

  /** @param {number} task */
  drop(task) {
    if (this.of(task)) changeList(this.name, (list) => list.filter((kept) => kept.task !== task));
  }
}
