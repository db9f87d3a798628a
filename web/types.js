// The shapes of what server and page tell each other. No code: for the editor and for `tsc --checkJs`.

/**
 * A text as it was written and as it is read (Markdown, rendered by the server; '' for a very long one).
 * @typedef {{text: string, html: string}} Passage
 */

/** @typedef {Passage & {id: number}} Answer */

/** @typedef {'ranking' | 'rating' | 'label' | 'demonstration' | 'edit'} TaskKind */

/**
 * @typedef {object} Task
 * @property {number} id
 * @property {TaskKind} kind
 * @property {number} prompt
 * @property {string} text          of the prompt
 * @property {string} html
 * @property {Answer[]} completions  in the order in which this annotator sees them
 * @property {number | null} guideline
 * @property {string} [question]
 * @property {string[]} [dimensions]
 * @property {[number, number]} [scale]
 * @property {string} [warning]
 * @property {boolean} [strength]   a preference must say how strong it is
 */

/**
 * What a view adds to a judgement.
 * @typedef {object} Part
 * @property {TaskKind | 'flag' | 'comment' | 'skip'} type
 * @property {number[]} [completions]
 * @property {number[]} [ranks]
 * @property {boolean} [label]
 * @property {Record<string, number>} [ratings]
 * @property {string} [text]
 * @property {number | null} [strength]
 * @property {boolean} [none_acceptable]
 */

/**
 * A judgement as it is kept and sent. While what it corrects has no number yet, `corrects_key` names it.
 * @typedef {Part & {store: string, key: string, task: number, prompt: number, seconds: number,
 *   guideline: number | null, corrects?: number, corrects_key?: string}} Judgement
 */

/** @typedef {{count: number, total: number, low: number, high: number}} Agreement */
/** @typedef {{phase: 'idle' | 'running' | 'done' | 'failed', detail: string, new_rankings: number}} Training */

/**
 * @typedef {object} State
 * @property {string} store
 * @property {string} annotator
 * @property {boolean} lead
 * @property {number} done
 * @property {number} remaining
 * @property {Agreement | null} agreement
 * @property {Training | null} training
 * @property {string} [token]  what changes must carry; told once, to who is logged in
 */

/**
 * What a view is given.
 * @typedef {object} Context
 * @property {Task} task
 * @property {HTMLElement} root              to be filled
 * @property {(part: Part) => void} submit   the judgement is made
 * @property {() => void} changed            something half done should be kept
 * @property {(text: string) => void} say    told to screen readers: what the eye sees anyway
 * @property {(text: string) => void} warn   told to everybody: why nothing was sent
 */

/**
 * What shows a task of one kind.
 * @typedef {object} View
 * @property {() => any} draft               what is half done, as JSON; null: nothing
 * @property {(draft: any) => void} restore
 * @property {(key: string) => boolean} press  true: the key meant something
 * @property {() => void} [confirm]          Ctrl+Enter
 */

export {};
