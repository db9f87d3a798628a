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
 * @property {boolean} [adjudicates]  a lead's last word on the task
 */

/**
 * A judgement as it is kept and sent. While what it corrects has no number yet, `corrects_key` names it.
 * @typedef {Part & {store: string, key: string, task: number | null, prompt: number, seconds: number,
 *   guideline: number | null, corrects?: number, corrects_key?: string}} Judgement
 */

/** Two answers of a model that people talk to. @typedef {{prompt: number, completions: Answer[]}} Turn */

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
 * @property {boolean} chat     there is a model to talk to
 * @property {string} [token]  what changes must carry; told once, to who is logged in
 */

/**
 * An answer as it stands in the store.
 * @typedef {{type: Part['type'], completions: number[], ranks: number[], ratings: Record<string, number>, text: string,
 *   label: boolean | null, strength: number | null, none_acceptable: boolean}} GivenAnswer
 */

/** @typedef {{judgement: number, note: string, by: string, answer: GivenAnswer, task: Task}} ReturnedJudgement */

/** @typedef {{value: number, low: number | null, high: number | null, items?: number}} Estimate */

/**
 * How far annotators can be relied on, with the evidence; `expected` is a share of `total`.
 * @typedef {object} Reliability
 * @property {number} items
 * @property {number} items_of_several
 * @property {{annotator: string, judgements: number, verdict: string, accuracy: Estimate | null, ability: Estimate | null,
 *   evidence: {what: string, count: number, total: number, expected: number, p: number}[]}[]} annotators
 * @property {string[]} untold  what labels alone cannot tell
 */

/**
 * What the board shows of all.
 * @typedef {object} Overview
 * @property {number} now                    seconds since 1970, as every time here
 * @property {number} judgements
 * @property {number} tasks
 * @property {number} open_tasks
 * @property {number} missing                answers that tasks with a number of copies still want
 * @property {{at: number, judgements: number}[]} hours
 * @property {{name: string, kind: string, judgements: number, last_hour: number, last_day: number, skips: number,
 *   flags: number, last_at: number, median_seconds: number | null, gold: {right: number, total: number}}[]} annotators
 * @property {{task: string, answers: number, median: number, low: number, high: number}[]} times
 * @property {{of: string, labels: number, percent: Estimate | null, alpha: Estimate | null}[]} agreement
 * @property {{task: number, kind: string, annotators: number, share: number, prompt: string}[]} disagreements
 * @property {{models: {model: string, battles: number, elo: number, bradley_terry: Estimate, parent?: string,
 *   gain?: Estimate, verdict?: string}[]} | null} leaderboard
 * @property {{task: number, annotator: string, seconds_left: number}[]} leases
 */

/**
 * A judgement as the board shows it.
 * @typedef {GivenAnswer & {number: number, annotator: string, kind: string, adjudicates: boolean,
 *   seconds: number | null, at: number}} Said
 */

/**
 * A task with all that was said of it.
 * @typedef {Omit<Task, 'completions'> & {copies: number, details: any, completions: (Answer & {model: string})[],
 *   judgements: Said[]}} JudgedTask
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
