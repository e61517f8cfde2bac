/**
 * Owns what the elements of a page share about one contract: one stream, and each document asked for once, however many show it.
 *
 * Nothing is guessed: after an event every document that somebody shows is asked for again, and shown as the server tells it. What
 * the event touched comes with it, as it is by then, and is shown at once; the rest follows once for all that happens at about the
 * same time. An event during an answer is followed by one more question, so that what is shown last was read after the last event.
 */
import { AGAIN_MS, Failed, isFinal, pause } from "./api.js";
import { clockOf } from "./clock.js";
import { changesOf, follow, latestCursor } from "./stream.js";

const ASK_AGAIN_MS = 5000;
const EVENT_MS = 1000;
/** How long the rest waits where an event has told what it touched: so long both sides' windows are left alone with that. */
const REST_MS = 100;

/** @type {WeakMap<Api, Map<string, Watching>>} */
const watched = new WeakMap();

/**
 * Show a contract as it is, from now on.
 * @param {Api} api @param {string} contractId @param {Watcher} watcher
 * @returns {() => void} stops it
 */
export function watch(api, contractId, watcher) {
  const ofApi = watched.get(api) ?? new Map();
  watched.set(api, ofApi);
  const watching = ofApi.get(contractId) ?? new Watching(api, contractId, () => ofApi.delete(contractId));
  ofApi.set(contractId, watching);
  return watching.add(watcher);
}

/** Something was done: have all of a contract asked for again, by its event or, if none comes, without. @param {Api} api @param {string} contractId */
export const refresh = (api, contractId) => watched.get(api)?.get(contractId)?.expect();

class Watching {
  /** @type {Set<Watcher>} */ #watchers = new Set();
  /** @type {Map<string, Question>} */ #questions = new Map();
  /** @type {Connection} */ #connection = "connecting";
  /** @type {(() => void) | null} */ #stop = null;
  #isOver = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #planned;
  #plannedFor = 0;
  #told = 0;
  /** Whether what was told may be no more. */ #isCut = false;

  /** @param {Api} api @param {string} contractId @param {() => void} forget */
  constructor(api, contractId, forget) {
    this.api = api;
    this.contractId = contractId;
    this.forget = forget;
    this.started = this.#start();
  }

