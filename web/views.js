// Which view shows a task, what it asks, and an earlier answer as that view's draft.
/** @typedef {import('./types.js').Task} Task */
/** @typedef {import('./types.js').GivenAnswer} GivenAnswer */
import { pairView } from './pair_view.js';
import { rankingView } from './ranking_view.js';
import { ratingView } from './rating_view.js';
import { textView } from './text_view.js';
import { yesNoView } from './yes_no_view.js';

/** @type {Record<Task['kind'], string>} */
const QUESTIONS = {
  ranking: 'Rank the answers, best first.',
  rating: 'How good is this answer?',
  label: 'Is this a good answer?',
  demonstration: 'Write a good answer.',
  edit: 'Make this answer better.',
};

/** @param {Task} task */
const isPair = (task) => task.kind === 'ranking' && task.completions.length === 2;

/** @param {Task} task */
export function questionOf(task) {
  if (task.question) return task.question;
  return isPair(task) ? 'Which answer is better?' : QUESTIONS[task.kind];
}

/** @param {Task} task */
export function viewFor(task) {
  if (task.kind === 'ranking') return isPair(task) ? pairView : rankingView;
  if (task.kind === 'rating') return ratingView;
  return task.kind === 'label' ? yesNoView : textView;
}

/** What the task's view would keep of an answer; null for a skip. @param {Task} task @param {GivenAnswer} answer */
export function draftOf(task, answer) {
  if (answer.type !== task.kind) return null;
  if (task.kind === 'rating') return answer.ratings;
  if (task.kind === 'label') return { answered: answer.label };
  if (task.kind !== 'ranking') return { text: answer.text };
  const preference = { strength: answer.strength, none: answer.none_acceptable };
  const rankOf = new Map(answer.completions.map((id, i) => [id, answer.ranks[i]]));
  const ids = task.completions.map(({ id }) => id);
  if (isPair(task)) {
    const difference = (rankOf.get(ids[0]) ?? 0) - (rankOf.get(ids[1]) ?? 0);
    return { chosen: difference === 0 ? 'tie' : difference < 0 ? 'first' : 'second', preference };
  }
  const ranks = [...new Set(answer.ranks)].sort((a, b) => a - b);
  return { tiers: ranks.map((rank) => ids.filter((id) => rankOf.get(id) === rank)), preference };
}
