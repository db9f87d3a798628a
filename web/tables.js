// Figures as people read them: tables, a chart of counts, numbers with their intervals.
import { make } from './dom.js';

/** @typedef {Node | string | number} Cell */

/**
 * A table that scrolls by itself where it is wider than the page.
 * @param {string} name  for screen readers
 * @param {string[]} heads
 * @param {Cell[][]} rows  the first cell of each is its name
 * @param {string} empty  said when there are none
 */
export function table(name, heads, rows, empty) {
  if (rows.length === 0) return make('p', { class: 'hint' }, empty);
  const head = make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text)));
  const body = rows.map(([first, ...others]) => make('tr', {}, make('th', { scope: 'row' }, asNode(first)),
    ...others.map((cell) => make('td', typeof cell === 'string' && !/^[−\d–]/.test(cell) ? {} : { class: 'number' }, asNode(cell)))));
  const made = make('table', { 'aria-label': name }, make('thead', {}, head), make('tbody', {}, ...body));
  return make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${name}, table` }, made);
}

/** @param {Cell} cell */
const asNode = (cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell);

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 480, HEIGHT = 96;

/** @param {string} tag @param {Record<string, string | number>} attributes */
function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * Bars of equal width, the oldest first; each tells its own count.
 * @param {{name: string, value: number}[]} bars
 * @param {string} label
 */
export function barChart(bars, label) {
  const chart = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, class: 'bars',
    preserveAspectRatio: 'none' });
  const most = Math.max(1, ...bars.map(({ value }) => value)), width = WIDTH / bars.length;
  bars.forEach(({ name, value }, i) => {
    const height = value === 0 ? 1 : Math.max(2, (value / most) * HEIGHT);
    const bar = shape('rect', { x: i * width + 0.5, y: HEIGHT - height, width: width - 1, height,
      class: value === 0 ? 'none' : 'some' });
    const title = shape('title', {});
    title.textContent = `${name}: ${value}`;
    bar.append(title);
    chart.append(bar);
  });
  return chart;
}

/** @param {number} value */
export const percent = (value) => `${Math.round(100 * value)} %`;

/** @param {number | null} seconds */
export function duration(seconds) {
  if (seconds === null) return '–';
  if (seconds < 90) return `${seconds < 10 && !Number.isInteger(seconds) ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * "0.62 (0.50 to 0.71)"; "–" where there is none, and no interval where too few items have a spread.
 * @param {import('./types.js').Estimate | null} estimate
 * @param {(value: number) => string} [text]
 */
export function withInterval(estimate, text = (value) => value.toFixed(2)) {
  if (!estimate) return '–';
  const { value, low, high } = estimate;
  const interval = low === null || high === null ? '' : ` (${text(low)} to ${text(high)})`;
  return (text(value) + interval).replaceAll('-', '−');
}