  /** @param {Watcher} watcher */
  add(watcher) {
    this.#watchers.add(watcher);
    watcher.onConnection?.(this.#connection);
    void this.started.then(() => this.#show(watcher));
    return () => this.#remove(watcher);
  }

  /** Ask for everything again, once for all events that came together. @param {number} [ms] after what time */
  refresh(ms = 0) {
    const at = performance.now() + ms;
    if (this.#planned && this.#plannedFor <= at) return;
    clearTimeout(this.#planned);
    this.#plannedFor = at;
    this.#planned = setTimeout(() => {
      this.#planned = undefined;
      for (const question of this.#questions.values()) question.ask();
    }, ms);
  }

  /** An event is to be expected; where the stream tells it nothing has to be asked for twice. */
  expect() {
    const told = this.#told;
    setTimeout(() => told === this.#told && this.refresh(), this.#connection === "live" ? EVENT_MS : 0);
  }

  /** The cursor comes first: what happens between it and the first answer is told by the stream. */
  async #start() {
    const after = await this.#cursor();
    if (this.#isOver || !after) return;
    const onEvent = (/** @type {Answer} */ change) => this.#tell(change);
    const onConnection = (/** @type {Connection} */ connection, /** @type {Failed | null} */ error) => this.#connect(connection, error);
    this.#stop = follow(this.api, { followed: changesOf(this.contractId), after, onEvent, onConnection });
  }

  /** Where to begin; asked for again until it is known, or will never be. @returns {Promise<string | null>} */
  async #cursor() {
    for (;;) {
      try {
        return await latestCursor(this.api);
      } catch (error) {
        this.#fail(/** @type {Failed} */ (error));
        if (this.#isOver || isFinal(error)) return null;
        await pause(AGAIN_MS);
      }
    }
  }

  /** @param {Watcher} watcher */
  #show(watcher) {
    if (!this.#watchers.has(watcher)) return;
    if (watcher.document === null) return watcher.onBegun?.();
    const name = nameOf(watcher);
    const known = this.#questions.get(name);
    if (known?.data) return watcher.onData?.(known.data);
    if (known) return;
    const question = new Question(this.api, { document: watcher.document, variables: { id: this.contractId, ...watcher.variables }, piece: watcher.piece }, {
      onData: (data) => this.#each((other) => nameOf(other) === name && other.onData?.(data)),
      onFailure: (error) => this.#each((other) => nameOf(other) === name && other.onFailure?.(error)),
    });
    this.#questions.set(name, question);
    question.ask();
  }

  /** @param {Answer} change an event, and the milestones that it touched */
  #tell({ event, milestones }) {
    this.#told += 1;
    for (const question of this.#questions.values()) question.put(milestones);
    this.refresh(milestones.length > 0 ? REST_MS : 0);
    this.#each((watcher) => watcher.onEvent?.(event));
  }

  /** @param {Connection} connection @param {Failed | null} error */
  #connect(connection, error) {
    if (connection === "live" && this.#connection === "connecting") this.#lookAgain();
    this.#connection = connection;
    this.#each((watcher) => watcher.onConnection?.(connection));
    if (error?.code === "LOG_CUT") this.#isCut = true;
    else if (error) this.#fail(error);
  }

  /** Nothing told what happened meanwhile; and where the log was cut, what only events told is to be asked for as at the beginning. */
  #lookAgain() {
    this.refresh();
    if (this.#isCut) this.#each((watcher) => watcher.onBegun?.());
    this.#isCut = false;
  }

  /** @param {Failed} error */
  #fail(error) {
    this.#each((watcher) => watcher.onFailure?.(error));
  }

  /** @param {(watcher: Watcher) => void} action */
  #each(action) {
    for (const watcher of [...this.#watchers]) action(watcher);
  }

  /** @param {Watcher} watcher */
  #remove(watcher) {
    this.#watchers.delete(watcher);
    const name = nameOf(watcher);
    if (![...this.#watchers].some((other) => nameOf(other) === name)) this.#drop(name);
    if (this.#watchers.size === 0) queueMicrotask(() => this.#end());
  }

  /** @param {string} name */
  #drop(name) {
    const question = this.#questions.get(name);
    if (question) question.isWanted = false;
    this.#questions.delete(name);
  }

  /** What moves within a page leaves it and comes back at once; only what stays away ends the stream. */
  #end() {
    if (this.#watchers.size > 0 || this.#isOver) return;
    this.#isOver = true;
    this.forget();
    this.#stop?.();
  }
}

/** @param {Watcher} watcher */
const nameOf = (watcher) => `${watcher.document} ${JSON.stringify(watcher.variables ?? {})}`;

/** Counts questions in the order in which they were asked. */
let asked = 0;

/** One document that is asked for again and again, one answer at a time; pieces of it come with events. */
class Question {
  /** @type {Answer | null} */ data = null;
  isWanted = true;
  #isAsking = false;
  #isAskedAgain = false;
  /** Pieces that came last, by their ids, with when. @type {Map<string, {part: Answer, since: number}>} */ #parts = new Map();

  /**
   * @param {Api} api @param {{document: string, variables: Answer, piece?: Piece}} what
   * @param {{onData: (data: Answer) => void, onFailure: (error: Failed) => void}} told
   */
  constructor(api, { document, variables, piece }, told) {
    this.api = api;
    this.document = document;
    this.variables = variables;
    this.piece = piece;
    this.told = told;
  }

  ask() {
    this.#isAskedAgain = this.#isAsking;
    if (!this.#isAsking) void this.#run();
  }

  /** What an event touched, which an answer doesn't know that was asked for before. @param {Answer[]} parts */
  put(parts) {
    if (!this.piece) return;
    for (const part of parts) this.#parts.set(part.id, { part, since: asked });
    if (this.data && parts.length > 0) this.#show(parts.reduce(this.piece, this.data));
  }

  /** @param {Answer} data */
  #show(data) {
    this.data = /** @type {Answer} */ (shared(this.data, data));
    this.told.onData(this.data);
  }

  async #run() {
    this.#isAsking = true;
    const since = (asked += 1);
    try {
      const data = await this.api.ask(this.document, this.variables);
      if (data.viewer?.now) clockOf(this.api).set(data.viewer.now);
      if (data.viewer) delete data.viewer.now; // the clock goes on by itself; all else is news
      const newer = [...this.#parts.values()].filter((one) => one.since >= since).map(({ part }) => part);
      this.#parts.clear();
      this.#show(this.piece ? newer.reduce(this.piece, data) : data);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.told.onFailure(error);
      if (!isFinal(error)) setTimeout(() => this.isWanted && this.ask(), ASK_AGAIN_MS);
    } finally {
      this.#isAsking = false;
      if (this.#isAskedAgain) this.ask();
    }
  }
}

/**
 * An answer in which whatever is as it was before is the very object that it was before, so that it needn't be shown again.
 * @param {any} before @param {any} now
 */
function shared(before, now) {
  if (before === now || !before || !now || typeof before !== "object" || typeof now !== "object" || Array.isArray(before) !== Array.isArray(now)) return now;
  const names = Object.keys(now);
  let isSame = names.length === Object.keys(before).length;
  for (const name of names) {
    now[name] = shared(before[name], now[name]);
    isSame &&= now[name] === before[name];
  }
  return isSame ? before : now;
}
