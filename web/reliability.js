// The board's measure of annotators: worked out when it is asked for, since it takes seconds of many judgements.
import { ask } from './api.js';
import { button, element, make } from './dom.js';
import { notify } from './status.js';
import { percent, table, withInterval } from './tables.js';

/** @typedef {import('./types.js').Reliability} Reliability */
/** @typedef {import('./types.js').Reliability['annotators'][number]} Annotator */

const place = () => element('reliability', HTMLElement);

/** Offers it anew: what stood there is of other judgements. @param {string} kinds */
export function offerReliability(kinds) {
  if (place().dataset.kinds === kinds) return;
  place().dataset.kinds = kinds;
  place().replaceChildren(button('Work it out', () => workOut(kinds), { class: 'quiet' }));
}

/** @param {string} kinds */
async function workOut(kinds) {
  try {
    const found = await ask(`/api/export/reliability.json?kinds=${kinds}`);
    if (place().dataset.kinds === kinds) place().replaceChildren(...shown(found), again(kinds));
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} kinds */
const again = (kinds) => button('Work it out again', () => workOut(kinds), { class: 'quiet' });

/** @param {Reliability} found */
function shown(found) {
  const rows = found.annotators.map((one) => [make('bdi', {}, one.annotator), one.judgements, withInterval(one.accuracy, percent),
    withInterval(one.ability, percent), one.verdict, evidenceOf(one)]);
  return [
    make('p', { class: 'hint' }, `${found.items.toLocaleString('en')} pairs, ${found.items_of_several.toLocaleString('en')} of them judged by several.`),
    table('Reliability', ['Name', 'Judgements', 'Right', 'Ability', 'Verdict', 'Evidence'], rows, 'Nobody has judged yet.'),
    ...found.untold.map((sentence) => make('p', { class: 'notice' }, sentence)),
  ];
}

/** "prefers the first shown: 41 of 50, 25 expected (p 0.001)" @param {Annotator} one */
function evidenceOf({ evidence }) {
  if (evidence.length === 0) return '';
  return make('ul', {}, ...evidence.map(({ what, count, total, expected, p }) => make('li', {},
    `${what}: ${count} of ${total}, ${Math.round(expected * total)} expected (p ${p < 0.001 ? 'below 0.001' : p.toFixed(3)})`)));
}
