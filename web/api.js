// Requests to the server, and the three ways in which they fail.

/** The server did not answer, or could not store: try again later. */
export class Unreachable extends Error {}
/** The server will never take this request. */
export class Rejected extends Error {}
/** The server no longer knows who this is. */
export class SignedOut extends Error {}

const LONGEST_WAIT = 20000; // milliseconds

let token = '';

/** What every change must carry once somebody is signed in. @param {string} given */
export function useToken(given) {
  token = given;
}

/**
 * @param {any} [body]  given: a POST
 * @param {boolean} [lasting]  goes on when the page is closed
 * @returns {RequestInit}
 */
function requestOf(body, lasting) {
  if (body === undefined) return { signal: AbortSignal.timeout(LONGEST_WAIT) };
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Keel-Token': token },
    body: JSON.stringify(body),
  };
  return lasting ? { ...request, keepalive: true } : { ...request, signal: AbortSignal.timeout(LONGEST_WAIT) };
}

/**
 * @param {string} path
 * @param {any} [body]
 * @returns {Promise<any>}
 */
export async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, requestOf(body, false));
  } catch {
    throw new Unreachable('The server does not answer.');
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const message = answer.error ?? `The server answered ${response.status}.`;
  if (response.status === 401) throw new SignedOut(message);
  throw response.status >= 500 || response.status === 429 ? new Unreachable(message) : new Rejected(message);
}

/**
 * Told while the page is closed: nobody waits for the answer.
 * @param {string} path
 * @param {any} body
 */
export function tell(path, body) {
  fetch(path, requestOf(body, true)).catch(() => {});
}
