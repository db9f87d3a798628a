// What stands around the task: progress, agreement with the reward model, training, notices.
/** @typedef {import('./types.js').State} State */
/** @typedef {import('./types.js').Agreement} Agreement */
/** @typedef {import('./types.js').Training} Training */
import { element } from './dom.js';

/** @param {number} share */
const percent = (share) => `${Math.round(100 * share)} %`;

/** @param {string} id @param {string} text */
function write(id, text) {
  element(id, HTMLElement).textContent = text;
}

/** @param {string} id @param {boolean} visible */
export function show(id, visible) {
  element(id, HTMLElement).hidden = !visible;
}

/** @param {State} state */
export function showState(state) {
  write('done', String(state.done));
  write('remaining', String(state.remaining));
  const bar = element('bar', HTMLProgressElement);
  bar.max = Math.max(1, state.done + state.remaining);
  bar.value = state.done;
  write('who', state.annotator);
  show('to-board', state.lead);
  show('to-chat', state.chat);
  if (state.token) show('sign-out', true);
  showAgreement(state.agreement);
  showTraining(state.training);
}

/** @param {Agreement | null} agreement */
function showAgreement(agreement) {
  show('agreement', agreement !== null);
  if (!agreement) return;
  const { count, total, low, high } = agreement;
  write('agreement-count', `Agreed on ${count} of ${total} pairs (${percent(count / total)})`);
  write('agreement-interval', `95 % interval ${percent(low)} to ${percent(high)}`);
}

/** @param {Training | null} training */
function showTraining(training) {
  show('training', training !== null);
  if (!training) return;
  const fresh = training.new_rankings;
  const texts = {
    idle: fresh === 0 ? 'Rank some pairs first.' : '',
    running: 'Training with your rankings. You can go on meanwhile.',
    done: `Done: ${training.detail}`,
    failed: `Failed: ${training.detail}`,
  };
  write('training-state', texts[training.phase]);
  show('train', fresh > 0 && training.phase !== 'running');
  write('train', `Train again with ${fresh} new ranking${fresh === 1 ? '' : 's'}`);
}

/** Empty: nothing to say. @param {string} message */
export function notify(message) {
  const notice = element('notice', HTMLElement);
  if (notice.textContent !== message) notice.textContent = message;
  notice.hidden = message === '';
}

let waiting = 0; // the timer of what is about to be said: a newer announcement overtakes it

// Cleared first, so that the same words are said again.
/** @param {string} text */
export function say(text) {
  write('said', '');
  clearTimeout(waiting);
  waiting = setTimeout(() => write('said', text), 50);
}
