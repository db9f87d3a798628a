// The label page. A judgement is kept in this browser under a key of its own before it is sent, and leaves it
// only when the server has said that it is on the disk; sending it twice under one key stores it once.
// Text from models reaches the page through textContent alone.

const RETRY_MILLISECONDS = [1000, 2000, 4000, 8000, 15000];
const WAITING_MILLISECONDS = 15000; // for pairs that another tab holds
const READING_MILLISECONDS = 300; // a key pressed sooner was meant for the pair before

const CHOICE_OF_KEY = {
  1: 'first', ArrowLeft: 'first',
  2: 'second', ArrowRight: 'second',
  0: 'tie', '=': 'tie',
  s: 'skip', S: 'skip',
};

/** The server did not answer, or could not store: try again later. */
class Unreachable extends Error {}
/** The server will never take this request. */
class Rejected extends Error {}

const element = (id) => document.getElementById(id);

let server = null; // the last state that the server told
let task = null;
let shownAt = 0;
let attempts = 0;
let busy = false;
let wanted = false; // something happened while busy
let timer = 0;
let keepsNothing = false; // the browser refuses to store the lists

async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(20000),
    });
  } catch {
    throw new Unreachable('The server does not answer.');
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const message = answer.error ?? `The server answered ${response.status}.`;
  throw response.status >= 500 ? new Unreachable(message) : new Rejected(message);
}

// --- judgements that are not yet acknowledged --------------------------------------------------------------

// Another store on the same port must never get them, nor another annotator's name.
const listName = (kind) => `keel.${kind}.${server.store}.${server.annotator}`;
const inMemory = new Map(); // where the browser refuses to keep anything

function readList(kind) {
  try {
    return JSON.parse(localStorage.getItem(listName(kind)) ?? '[]');
  } catch {
    return inMemory.get(kind) ?? [];
  }
}

// Other tabs share the lists: always read, change, write.
function changeList(kind, change) {
  const list = change(readList(kind));
  inMemory.set(kind, list);
  try {
    localStorage.setItem(listName(kind), JSON.stringify(list));
  } catch {
    keepsNothing = true;
  }
}

async function sendUnsent() {
  for (const judgement of readList('unsent')) {
    try {
      showState((await ask('/api/submit', judgement)).state);
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      changeList('refused', (list) => [...list, { ...judgement, error: error.message }]);
    }
    changeList('unsent', (list) => list.filter((other) => other.key !== judgement.key));
  }
}

// --- the loop ----------------------------------------------------------------------------------------------

// Brings the page and the server together: sends what is kept, then asks for the next pair.
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
      if (!server) showState(await ask('/api/state'));
      await sendUnsent();
      if (!task) await claimNext();
    } while (wanted);
    attempts = 0;
    notifyLasting();
    if (!task && server.remaining > 0) timer = setTimeout(advance, WAITING_MILLISECONDS);
  } catch (error) {
    retryLater(error);
  } finally {
    busy = false;
  }
}

async function claimNext() {
  const answer = await ask('/api/claim', { holder: holder() });
  showState(answer.state);
  task = answer.task;
  showTask();
}

function retryLater(error) {
  const kept = server ? readList('unsent').length : 0;
  const choices = kept === 1 ? 'choice is' : `${kept} choices are`;
  notify(error.message + (kept ? ` Your last ${choices} kept in this browser and will be sent again.` : ''));
  timer = setTimeout(advance, RETRY_MILLISECONDS[Math.min(attempts, RETRY_MILLISECONDS.length - 1)]);
  attempts += 1;
}

// A name for this tab, so that a reload gets the same pair again and another tab gets another one.
function holder() {
  try {
    const name = sessionStorage.getItem('keel.holder') ?? crypto.randomUUID();
    sessionStorage.setItem('keel.holder', name);
    return name;
  } catch {
    return 'tab';
  }
}

