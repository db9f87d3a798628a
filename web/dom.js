// Elements found and made. Nothing here takes HTML.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`no ${type.name} #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean>} [attributes]  true: there, false: not there
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}

/**
 * @param {string} label
 * @param {() => void} action
 * @param {Record<string, string | number | boolean>} [attributes]
 * @param {string} [key]  shown beside the label
 */
export function button(label, action, attributes = {}, key = '') {
  const made = make('button', { type: 'button', ...attributes }, make('span', {}, label));
  if (key) made.append(' ', make('kbd', {}, key));
  made.addEventListener('click', action);
  return made;
}

let names = 0;

/** An id that no other element has, for labels. */
export const freshId = () => `made-${names++}`;
