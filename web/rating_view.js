// One answer on a scale, dimension by dimension.
/** @typedef {import('./types.js').Context} Context */
/** @typedef {import('./types.js').View} View */
import { button, freshId, make } from './dom.js';
import { promptOf, titled } from './passages.js';

/** @param {Context} context @returns {View} */
export function ratingView({ task, root, submit, changed, say, warn }) {
  const [low, high] = task.scale ?? [1, 5];
  const values = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const dimensions = task.dimensions ?? ['quality'];
  const sets = dimensions.map((dimension) => scaleOf(dimension));
  root.append(promptOf(task), titled('Answer', task.completions[0], { class: 'answer' }),
    make('div', { class: 'scales' }, ...sets.map(({ fieldset }) => fieldset)),
    make('div', { class: 'choices' }, button('Submit ratings', finish, { 'aria-keyshortcuts': 'Enter' }, 'Enter')));
  root.addEventListener('change', changed);

  /** @param {string} dimension */
  function scaleOf(dimension) {
    const name = freshId();
    const inputs = values.map((value) => make('input', { type: 'radio', name, value }));
    const labels = values.map((value, i) => make('label', { class: 'choice' }, inputs[i], make('span', {}, String(value))));
    const fieldset = make('fieldset', {}, make('legend', {}, dimension), ...labels);
    return { inputs, fieldset };
  }

  /** @param {HTMLInputElement[]} inputs */
  const valueOf = (inputs) => inputs.find((input) => input.checked)?.value;

  /** @returns {Record<string, number>} */
  function ratings() {
    return Object.fromEntries(sets.flatMap(({ inputs }, i) => {
      const value = valueOf(inputs);
      return value === undefined ? [] : [[dimensions[i], Number(value)]];
    }));
  }

  function finish() {
    const missing = dimensions.filter((_, i) => valueOf(sets[i].inputs) === undefined);
    if (missing.length > 0) return warn(`Not rated yet: ${missing.join(', ')}.`);
    submit({ type: 'rating', completions: [task.completions[0].id], ratings: ratings() });
  }

  // A digit rates the scale that has the focus, else the first one without a value.
  /** @param {number} value */
  function rate(value) {
    const focused = sets.findIndex(({ fieldset }) => fieldset.contains(document.activeElement));
    const open = sets.findIndex(({ inputs }) => valueOf(inputs) === undefined);
    const index = focused >= 0 ? focused : open;
    const input = sets[index]?.inputs[values.indexOf(value)];
    if (!input) return false;
    input.checked = true;
    say(`${dimensions[index]}: ${value}.`);
    sets[index + 1]?.inputs[0].focus();
    changed();
    return true;
  }

  return {
    draft: () => (Object.keys(ratings()).length > 0 ? ratings() : null),
    restore(draft) {
      sets.forEach(({ inputs }, i) => {
        for (const input of inputs) input.checked = Number(input.value) === draft?.[dimensions[i]];
      });
    },
    press(key) {
      if (key === 'Enter') return finish(), true;
      return /^[0-9]$/.test(key) && rate(Number(key));
    },
    confirm: finish,
  };
}
