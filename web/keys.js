// Which key press means a command. Keys inside of text fields, of an input method that is composing, with
// modifiers, held down, or while a dialog is open mean none; Enter and Space belong to a control that the
// keyboard has reached (a mouse leaves the focus behind, and Enter then submits).
import { readShared, writeShared } from './storage.js';

const NAME = 'keel.keys';

export const keysAreOn = () => readShared(NAME, 'on') === 'on';
/** @param {boolean} on */
export const switchKeys = (on) => writeShared(NAME, on ? 'on' : 'off');

/** @param {EventTarget | null} target */
export function isTextField(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !['radio', 'checkbox', 'button', 'submit'].includes(target.type);
}

/** @param {EventTarget | null} target */
const isControl = (target) => target instanceof HTMLElement
  && target.closest('button, a[href], summary') !== null && target.matches(':focus-visible');

// Arrows scroll a wide text and move among radio buttons.
/** @param {EventTarget | null} target */
const usesArrows = (target) => target instanceof HTMLElement && target.matches('[tabindex="0"], input');

/**
 * @param {KeyboardEvent} event
 * @returns {string}  '' for none; letters in lower case, with 'Shift+' before them where it is held
 */
export function commandKey(event) {
  if (event.isComposing || event.keyCode === 229 || event.repeat) return '';
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return '';
  if (isTextField(event.target) || document.querySelector('dialog[open]')) return '';
  if ((event.key === 'Enter' || event.key === ' ') && isControl(event.target)) return '';
  if (event.key.startsWith('Arrow') && usesArrows(event.target)) return '';
  if (event.key.length === 1 && !keysAreOn()) return '';
  if (/^[a-z]$/i.test(event.key)) return (event.shiftKey ? 'Shift+' : '') + event.key.toLowerCase();
  return event.key;
}
