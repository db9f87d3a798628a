// The label page: brings tasks, views and the outbox together.
/** @typedef {import('./types.js').Judgement} Judgement */
/** @typedef {import('./types.js').Part} Part */
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Task} Task */
/** @typedef {import('./types.js').View} View */
/** @typedef {import('./history.js').Past} Past */
import { SignedOut, ask, tell, useToken } from './api.js';
import { WorkClock } from './clock.js';
import { COMMENT, FLAG, SKIP, askNote, showGuidelines, showKeys } from './dialogs.js';
import { button, element, make } from './dom.js';
import { Drafts } from './drafts.js';
import { History } from './history.js';
import { commandKey } from './keys.js';
import { Outbox } from './outbox.js';
import { showRaw, showsRaw } from './passages.js';
import { notify, say, show, showState } from './status.js';
import { holder, keepsNothing, readShared, writeShared } from './storage.js';
import { draftOf, questionOf, viewFor } from './views.js';

const RETRY_MILLISECONDS = [1000, 2000, 4000, 8000, 15000];
const WAITING_MILLISECONDS = 15000; // for tasks that others hold
const RENEWING_MILLISECONDS = 120000; // a lease lasts ten minutes
const READING_MILLISECONDS = 300; // a key pressed sooner was meant for the task before

/** What is on the page; `past` while a judgement is being corrected, with a note where it was returned. @typedef {{task: Task, view: View, past?: Past}} Current */

/** @type {State | null} */
let server = null; // the last state that the server told
/** @type {Task | null} */
let held = null; // the task that was claimed and is not answered yet
let refusal = ''; // why there is none, where the server said so
/** @type {Current | null} */
let current = null;
/** @type {Outbox} */
let outbox;
/** @type {Drafts} */
let drafts;
/** @type {History} */
let history;
const clock = new WorkClock();
let heldSeconds = 0; // at work on the held task before an earlier one was looked at
let shownAt = 0;
let attempts = 0;
let busy = false;
let wanted = false; // something happened while busy
let timer = 0;

// --- the loop ----------------------------------------------------------------------------------------------

/** Brings the page and the server together: sends what is kept, then asks for the next task. */
async function advance() {
  if (busy) {
    wanted = true;
    return;
  }
  busy = true;
  clearTimeout(timer);
  try {
    do {
      wanted = false;
      if (!server) hear(await ask('/api/state'));
      await outbox.sendAll(send, acknowledged);
      if (!held) await claim();
    } while (wanted);
    attempts = 0;
    notifyLasting();
    if (!held && server && server.remaining > 0) timer = setTimeout(advance, WAITING_MILLISECONDS);
  } catch (error) {
    failed(error);
  } finally {
    busy = false;
  }
}

/** @param {State} state */
function hear(state) {
  if (!server) {
    const owner = `${state.store}.${state.annotator}`;
    outbox = new Outbox(owner);
    drafts = new Drafts(owner);
    history = new History(owner);
  }
  server = state;
  if (state.token) useToken(state.token);
  showState(state);
  if (state.training?.phase === 'running') setTimeout(refresh, 2000);
}

async function refresh() {
  try {
    hear(await ask('/api/state'));
  } catch {
    setTimeout(refresh, 5000);
  }
}

/** @param {Judgement} judgement */
async function send({ corrects_key: _, ...judgement }) {
  const answer = await ask('/api/submit', judgement);
  hear(answer.state);
  return answer.receipt.judgement;
}

/** @param {string} key @param {number} number */
function acknowledged(key, number) {
  history.acknowledge(key, number);
}

async function claim() {
  const answer = await ask('/api/claim', { holder: holder() });
  hear(answer.state);
  held = answer.task;
  refusal = answer.refusal;
  heldSeconds = 0;
  if (answer.returned && current?.past?.number !== answer.returned.judgement) showReturned(answer.returned);
  else if (!current?.past) showHeld();
}

async function signOut() {
  const kept = outbox?.unsent().length ?? 0;
  if (kept > 0) return notify(`${kept === 1 ? 'A judgement is' : `${kept} judgements are`} not sent yet: wait a moment.`);
  try {
    await ask('/api/sign-out', {});
  } catch (error) {
    if (!(error instanceof SignedOut)) return notify(error instanceof Error ? error.message : String(error));
  }
  location.assign('/sign-in');
}

