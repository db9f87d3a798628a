// What log-in and invite have in common: a name, a password, one button.
import { ask } from './api.js';
import { element } from './dom.js';
import { notify } from './status.js';

/**
 * Sends the form's name and password; the label page opens when the server takes them.
 * @param {string} path
 * @param {() => Record<string, string>} [more]  what goes beside them
 */
export function enterBy(path, more = () => ({})) {
  const form = element('form', HTMLFormElement);
  const name = element('name', HTMLInputElement), password = element('password', HTMLInputElement);
  const submit = /** @type {HTMLButtonElement} */ (form.querySelector('button'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    notify('');
    submit.disabled = true;
    try {
      await ask(path, { ...more(), name: name.value, password: password.value });
      location.replace('/');
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error));
      password.select();
    } finally {
      submit.disabled = false;
    }
  });
  name.focus();
}
