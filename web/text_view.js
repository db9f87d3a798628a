// A text by the annotator: a demonstration, or an answer as it should have been.
/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').View} View */
import { button, freshId, make } from './dom.js';
import { promptOf } from './passages.js';

const MOST_BYTES = 48000; // a request holds 65536

/** @param {Context} context @returns {View} */
export function textView({ task, root, submit, changed, warn }) {
  const given = task.kind === 'edit' ? task.completions[0].text : '';
  const id = freshId(), count = freshId();
  const area = make('textarea', { id, rows: 12, dir: 'auto', spellcheck: 'true', 'aria-describedby': count });
  const size = make('p', { id: count, class: 'hint' });
  area.value = given;
  root.append(promptOf(task),
    make('div', { class: 'writing' },
      make('label', { for: id }, task.kind === 'edit' ? 'The answer, as it should be' : 'Your answer'), area, size),
    make('div', { class: 'choices' },
      button('Submit', finish, { 'aria-keyshortcuts': 'Control+Enter' }, 'Ctrl Enter'),
      ...(given ? [button('Start over', startOver, { class: 'quiet' })] : [])));
  area.addEventListener('input', () => {
    showSize();
    changed();
  });
  showSize();

  function bytes() {
    return new TextEncoder().encode(JSON.stringify(area.value)).length;
  }

  function showSize() {
    const words = area.value.split(/\s+/).filter((word) => word !== '').length;
    size.textContent = `${words} word${words === 1 ? '' : 's'}, `
      + `${Math.round((100 * bytes()) / MOST_BYTES)} % of what fits`;
  }

  function startOver() {
    area.value = given;
    showSize();
    changed();
    area.focus();
  }

  function finish() {
    if (area.value.trim() === '') return refuse('Nothing is written yet.');
    if (area.value === given) return refuse('The answer is as it was. Skip it where nothing needs to change.');
    if (bytes() > MOST_BYTES) return refuse('The text is too long to be sent.');
    submit({ type: task.kind, completions: task.completions.map((answer) => answer.id), text: area.value });
  }

  /** @param {string} reason */
  function refuse(reason) {
    warn(reason);
    area.focus();
  }

  return {
    draft: () => (area.value === given ? null : { text: area.value }),
    restore(draft) {
      area.value = draft?.text ?? given;
      showSize();
    },
    press: () => false,
    confirm: finish,
  };
}