/** @param {unknown} error */
function failed(error) {
  if (error instanceof SignedOut) return location.assign('/sign-in');
  const kept = server ? outbox.unsent().length : 0;
  const choices = kept === 1 ? 'judgement is' : `${kept} judgements are`;
  const message = error instanceof Error ? error.message : String(error);
  notify(message + (kept ? ` Your last ${choices} kept in this browser and will be sent again.` : ''));
  timer = setTimeout(advance, RETRY_MILLISECONDS[Math.min(attempts, RETRY_MILLISECONDS.length - 1)]);
  attempts += 1;
}

// What stays true when all is well with the server.
function notifyLasting() {
  const refused = outbox.refused();
  if (refused.length > 0) {
    notify(`The server refused ${refused.length} of your judgements (${refused.at(-1)?.error}). `
      + 'They are kept in this browser.');
  } else {
    notify(keepsNothing() ? 'This browser keeps nothing: leave the page open until all is sent.' : '');
  }
}

// --- a task on the page ------------------------------------------------------------------------------------

function showHeld() {
  show('finished', !held);
  show('all-done', !refusal && server?.remaining === 0);
  show('held', !refusal && server?.remaining !== 0);
  element('refusal', HTMLElement).textContent = refusal;
  if (held) return showTask(held);
  hideTask();
  element('finished-title', HTMLElement).focus();
}

function hideTask() {
  current = null;
  show('task', false);
  for (const id of ['flag', 'comment']) element(id, HTMLButtonElement).disabled = true;
  showUndo();
}

/** @param {Task} task @param {Past} [past] */
function showTask(task, past) {
  const root = make('div');
  const view = viewFor(task)({ task, root, submit, changed: keepDraft, say, warn: notify });
  current = { task, view, past };
  const draft = past ?? drafts.of(task.id);
  view.restore(draft?.draft ?? null);
  element('question', HTMLElement).textContent = questionOf(task);
  element('work', HTMLElement).replaceChildren(...(past ? [correctionBar(past)] : []), ...(task.warning ? [cover(task, root)] : [root]));
  show('task', true);
  show('finished', false);
  for (const id of ['skip', 'skip-why', 'flag', 'comment']) element(id, HTMLButtonElement).disabled = false;
  showUndo();
  clock.start(draft?.seconds ?? heldSeconds);
  shownAt = performance.now();
  window.scrollTo(0, 0);
  element('question', HTMLElement).focus({ preventScroll: true });
  offerGuidelines(task.guideline);
}

/** A warning stands before the texts until they are wanted. @param {Task} task @param {HTMLElement} root */
function cover(task, root) {
  root.hidden = true;
  const warning = make('div', { class: 'warning', role: 'note' }, make('p', {}, task.warning ?? ''));
  warning.append(button('Show it', () => {
    root.hidden = false;
    warning.remove();
    element('question', HTMLElement).focus();
  }));
  return make('div', {}, warning, root);
}

const isCovered = () => document.querySelector('.warning') !== null;

/** @param {Past} past */
function correctionBar(past) {
  const said = past.note === undefined ? 'This is an earlier judgement: what you submit replaces it.'
    : 'You are asked to look at this judgement again: what you submit replaces it.';
  return make('div', { class: 'notice' }, make('p', {}, said),
    ...(past.note === undefined ? [] : [make('p', { dir: 'auto', class: 'quoted' }, past.note)]),
    button('Leave it as it was', () => leaveCorrection(past), { class: 'quiet' }));
}

/** @param {Past} past */
async function leaveCorrection(past) {
  if (past.note === undefined) return showHeld();
  try {
    await ask('/api/keep', { judgement: past.number });
  } catch (error) {
    return notify(error instanceof Error ? error.message : String(error));
  }
  hideTask();
  advance();
}

/** @param {import('./types.js').ReturnedJudgement} returned */
function showReturned({ judgement, note, by, answer, task }) {
  showTask(task, { key: `returned-${judgement}`, number: judgement, task, draft: draftOf(task, answer), seconds: 0,
    note: `${by}: ${note}` });
}

function keepDraft() {
  if (!current || current.past) return;
  const draft = current.view.draft();
  if (draft === null) drafts.drop(current.task.id);
  else drafts.keep({ task: current.task.id, draft, seconds: clock.seconds() });
}

// --- what is judged ----------------------------------------------------------------------------------------

/** @param {Task} task @param {Part} part @returns {Judgement} */
function judgementOf(task, part) {
  return { store: /** @type {State} */ (server).store, key: crypto.randomUUID(), task: task.id, prompt: task.prompt,
    seconds: clock.seconds(), guideline: task.guideline, ...part };
}

