// Judgements that are not yet acknowledged. One is kept in this browser under a key of its own before it is
// sent, and leaves it only when the server has said that it is on the disk; sending it twice under one key
// stores it once. Those that the server refuses are kept, too, apart.
/** @typedef {import('./types.js').Judgement} Judgement */
import { Rejected } from './api.js';
import { changeList, readList } from './storage.js';

export class Outbox {
  /** @param {string} owner  store and annotator: nobody else's page may send what is kept here */
  constructor(owner) {
    this.unsentName = `keel.unsent.${owner}`;
    this.refusedName = `keel.refused.${owner}`;
  }

  /** @returns {Judgement[]} */
  unsent() {
    return readList(this.unsentName);
  }

  /** @returns {(Judgement & {error: string})[]} */
  refused() {
    return readList(this.refusedName);
  }

  /** @param {Judgement} judgement */
  add(judgement) {
    changeList(this.unsentName, (list) => [...list, judgement]);
  }

  /**
   * Sends them in order, so that a correction comes after what it corrects. Throws what is not a refusal.
   * @param {(judgement: Judgement) => Promise<number>} send  resolves to the judgement's number in the store
   * @param {(key: string, number: number) => void} acknowledged
   */
  async sendAll(send, acknowledged) {
    for (let next = this.unsent()[0]; next; next = this.unsent()[0]) {
      /** @type {number | undefined} */
      let number;
      try {
        number = await send(next);
      } catch (error) {
        if (!(error instanceof Rejected)) throw error;
        const { message } = error;
        changeList(this.refusedName, (list) => [...list, { ...next, error: message }]);
      }
      this.remove(next.key, number);
      if (number !== undefined) acknowledged(next.key, number);
    }
  }

  // In one step, so that a correction never waits for what is gone. What corrects a refused judgement is the
  // first one of its task.
  /** @param {string} key @param {number | undefined} number */
  remove(key, number) {
    changeList(this.unsentName, (list) => list.filter((other) => other.key !== key).map((other) => {
      if (other.corrects_key !== key) return other;
      const { corrects_key: _, ...rest } = other;
      return number === undefined ? rest : { ...rest, corrects: number };
    }));
  }
}
