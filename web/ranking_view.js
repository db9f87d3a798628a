// Up to nine answers, ranked by dragging, by clicking or by keys. The answers stay where they are; what moves
// are their numbers, in a bar that is always in sight.
/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').View} View */
import { button, make } from './dom.js';
import { makeDraggable } from './drag.js';
import { promptOf, titled } from './passages.js';
import { Preference } from './preference.js';
import { Ranking } from './ranking.js';

const PLACES = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth'];
const HINT = 'Arrow keys move it, Enter ranks it next or takes it out.';

/** @param {Context} context @returns {View} */
export function rankingView({ task, root, submit, changed, say, warn }) {
  const ids = task.completions.map(({ id }) => id);
  let ranking = new Ranking(ids);
  let tieNext = false;

  /** @param {number} id */
  const numberOf = (id) => ids.indexOf(id) + 1;
  const preference = new Preference(changed);
  const tiers = make('div', { class: 'tiers', role: 'list', 'aria-label': 'Ranked, best first' });
  const pool = make('div', { class: 'pool', 'data-drop': 'pool', role: 'group', 'aria-label': 'Not ranked yet' });
  const tie = button('Tie next', () => setTie(!tieNext), { class: 'quiet', 'aria-keyshortcuts': '=' }, '=');
  const done = button('Submit ranking', finish, { 'aria-keyshortcuts': 'Enter' }, 'Enter');
  const bar = make('section', { class: 'bar', 'aria-label': 'Your ranking' },
    make('div', { class: 'strip' }, make('span', { class: 'end' }, 'Best'), tiers, make('span', { class: 'end' }, 'Worst')),
    pool, make('div', { class: 'choices' }, tie, done));
  const badges = new Map(task.completions.map((answer) => [answer.id, badgeFor(answer.id)]));
  const answers = task.completions.map((answer, i) => {
    const article = titled(`Answer ${i + 1}`, answer, { class: 'answer' });
    article.querySelector('h2')?.after(/** @type {HTMLElement} */ (badges.get(answer.id)));
    return article;
  });
  root.append(promptOf(task), make('div', { class: 'answers' }, ...answers), preference.element, bar);
  makeDraggable(root, drop);
  show();

  /** @param {number} id */
  function badgeFor(id) {
    return button('', () => toggle(id), { class: 'badge', 'data-drag': id, 'data-name': numberOf(id) });
  }

  /** @param {number} id */
  function chipFor(id) {
    const chip = button(String(numberOf(id)), () => toggle(id),
      { class: 'chip', 'data-drag': id, 'aria-label': `Answer ${numberOf(id)}, ${placeOf(id)}. ${HINT}` });
    chip.addEventListener('keydown', (event) => moveByKey(event, id));
    return chip;
  }

  /** @param {number} id */
  function placeOf(id) {
    const tier = ranking.tierOf(id);
    if (tier < 0) return 'not ranked';
    const others = ranking.tiers[tier].filter((other) => other !== id).map(numberOf);
    return PLACES[tier] + (others.length > 0 ? `, tied with ${others.join(' and ')}` : '');
  }

  function show() {
    /** @type {HTMLElement | null} */
    const focused = bar.querySelector('.chip:focus-visible'); // not what a mouse or a finger took
    /** @param {number} before */
    const gap = (before) => make('div', { class: 'gap', 'data-drop': `gap:${before}` });
    tiers.replaceChildren(gap(0), ...ranking.tiers.flatMap((tier, i) => [
      make('div', { class: 'tier', role: 'listitem', 'data-drop': `tier:${i}` }, ...tier.map(chipFor)), gap(i + 1)]));
    pool.replaceChildren(...ranking.unranked().map(chipFor));
    pool.classList.toggle('empty', ranking.isComplete());
    if (focused) /** @type {HTMLElement | null} */ (bar.querySelector(`.chip[data-drag="${focused.dataset.drag}"]`))?.focus();
    for (const [id, badge] of badges) {
      const isRanked = ranking.tierOf(id) >= 0;
      badge.setAttribute('aria-pressed', String(isRanked));
      /** @type {Element} */ (badge.firstElementChild).textContent = isRanked ? placeOf(id) : 'Rank next';
    }
    done.setAttribute('aria-disabled', String(!ranking.isComplete()));
  }

  /** @param {number} id */
  function tell(id) {
    show();
    say(`Answer ${numberOf(id)}: ${placeOf(id)}.`);
    changed();
  }

  /** @param {number} id */
  function toggle(id) {
    if (ranking.tierOf(id) >= 0) ranking.takeOut(id);
    else ranking.append(id, tieNext);
    setTie(false);
    tell(id);
  }

  /** @param {boolean} on */
  function setTie(on) {
    if (on && ranking.tiers.length === 0) return warn('Rank one answer first.');
    if (on !== tieNext && on) say('The next one ties with the last one.');
    tieNext = on;
    tie.setAttribute('aria-pressed', String(on));
  }

  /** @param {KeyboardEvent} event @param {number} id */
  function moveByKey(event, id) {
    const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    ranking.move(id, step < 0 ? -1 : 1);
    tell(id);
  }

  /** @param {string} dragged @param {string} target */
  function drop(dragged, target) {
    const id = Number(dragged);
    const [kind, number] = target.split(':');
    if (kind === 'gap') ranking.insert(id, Number(number));
    else if (kind === 'tier') ranking.tie(id, Number(number));
    else ranking.takeOut(id);
    tell(id);
  }

  function finish() {
    const missing = ranking.unranked().map(numberOf);
    if (missing.length > 0) {
      return warn(missing.length === 1 ? `Answer ${missing[0]} is not ranked yet.`
        : `Answers ${missing.join(', ')} are not ranked yet.`);
    }
    if (task.strength && !preference.strength && new Set(ranking.ranks()).size > 1) {
      preference.inputs[0].focus();
      return warn('How much better is the best one? Q slightly, W clearly, E much.');
    }
    const ranks = ranking.ranks();
    submit({ type: 'ranking', completions: ids, ranks, ...preference.part(ranks) });
  }

  return {
    draft: () => (ranking.tiers.length > 0 || preference.draft()
      ? { tiers: ranking.tiers, preference: preference.draft() } : null),
    restore(draft) {
      ranking = new Ranking(ids, draft?.tiers ?? []);
      preference.restore(draft?.preference);
      show();
    },
    press(key) {
      const id = /^[1-9]$/.test(key) ? ids[Number(key) - 1] : undefined;
      const last = ranking.lastPlaced();
      if (id !== undefined) toggle(id);
      else if (key === '=' || key === '0') setTie(!tieNext);
      else if (key === 'Backspace' && last !== undefined) toggle(last);
      else if (key === 'Enter') finish();
      else return preference.press(key);
      return true;
    },
    confirm: finish,
  };
}
