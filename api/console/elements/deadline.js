/**
 * Owns `<earnest-deadline>`: what happens by itself if nobody acts, in whose favour, and how long that is from now.
 *
 * It counts by the server's clock, in a sandbox by its test clock.
 */
import { gql } from "../core/api.js";
import { clockOf } from "../core/clock.js";
import { nextTick, span } from "../core/dates.js";
import { h } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { refresh } from "../core/watching.js";

const DEADLINE = gql`query Deadline($id: ID!) {
  viewer { now }
  contract(id: $id) { id nextDeadline { at action inFavourOf } }
}`;

const LOOK_AGAIN_MS = 60_000;

export class EarnestDeadline extends EarnestElement {
  static document = DEADLINE;

  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  start() {
    super.start();
    const clock = clockOf(this.api);
    const moved = () => this.render();
    clock.addEventListener("change", moved);
    const looking = setInterval(() => void clock.refresh().catch(() => {}), LOOK_AGAIN_MS);
    this.whenLeft(() => {
      clock.removeEventListener("change", moved);
      clearInterval(looking);
      clearTimeout(this.#timer);
    });
  }

  view() {
    if (!this.data) return this.waiting();
    const deadline = this.data.contract?.nextDeadline;
    if (!deadline) return h("p", { class: "faint", part: "none" }, this.say("deadline.none"));
    const left = this.#leftMs(deadline.at);
    const { locale } = this.language;
    return h("div", { class: "tells", part: "deadline" },
      h("p", null, h("strong", { role: "timer", "aria-live": "off", part: "left" }, left > 0 ? this.say("deadline.in", { span: span(locale, left) }) : this.say("deadline.due")), " ", this.eventText(deadline.action)),
      h("p", { class: "small" }, this.say(`deadline.favours.${deadline.inFavourOf ?? "NOBODY"}`)),
      h("p", { class: "faint small" }, this.moment(deadline.at)));
  }

  /** The next look at the clock; a deadline that has come is asked about, since it may be written a little later. */
  rendered() {
    clearTimeout(this.#timer);
    const at = this.data?.contract?.nextDeadline?.at;
    if (!at || !this.isConnected) return;
    const left = this.#leftMs(at);
    this.#timer = setTimeout(() => (left > 0 ? this.render() : this.#askAgain()), left > 0 ? Math.min(nextTick(left), left + 50) : 2000);
  }

  #askAgain() {
    refresh(this.api, this.contract);
    this.render();
  }

  /** @param {string} at */
  #leftMs(at) {
    return Date.parse(at) - clockOf(this.api).now;
  }
}

define("earnest-deadline", EarnestDeadline);