function choose(choice) {
  if (!task) return;
  changeList('unsent', (list) => [...list, {
    store: server.store,
    key: crypto.randomUUID(),
    task: task.id,
    prompt: task.prompt,
    completions: task.completions.map((completion) => completion.id),
    choice,
  }]);
  task = null;
  setChoicesEnabled(false);
  advance();
}

// --- what is shown -----------------------------------------------------------------------------------------

const percent = (share) => `${Math.round(100 * share)} %`;

function showState(state) {
  server = state;
  element('done').textContent = String(state.done);
  element('remaining').textContent = String(state.remaining);
  element('bar').max = Math.max(1, state.done + state.remaining);
  element('bar').value = state.done;
  showAgreement(state.agreement);
  showTraining(state.training);
}

function showAgreement(agreement) {
  element('agreement').hidden = !agreement;
  if (!agreement) return;
  const { count, total, low, high } = agreement;
  element('agreement-count').textContent = `Agreed on ${count} of ${total} pairs (${percent(count / total)})`;
  element('agreement-interval').textContent = `95 % interval ${percent(low)} to ${percent(high)}`;
}

function showTraining(training) {
  element('training').hidden = !training;
  if (!training) return;
  const fresh = training.new_rankings;
  const texts = {
    idle: '',
    running: 'Training with your rankings. You can go on meanwhile.',
    done: `Done: ${training.detail}`,
    failed: `Failed: ${training.detail}`,
  };
  const none = fresh === 0 && training.phase === 'idle' ? 'Rank some pairs first.' : '';
  element('training-state').textContent = texts[training.phase] || none;
  element('train').hidden = fresh === 0 || training.phase === 'running';
  element('train').textContent = `Train again with ${fresh} new ranking${fresh === 1 ? '' : 's'}`;
  if (training.phase === 'running') setTimeout(refresh, 2000);
}

async function refresh() {
  try {
    showState(await ask('/api/state'));
  } catch {
    setTimeout(refresh, 5000);
  }
}

function showTask() {
  element('task').hidden = !task;
  element('finished').hidden = Boolean(task);
  element('all-done').hidden = server.remaining > 0;
  element('held').hidden = server.remaining === 0;
  setChoicesEnabled(Boolean(task));
  if (!task) return;
  element('prompt').textContent = task.text;
  element('first').textContent = task.completions[0].text;
  element('second').textContent = task.completions[1].text;
  shownAt = performance.now();
  window.scrollTo(0, 0);
  element('question').focus({ preventScroll: true });
}

function setChoicesEnabled(enabled) {
  for (const button of document.querySelectorAll('[data-choice]')) button.disabled = !enabled;
}

function notify(message) {
  element('notice').textContent = message;
  element('notice').hidden = message === '';
}

// What stays true when all is well with the server.
function notifyLasting() {
  const refused = readList('refused');
  if (refused.length > 0) {
    notify(`The server refused ${refused.length} of your choices (${refused.at(-1).error}). `
      + 'They are kept in this browser.');
  } else {
    notify(keepsNothing ? 'This browser keeps nothing: leave the page open until all is sent.' : '');
  }
}

// --- events ------------------------------------------------------------------------------------------------

for (const button of document.querySelectorAll('[data-choice]')) {
  button.addEventListener('click', () => choose(button.dataset.choice));
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const choice = CHOICE_OF_KEY[event.key];
  if (!choice || !task || performance.now() - shownAt < READING_MILLISECONDS) return;
  event.preventDefault();
  choose(choice);
});

element('train').addEventListener('click', async () => {
  element('train').hidden = true;
  try {
    showState(await ask('/api/train', {}));
  } catch (error) {
    notify(error.message);
    refresh();
  }
});

// A closed page gives its pair back; one that the browser brings out of its cache asks for a pair again.
window.addEventListener('pagehide', () => {
  const body = new Blob([JSON.stringify({ holder: holder() })], { type: 'application/json' });
  navigator.sendBeacon('/api/release', body);
});
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  task = null;
  advance();
});
window.addEventListener('online', advance);
advance();
