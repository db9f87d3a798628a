// How long somebody was at work: time counts while the page is seen and in use. Reading moves nothing, so a
// pause counts up to a minute.

const LONGEST_PAUSE = 60000; // milliseconds
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'scroll', 'wheel', 'touchmove'];

export class WorkClock {
  /** @param {() => number} [now]  milliseconds */
  constructor(now = () => performance.now()) {
    this.now = now;
    this.counted = 0;
    this.last = now(); // the last sign of life
    this.seen = document.visibilityState === 'visible';
    for (const sign of SIGNS) document.addEventListener(sign, () => this.tick(), { passive: true, capture: true });
    document.addEventListener('visibilitychange', () => {
      this.tick();
      this.seen = document.visibilityState === 'visible';
    });
  }

  tick() {
    const now = this.now();
    if (this.seen) this.counted += Math.min(now - this.last, LONGEST_PAUSE);
    this.last = now;
  }

  /** @param {number} [seconds]  that were counted before */
  start(seconds = 0) {
    this.counted = 1000 * seconds;
    this.last = this.now();
  }

  seconds() {
    const running = this.seen ? Math.min(this.now() - this.last, LONGEST_PAUSE) : 0;
    return Math.round((this.counted + running) / 100) / 10;
  }

  /** Whether somebody was there a moment ago. */
  inUse() {
    return this.seen && this.now() - this.last < LONGEST_PAUSE;
  }
}
