// A ranking while it is made: tiers, best first; completions of one tier tie; what is in none is not ranked yet.

export class Ranking {
  /**
   * @param {number[]} ids    in the order shown
   * @param {number[][]} [tiers]
   */
  constructor(ids, tiers = []) {
    this.ids = ids;
    this.tiers = tiers.map((tier) => tier.filter((id) => ids.includes(id))).filter((tier) => tier.length > 0);
  }

  /** The tier's number from 0, or -1. @param {number} id */
  tierOf(id) {
    return this.tiers.findIndex((tier) => tier.includes(id));
  }

  unranked() {
    return this.ids.filter((id) => this.tierOf(id) < 0);
  }

  isComplete() {
    return this.unranked().length === 0;
  }

  /** Beside this.ids: 1 is best, equal numbers tie. */
  ranks() {
    return this.ids.map((id) => this.tierOf(id) + 1);
  }

  /** @param {number} id */
  takeOut(id) {
    this.tiers = this.tiers.map((tier) => tier.filter((other) => other !== id)).filter((tier) => tier.length > 0);
  }

  /** As the next one, or tied with the last one. @param {number} id @param {boolean} tied */
  append(id, tied) {
    if (tied && this.tiers.length > 0) this.tie(id, this.tiers.length - 1);
    else this.insert(id, this.tiers.length);
  }

  /** Into a tier of its own before the one with this number. @param {number} id @param {number} before */
  insert(id, before) {
    const tiers = this.tiers.map((tier) => tier.filter((other) => other !== id));
    tiers.splice(before, 0, [id]);
    this.tiers = tiers.filter((tier) => tier.length > 0);
  }

  /** Into that tier. @param {number} id @param {number} tier */
  tie(id, tier) {
    if (this.tiers[tier].includes(id)) return;
    const tiers = this.tiers.map((others) => others.filter((other) => other !== id));
    tiers[tier].push(id);
    this.tiers = tiers.filter((others) => others.length > 0);
  }

  /**
   * One step: out of a tie, or into a tie with the neighbour; from outside to the end.
   * @param {number} id
   * @param {-1 | 1} step  -1: better
   */
  move(id, step) {
    const tier = this.tierOf(id);
    if (tier < 0) return this.append(id, false);
    if (this.tiers[tier].length > 1) return this.insert(id, step < 0 ? tier : tier + 1);
    if (tier + step >= 0 && tier + step < this.tiers.length) this.tie(id, tier + step);
  }

  lastPlaced() {
    return this.tiers.at(-1)?.at(-1);
  }
}
