// Lists and objects that this browser keeps. Where it refuses to keep anything (private windows, a full
// quota), they stay in memory until the page is closed, and `keepsNothing` says so.

/** @type {Map<string, any>} */
const inMemory = new Map();
let refused = false;

export const keepsNothing = () => refused;

/**
 * @param {Storage} storage
 * @param {string} name
 * @param {any} otherwise
 */
function read(storage, name, otherwise) {
  try {
    return JSON.parse(storage.getItem(name) ?? 'null') ?? inMemory.get(name) ?? otherwise;
  } catch {
    return inMemory.get(name) ?? otherwise;
  }
}

/**
 * @param {Storage} storage
 * @param {string} name
 * @param {any} value
 * @returns {boolean} kept
 */
function write(storage, name, value) {
  try {
    storage.setItem(name, JSON.stringify(value));
    inMemory.delete(name);
    return true;
  } catch {
    inMemory.set(name, value);
    return false;
  }
}

/** The browser may refuse even to name them. @param {'localStorage' | 'sessionStorage'} which */
function storageNamed(which) {
  try {
    return window[which];
  } catch {
    return null;
  }
}

/** @param {'localStorage' | 'sessionStorage'} which */
function keeper(which) {
  const storage = storageNamed(which);
  return {
    /** @param {string} name @param {any} otherwise */
    read: (name, otherwise) => (storage ? read(storage, name, otherwise) : inMemory.get(name) ?? otherwise),
    /** @param {string} name @param {any} value @returns {boolean} */
    write(name, value) {
      if (storage) return write(storage, name, value);
      inMemory.set(name, value);
      return false;
    },
  };
}

/** Shared by all tabs, and there after a restart. */
const shared = keeper('localStorage');
/** Of this tab. */
const own = keeper('sessionStorage');

/**
 * Other tabs change the list, too: always read, change, write.
 * @param {string} name
 * @param {(list: any[]) => any[]} change
 */
export function changeList(name, change) {
  if (!shared.write(name, change(readList(name)))) refused = true;
}

/** @param {string} name @returns {any[]} */
export const readList = (name) => shared.read(name, []);

/** @param {string} name @param {any} otherwise @returns {any} */
export const readShared = (name, otherwise) => shared.read(name, otherwise);
/** @param {string} name @param {any} value */
export const writeShared = (name, value) => shared.write(name, value);
/** @param {string} name @param {any} otherwise @returns {any} */
export const readOwn = (name, otherwise) => own.read(name, otherwise);
/** @param {string} name @param {any} value */
export const writeOwn = (name, value) => own.write(name, value);

// A name for this tab, so that a reload gets the same task again and another tab gets another one.
export function holder() {
  const name = readOwn('keel.holder', '') || crypto.randomUUID();
  writeOwn('keel.holder', name);
  return name;
}
