// The lead's board: how the work goes, and single tasks with all that was said of them. What is shown is what
// the server told last; the address's #task-7 names a task.
/** @typedef {import('./types.js').Overview} Overview */
/** @typedef {import('./types.js').JudgedTask} JudgedTask */
/** @typedef {import('./types.js').Said} Said */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Task} Task */
/** @typedef {import('./types.js').View} View */
import { SignedOut, ask, useToken } from './api.js';
import { WorkClock } from './clock.js';
import { RETURN, askNote } from './dialogs.js';
import { button, element, make } from './dom.js';
import { commandKey } from './keys.js';
import { titled, words } from './passages.js';
import { showPeople } from './people.js';
import { offerReliability } from './reliability.js';
import { notify, show } from './status.js';
import { barChart, duration, percent, table, withInterval } from './tables.js';
import { questionOf, viewFor } from './views.js';

const REFRESHING_MILLISECONDS = 30000;
const EXPORTS = [
  ['judgements.jsonl', 'Judgements as rows to train on'],
  ['judgements.jsonl', 'The same under pseudonyms', '&names=pseudonyms'],
  ['summary.json', 'Counts and position bias'],
  ['agreement.json', 'Agreement'],
  ['reliability.json', 'How far annotators can be relied on'],
  ['leaderboard.json', 'Models'],
  ['archive.jsonl', 'The whole record'],
];

const kinds = element('kinds', HTMLSelectElement);
const clock = new WorkClock();
/** @type {State | null} */
let server = null;
/** @type {View | null} */
let deciding = null;
let shown = 0; // the newest request: an older one's answer comes too late

/** @param {string} id @param {...Node} content */
function put(id, ...content) {
  element(id, HTMLElement).replaceChildren(...content);
}

// --- the overview ------------------------------------------------------------------------------------------

/** @param {Overview} board */
function showOverview(board) {
  showFigures(board);
  const name = (/** @type {number} */ at) => new Date(1000 * at).toLocaleString('en', { weekday: 'short', hour: '2-digit', minute: '2-digit', hour12: false });
  const most = board.hours.reduce((best, hour) => (hour.judgements > best.judgements ? hour : best));
  const range = `The last ${board.hours.length} hours; at most ${most.judgements} in one, from ${name(most.at)}`;
  put('hours', barChart(board.hours.map(({ at, judgements }) => ({ name: name(at), value: judgements })), range),
    make('p', { class: 'hint', 'aria-hidden': 'true' }, `${range}.`));
  put('annotators', annotatorTable(board));
  offerReliability(kinds.value);
  put('times', table('Time a task', ['Task', 'Answers', 'Median', 'A tenth below', 'A tenth above'],
    board.times.map(({ task, answers, median, low, high }) => [task, answers, duration(median), duration(low), duration(high)]),
    'No answer has told its time yet.'));
  put('agreement', table('Agreement', ['Of', 'Labels', 'Equal labels', 'Krippendorff’s α', 'Items'],
    board.agreement.map((set) => [set.of, set.labels, withInterval(set.percent, percent), withInterval(set.alpha), set.alpha?.items ?? 0]),
    'Nothing was judged yet.'));
  put('disagreements', table('Disagreements', ['Task', 'Differ', 'Annotators', 'Prompt'],
    board.disagreements.map(({ task, share, annotators, prompt }) => [linkTo(task), percent(share), annotators, own(prompt)]),
    'No two annotators disagree on a task.'));
  put('leaderboard', modelTable(board));
  put('leases', table('Tasks in hands', ['Task', 'Annotator', 'For another'],
    board.leases.map(({ task, annotator, seconds_left }) => [linkTo(task), own(annotator), duration(seconds_left)]),
    'No task is out.'));
  put('exports', ...EXPORTS.map(([file, text, more = '']) => make('li', {},
    make('a', { href: `/api/export/${file}?kinds=${kinds.value}${more}`, download: file }, text), ` ${file}`)));
}

