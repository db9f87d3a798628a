// Dragging by mouse, pen or finger: elements with data-drag are taken to elements with data-drop.

const FAR_ENOUGH = 6; // pixels, below which it is a click

/**
 * @param {HTMLElement} root
 * @param {(dragged: string, target: string) => void} drop  the values of data-drag and data-drop
 */
export function makeDraggable(root, drop) {
  root.addEventListener('pointerdown', (event) => {
    const source = event.target instanceof Element ? event.target.closest('[data-drag]') : null;
    if (source instanceof HTMLElement && event.button === 0 && event.isPrimary) follow(root, source, event, drop);
  });
}

/**
 * @param {HTMLElement} root
 * @param {HTMLElement} source
 * @param {PointerEvent} start
 * @param {(dragged: string, target: string) => void} drop
 */
function follow(root, source, start, drop) {
  /** @type {HTMLElement | null} */
  let ghost = null;
  /** @type {HTMLElement | null} */
  let target = null;
  const listening = new AbortController();

  const end = () => {
    listening.abort();
    ghost?.remove();
    target?.classList.remove('target');
    root.classList.remove('dragging');
  };
  /** @param {PointerEvent} event */
  const move = (event) => {
    if (!ghost && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < FAR_ENOUGH) return;
    if (!ghost) {
      ghost = ghostOf(source);
      root.classList.add('dragging');
    }
    ghost.style.left = `${event.clientX}px`;
    ghost.style.top = `${event.clientY}px`;
    target?.classList.remove('target');
    target = targetAt(event.clientX, event.clientY);
    target?.classList.add('target');
  };
  /** @param {PointerEvent} event */
  const up = (event) => {
    const over = ghost && targetAt(event.clientX, event.clientY);
    if (ghost) swallowClick(source);
    end();
    if (over) drop(source.dataset.drag ?? '', over.dataset.drop ?? '');
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.key === 'Escape') end();
  };
  const { signal } = listening;
  document.addEventListener('pointermove', move, { signal });
  document.addEventListener('pointerup', up, { signal });
  document.addEventListener('pointercancel', end, { signal });
  document.addEventListener('keydown', key, { signal });
}

/** @param {HTMLElement} source */
function ghostOf(source) {
  const ghost = document.createElement('div');
  ghost.className = 'ghost';
  ghost.textContent = source.dataset.name ?? source.textContent;
  document.body.append(ghost);
  return ghost;
}

/** @param {number} x @param {number} y @returns {HTMLElement | null} */
function targetAt(x, y) {
  const found = document.elementFromPoint(x, y)?.closest('[data-drop]');
  return found instanceof HTMLElement ? found : null;
}

// The browser sends a click after a drag that ends where it began.
/** @param {HTMLElement} source */
function swallowClick(source) {
  const once = (/** @type {Event} */ event) => event.stopImmediatePropagation();
  source.addEventListener('click', once, { capture: true, once: true });
  setTimeout(() => source.removeEventListener('click', once, { capture: true }), 50);
}
