/**
 * Owns the bar of a sandbox that lets time pass: some days at once, or up to the next deadline.
 */
import { gql } from "../core/api.js";
import { clockOf } from "../core/clock.js";
import { h } from "../core/dom.js";
import { define } from "../core/element.js";
import { ERRORS, Page } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer */

const NEXT = gql`query Next { viewer { now scopes } contracts(orderBy: DEADLINE, first: 1) { nodes { title nextDeadline { at action } } } }`;

const ADVANCE = gql`mutation Advance($input: AdvanceTestClockInput!, $key: String!) { done: advanceTestClock(input: $input) @idempotent(key: $key) { ${ERRORS} to reachedAt hasMore } }`;

const STEPS = /** @type {[string, string][]} */ ([["pages.pass1", "PT24H"], ["pages.pass14", "PT336H"]]);

export class TestClockBar extends Page {
  /** The moment that was not reached yet. @type {string | null} */ #left = null;

  async load() {
    return this.api.ask(NEXT);
  }

  content(/** @type {Answer} */ { viewer, contracts }) {
    const deadline = contracts.nodes[0]?.nextDeadline;
    return h("div", { class: "row", role: "group", "aria-label": this.say("pages.testClock") },
      h("span", null, this.say("pages.testClock"), ": ", this.moment(viewer.now)),
      viewer.scopes.includes("OPERATOR") ? this.#buttons(deadline) : h("span", { class: "faint small" }, this.say("pages.operatorMoves")),
      deadline && h("span", { class: "faint small" }, this.say("pages.nextDeadline"), " ", this.eventText(deadline.action), ", ", this.moment(deadline.at)));
  }

  /** @param {Answer | undefined} deadline */
  #buttons(deadline) {
    return [
      ...STEPS.map(([label, by]) => this.button(label, label, () => this.#advance({ by }))),
      deadline && this.button("next", "pages.passNext", () => this.#advance({ to: deadline.at })),
    ];
  }

  /**
   * Move the clock, and again as long as deadlines are left to be applied on the way.
   * @param {string} name @param {import("./page.js").Order} order @param {() => void} [whenDone]
   */
  async command(name, order, whenDone) {
    this.#left = null;
    await super.command(name, order, whenDone);
    if (this.#left) await this.command(name, this.#advance({ to: this.#left }));
    else await clockOf(this.api).refresh();
  }

  /** @param {Answer} input */
  #advance(input) {
    return { document: ADVANCE, input, done: (/** @type {Answer} */ { to, hasMore }) => void (this.#left = hasMore ? to : null) };
  }
}

define("earnest-test-clock", TestClockBar);