/** @param {Overview} board */
function showFigures(board) {
  const lastHour = board.annotators.reduce((sum, { last_hour }) => sum + last_hour, 0);
  const figures = [
    ['Judgements', board.judgements.toLocaleString('en')],
    ['Answers still wanted', board.missing.toLocaleString('en')],
    ['Tasks open', `${board.open_tasks.toLocaleString('en')} of ${board.tasks.toLocaleString('en')}`],
    ['Pace of the last hour', lastHour === 0 ? '–' : `${lastHour} an hour`],
    ['Left at that pace', lastHour === 0 || board.missing === 0 ? '–' : duration((3600 * board.missing) / lastHour)],
  ];
  put('figures', ...figures.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))));
}

/** @param {Overview} board */
function annotatorTable(board) {
  const ago = (/** @type {number} */ at) => `${duration(Math.max(0, board.now - at))} ago`;
  return table('Annotators', ['Name', 'Judgements', 'Last hour', 'Last day', 'Median time', 'Gold right', 'Skips', 'Flags', 'Last seen'],
    board.annotators.map((one) => [own(one.name), one.judgements, one.last_hour, one.last_day,
      duration(one.median_seconds), one.gold.total === 0 ? '–' : `${one.gold.right} of ${one.gold.total}`, one.skips,
      one.flags, ago(one.last_at)]),
    'Nobody has judged yet.');
}

/** @param {Overview} board */
function modelTable(board) {
  const points = (/** @type {number} */ value) => String(Math.round(value));
  return table('Models', ['Model', 'Battles', 'Bradley–Terry', 'Elo', 'Over its parent'],
    (board.leaderboard?.models ?? []).map((model) => [own(model.model), model.battles,
      withInterval(model.bradley_terry, points), points(model.elo),
      model.gain ? `${withInterval(model.gain, points)}: ${model.verdict}` : '–']),
    'No two models were compared yet.');
}

/** @param {number} task */
const linkTo = (task) => make('a', { href: `#task-${task}` }, `Task ${task}`);

/** What somebody chose or wrote. @param {string} text */
const own = (text) => make('bdi', {}, text);

// --- one task ----------------------------------------------------------------------------------------------

/** @param {JudgedTask} task */
function showJudgedTask(task) {
  element('task-title', HTMLElement).textContent = `Task ${task.id}: ${task.kind}`;
  const places = new Map(task.completions.map(({ id }, i) => [id, i + 1]));
  const answers = task.completions.map((answer, i) => titled(`Answer ${i + 1}`, answer, { class: 'answer' }));
  const models = make('details', { class: 'models' }, make('summary', {}, 'Who wrote them'),
    make('ol', {}, ...task.completions.map(({ model }) => make('li', {}, own(model || 'an unknown model')))));
  deciding = null;
  const wanted = task.copies === 0 ? 'everyone' : `${task.copies} annotator${task.copies === 1 ? '' : 's'}`;
  put('work', ...covered(task, [titled('Prompt', task, { class: 'prompt' }), make('div', { class: 'answers' }, ...answers)]),
    ...(answers.length > 0 ? [models] : []), make('p', { class: 'hint' }, `Asked of ${wanted}.`),
    table('What was said', ['Annotator', 'Said', 'Time', 'When', 'Again'], task.judgements.map((said) => [own(said.annotator),
      saidOf(said, places), duration(said.seconds), new Date(1000 * said.at).toLocaleString('en'), againFor(said)]),
    'Nobody has judged it yet.'),
    make('div', { class: 'choices' }, button('Decide it yourself', () => decide(task))));
}

/** A warning stands before the texts until they are wanted. @param {JudgedTask} task @param {HTMLElement[]} texts */
function covered(task, texts) {
  const { warning } = task.details;
  if (!warning) return texts;
  return [make('details', { class: 'warning' }, make('summary', { dir: 'auto' }, warning), make('div', {}, ...texts))];
}

/** What a person said may be returned to them. @param {Said} said */
function againFor(said) {
  if (said.kind !== 'human' || said.annotator === server?.annotator) return '';
  return button('Return', () => sendBack(said), { class: 'quiet', 'aria-label': `Return what ${said.annotator} said` });
}

/** @param {Said} said */
async function sendBack(said) {
  const note = await askNote(RETURN);
  if (!note) return;
  try {
    await ask('/api/return', { judgement: said.number, note: note.text });
    notify(`Returned to ${said.annotator}.`);
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
  }
}