/** @param {Part} part */
function submit(part) {
  if (!current || isCovered() && part.type !== 'skip') return;
  const { task, view, past } = current;
  const judgement = judgementOf(task, part);
  if (past?.number !== undefined) judgement.corrects = past.number;
  else if (past) judgement.corrects_key = past.key;
  outbox.add(judgement);
  history.add({ key: judgement.key, task, seconds: judgement.seconds, draft: part.type === 'skip' ? null : view.draft() },
    past?.key);
  drafts.drop(task.id);
  notify('');
  if (past && past.note === undefined) {
    say('Corrected.');
    showHeld();
  } else {
    held = null;
    hideTask();
  }
  advance();
}

/** @param {string} text */
function skip(text) {
  if (current) submit({ type: 'skip', completions: current.task.completions.map(({ id }) => id), text });
}

async function skipWithReason() {
  const note = await askNote(SKIP);
  if (note) skip(note.text);
}

/** Beside the task's answer: the task stays. @param {'flag' | 'comment'} type */
async function takeNote(type) {
  if (!current) return;
  const { task } = current;
  const note = await askNote(type === 'flag' ? FLAG : COMMENT, task);
  if (!note) return;
  outbox.add(judgementOf(task, { type, text: note.text, completions: note.completion === null ? [] : [note.completion] }));
  say('Kept.');
  advance();
}

function undo() {
  const past = server && history.before(current?.past?.key);
  if (!past) return notify('There is no earlier judgement in this tab.');
  if (current && !current.past) heldSeconds = clock.seconds();
  showTask(past.task, past);
}

function showUndo() {
  element('undo', HTMLButtonElement).disabled = !server || !history.before(current?.past?.key);
}

// --- guidelines --------------------------------------------------------------------------------------------

async function openGuidelines() {
  try {
    const guidelines = await ask('/api/guidelines');
    writeShared('keel.guideline', { store: server?.store, version: guidelines.version });
    await showGuidelines(guidelines);
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
  }
}

/** A version that was not read here yet opens by itself. @param {number | null} version */
function offerGuidelines(version) {
  const seen = readShared('keel.guideline', {});
  if (version !== null && !(seen.store === server?.store && seen.version >= version)) openGuidelines();
}

// --- events ------------------------------------------------------------------------------------------------

function switchRaw() {
  showRaw(!showsRaw());
  element('raw', HTMLElement).setAttribute('aria-pressed', String(showsRaw()));
}

async function train() {
  show('train', false);
  try {
    hear(await ask('/api/train', {}));
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
    refresh();
  }
}

async function renew() {
  if (!held || !clock.inUse()) return;
  const answer = await ask('/api/renew', { holder: holder() }).catch(() => null);
  if (answer && answer.task === null) notify('This task is open to others, too, after the long pause.');
}

/** @type {Record<string, () => void>} */
const COMMANDS = {
  s: () => skip(''), 'Shift+s': skipWithReason, u: undo, g: openGuidelines, r: switchRaw,
  f: () => takeNote('flag'), c: () => takeNote('comment'), '?': showKeys,
};

document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.ctrlKey && !event.isComposing && !document.querySelector('dialog[open]')) {
    return current?.view.confirm?.();
  }
  const key = commandKey(event);
  if (!key || performance.now() - shownAt < READING_MILLISECONDS) return;
  const isForView = !isCovered() && current?.view.press(key);
  if (!isForView) COMMANDS[key]?.();
  if (isForView || COMMANDS[key]) event.preventDefault();
});

/** @type {Record<string, () => void>} */
const BUTTONS = {
  undo, raw: switchRaw, train, guidelines: openGuidelines, keys: showKeys, skip: () => skip(''), 'skip-why': skipWithReason,
  flag: () => takeNote('flag'), comment: () => takeNote('comment'), 'sign-out': signOut,
};
for (const [id, action] of Object.entries(BUTTONS)) element(id, HTMLButtonElement).addEventListener('click', action);

// A closed page gives its task back, unless something is half done: then it is held for who comes back.
window.addEventListener('pagehide', () => {
  if (held && !drafts.of(held.id)) tell('/api/release', { holder: holder() });
});
// One that the browser brings out of its cache asks for a task again.
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  held = null;
  advance();
});
window.addEventListener('online', advance);
setInterval(renew, RENEWING_MILLISECONDS);
showRaw(showsRaw());
element('raw', HTMLElement).setAttribute('aria-pressed', String(showsRaw()));
advance();
