/**
 * Owns the server's time as a page knows it: the database's clock, and in a sandbox the offset of the test clock.
 *
 * The computer's own clock tells only how much time has passed since the server said what time it is.
 */
import { gql } from "./api.js";

const TIME = gql`query Time { viewer { now } }`;

/** @type {WeakMap<Api, ServerClock>} */
const clocks = new WeakMap();

/** The clock of a deployment. @param {Api} api */
export function clockOf(api) {
  const clock = clocks.get(api) ?? new ServerClock(api);
  clocks.set(api, clock);
  return clock;
}

/** Tells `change` when the server's time turns out to be another than it was thought to be. */
export class ServerClock extends EventTarget {
  #offsetMs = 0;
  #isKnown = false;

  /** @param {Api} api */
  constructor(api) {
    super();
    this.api = api;
  }

  /** The server's time in milliseconds since 1970. */
  get now() {
    return this.#measured() + this.#offsetMs;
  }

  /** @param {string} told the server's time, as it just said */
  set(told) {
    const offsetMs = Date.parse(told) - this.#measured();
    const hasMoved = !this.#isKnown || Math.abs(offsetMs - this.#offsetMs) > 2000;
    this.#offsetMs = offsetMs;
    this.#isKnown = true;
    if (hasMoved) this.dispatchEvent(new Event("change"));
  }

  /** Ask again: after a test clock was moved. */
  async refresh() {
    const { viewer } = await this.api.ask(TIME);
    this.set(viewer.now);
  }

  #measured() {
    return performance.timeOrigin + performance.now();
  }
}