/** The task as annotators see it; what is said here is the last word. @param {JudgedTask} task */
function decide(task) {
  const root = make('div');
  element('task-title', HTMLElement).textContent = questionOf(/** @type {Task} */ (task));
  put('work', make('p', { class: 'hint' }, 'What you say is the last word: training reads it alone.'), root);
  const asked = /** @type {Task} */ (task);
  deciding = viewFor(asked)({ task: asked, root, changed: () => {}, say: () => {}, warn: notify, submit: (part) => settle(task, part) });
  clock.start();
  element('task-title', HTMLElement).focus();
}

/** @param {JudgedTask} task @param {import('./types.js').Part} part */
async function settle(task, part) {
  const mine = task.judgements.find(({ annotator, type }) => annotator === server?.annotator && type === task.kind);
  try {
    await ask('/api/submit', { store: server?.store, key: crypto.randomUUID(), task: task.id, prompt: task.prompt,
      seconds: clock.seconds(), guideline: task.guideline, adjudicates: true, ...part,
      ...(mine ? { corrects: mine.number } : {}) });
  } catch (error) {
    return notify(error instanceof Error ? error.message : String(error));
  }
  refresh(true);
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.ctrlKey && !event.isComposing) return deciding?.confirm?.();
  const key = commandKey(event);
  if (key && deciding?.press(key)) event.preventDefault();
});

/** @param {Said} said @param {Map<number, number>} places */
function saidOf(said, places) {
  if (said.adjudicates) return make('span', {}, wordsOf(said, places), ' (the last word)');
  return wordsOf(said, places);
}

/** @param {Said} said @param {Map<number, number>} places */
function wordsOf(said, places) {
  const strength = said.strength ? `, ${['slightly', 'clearly', 'much'][said.strength - 1]} better` : '';
  if (said.type === 'ranking') return orderOf(said, places) + strength + (said.none_acceptable ? '; none is acceptable' : '');
  if (said.type === 'label') return said.label ? 'yes' : 'no';
  if (said.type === 'rating') return Object.entries(said.ratings).map(([name, value]) => `${name} ${value}`).join(', ');
  return make('div', {}, `${said.type}: `, words({ text: said.text, html: '' }));
}

/** "2 > 1 = 3" @param {Said} said @param {Map<number, number>} places */
function orderOf({ completions, ranks }, places) {
  /** @type {Map<number, number[]>} */
  const tiers = new Map();
  completions.forEach((id, i) => tiers.set(ranks[i], [...(tiers.get(ranks[i]) ?? []), places.get(id) ?? 0]));
  const best = [...tiers].sort(([a], [b]) => a - b).map(([, tier]) => tier.sort((a, b) => a - b).join(' = '));
  return `answers ${best.join(' > ')}`;
}

// --- what is shown -----------------------------------------------------------------------------------------

/** @returns {number | null} */
function taskInAddress() {
  const found = /^#task-(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) : null;
}

/** @param {boolean} moved  to another part: the focus goes with it */
async function refresh(moved) {
  const number = taskInAddress();
  const mine = ++shown;
  try {
    server ??= await ask('/api/state');
    useToken(server?.token ?? '');
    const answer = await ask(number === null ? `/api/board?kinds=${kinds.value}` : `/api/board/task?number=${number}`);
    if (mine !== shown) return;
    notify('');
    if (number === null) showOverview(answer);
    if (number === null && server?.token) await showPeople(server.annotator);
    if (mine !== shown) return;
    if (number !== null) showJudgedTask(answer);
  } catch (error) {
    if (error instanceof SignedOut) return location.assign('/sign-in');
    return mine === shown && notify(error instanceof Error ? error.message : String(error));
  }
  show('overview', number === null);
  show('task', number !== null);
  if (moved) element(number === null ? 'title' : 'task-title', HTMLElement).focus();
}

kinds.addEventListener('change', () => refresh(false));
element('refresh', HTMLButtonElement).addEventListener('click', () => refresh(false));
window.addEventListener('hashchange', () => refresh(true));
// Not under the hands of somebody who is in the middle of a table.
setInterval(() => {
  const idle = !element('overview', HTMLElement).contains(document.activeElement);
  if (idle && taskInAddress() === null && document.visibilityState === 'visible') refresh(false);
}, REFRESHING_MILLISECONDS);
refresh(false);
