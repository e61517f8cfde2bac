/**
 * Owns what the elements of a page share about one contract: one stream, and each document asked for once, however many show it.
 *
 * Nothing is guessed: after an event every document that somebody shows is asked for again, and shown as the server tells it.
 * An event during an answer is followed by one more question, so that what is shown last was read after the last event.
 */
import { AGAIN_MS, Failed, isPassing, pause } from "./api.js";
import { clockOf } from "./clock.js";
import { follow, latestCursor } from "./stream.js";

const PASSING = ["NETWORK", "RATE_LIMITED", "GOING_AWAY"];
const ASK_AGAIN_MS = 5000;
const EVENT_MS = 1000;

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
  #isPlanned = false;
  #told = 0;

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
    if (watcher.document !== null) void this.started.then(() => this.#show(watcher));
    return () => this.#remove(watcher);
  }

  /** Ask for everything again, once for all events that came together. */
  refresh() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setTimeout(() => {
      this.#isPlanned = false;
      for (const question of this.#questions.values()) question.ask();
    });
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
    const onEvent = (/** @type {Answer} */ event) => this.#tell(event);
    const onConnection = (/** @type {Connection} */ connection, /** @type {Failed | null} */ error) => this.#connect(connection, error);
    this.#stop = follow(this.api, { contractId: this.contractId, after, onEvent, onConnection });
  }

  /** Where to begin; asked for again as long as nobody answers. @returns {Promise<string | null>} */
  async #cursor() {
    for (;;) {
      try {
        return await latestCursor(this.api);
      } catch (error) {
        this.#fail(/** @type {Failed} */ (error));
        if (this.#isOver || !isPassing(error)) return null;
        await pause(AGAIN_MS);
      }
    }
  }

  /** @param {Watcher} watcher */
  #show(watcher) {
    if (!this.#watchers.has(watcher)) return;
    const name = nameOf(watcher);
    const known = this.#questions.get(name);
    if (known?.data) return watcher.onData?.(known.data);
    if (known) return;
    const question = new Question(this.api, watcher.document ?? "", { id: this.contractId, ...watcher.variables }, {
      onData: (data) => this.#each((other) => nameOf(other) === name && other.onData?.(data)),
      onFailure: (error) => this.#each((other) => nameOf(other) === name && other.onFailure?.(error)),
    });
    this.#questions.set(name, question);
    question.ask();
  }

  /** @param {Answer} event */
  #tell(event) {
    this.#told += 1;
    this.#each((watcher) => watcher.onEvent?.(event));
    this.refresh();
  }

  /** @param {Connection} connection @param {Failed | null} error */
  #connect(connection, error) {
    if (connection === "live" && this.#connection === "connecting") this.refresh();
    this.#connection = connection;
    this.#each((watcher) => watcher.onConnection?.(connection));
    if (error) this.#fail(error);
  }

  /** @param {Failed} error @returns {null} */
  #fail(error) {
    this.#each((watcher) => watcher.onFailure?.(error));
    return null;
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

/** One document that is asked for again and again, one answer at a time. */
class Question {
  /** @type {Answer | null} */ data = null;
  isWanted = true;
  #isAsking = false;
  #isAskedAgain = false;

  /**
   * @param {Api} api @param {string} document @param {Answer} variables
   * @param {{onData: (data: Answer) => void, onFailure: (error: Failed) => void}} told
   */
  constructor(api, document, variables, told) {
    this.api = api;
    this.document = document;
    this.variables = variables;
    this.told = told;
  }

  ask() {
    this.#isAskedAgain = this.#isAsking;
    if (!this.#isAsking) void this.#run();
  }

  async #run() {
    this.#isAsking = true;
    try {
      this.data = await this.api.ask(this.document, this.variables);
      if (this.data.viewer?.now) clockOf(this.api).set(this.data.viewer.now);
      this.told.onData(this.data);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.told.onFailure(error);
      if (PASSING.includes(error.code)) setTimeout(() => this.isWanted && this.ask(), ASK_AGAIN_MS);
    } finally {
      this.#isAsking = false;
      if (this.#isAskedAgain) this.ask();
    }
  }
}
