// The board's accounts: who may log in, closed and opened again, and links for new ones. Only where people log in.
import { ask } from './api.js';
import { button, element, make } from './dom.js';
import { notify, show } from './status.js';
import { table } from './tables.js';

/** @typedef {{name: string, role: string, closed: boolean}} Person */

/** @param {unknown} error */
const complain = (error) => notify(error instanceof Error ? error.message : String(error));

/** @param {string} me  who cannot close the own account */
export async function showPeople(me) {
  put(await ask('/api/people'), me);
  show('people-part', true);
}

/** @param {Person[]} people @param {string} me */
function put(people, me) {
  element('people', HTMLElement).replaceChildren(table('Accounts', ['Name', 'Role', 'State', 'Change'],
    people.map((person) => [make('bdi', {}, person.name), person.role, person.closed ? 'closed' : 'open',
      person.name === me ? '' : switchFor(person, me)]), 'There are no accounts.'));
}

/** @param {Person} person @param {string} me */
function switchFor({ name, closed }, me) {
  const label = closed ? 'Reopen' : 'Close';
  return button(label, async () => {
    try {
      put(await ask('/api/close', { name, closed: !closed }), me);
    } catch (error) {
      complain(error);
    }
  }, { class: 'quiet', 'aria-label': `${label} the account of ${name}` });
}

/** @param {string} id */
const numberIn = (id) => Number(element(id, HTMLInputElement).value);

element('invite', HTMLFormElement).addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const role = element('invite-role', HTMLSelectElement).value;
    const { path } = await ask('/api/invite', { role, uses: numberIn('invite-uses'), hours: numberIn('invite-hours') });
    const link = element('link', HTMLInputElement);
    link.value = location.origin + path;
    show('link-part', true);
    link.select();
  } catch (error) {
    complain(error);
  }
});
