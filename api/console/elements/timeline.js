/**
 * Owns `<earnest-timeline>`: what happened, the newest first, each fact once, as the stream brings it.
 *
 * Events count without gaps; so what is missing between what was asked for and what came is seen, and asked for again.
 */
import { gql } from "../core/api.js";
import { h, prose, words } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";

const TIMELINE = gql`query Timeline($id: ID!, $before: Cursor) {
  contract(id: $id) {
    id client { id name } freelancer { id name } milestones { id title }
    timeline(last: 25, before: $before) {
      nodes { id type occurredAt sequence data actor { kind accountId } texts { field value erasedAt } }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}`;

const SUMS = ["amount", "charge", "claim", "toFreelancer", "held"];
const SAID = ["message", "note", "reason", "explanation", "text"];

export class EarnestTimeline extends EarnestElement {
  /** @type {Map<number, Answer>} */ #events = new Map();
  /** @type {string | null} */ #before = null;
  /** @type {Map<string, string>} What milestones are called, those of earlier revisions too. */ #titles = new Map();
  #newest = 0;
  #isAsking = false;

  start() {
    if (this.contract) this.watch({ document: null, onBegun: () => this.#begin(), onEvent: (event) => this.#come(event) });
  }

  /** Ask for the latest; what was shown may be another contract's, or cut off from this one's log. */
  #begin() {
    this.data = null;
    this.#events.clear();
    this.#titles.clear();
    this.#before = null;
    this.#newest = 0;
    void this.#ask(null);
  }

  /** Ask for a page: the latest, or the one before a cursor. @param {string | null} before */
  async #ask(before) {
    this.#isAsking = true;
    this.render();
    await this.askFor(TIMELINE, { id: this.contract, before }, (data) => this.#take(data, before));
    this.#isAsking = false;
    this.render();
  }

  /** @param {Answer} data a page of events @param {string | null} before what it was asked for */
  #take(data, before) {
    for (const { id, title } of data.contract?.milestones ?? []) this.#titles.set(id, title);
    for (const event of data.contract?.timeline.nodes ?? []) this.#keep(event);
    this.#newest = Math.max(this.#newest, ...this.#events.keys());
    if (before !== null || this.#before === null) this.#before = pageBefore(data);
    this.receive(data);
  }

  /** An event of the stream. If one before it is missing, the latest page is asked for, too. @param {Answer} event */
  #come(event) {
    const isMissed = this.#newest > 0 && event.sequence > this.#newest + 1;
    this.#keep({ ...event, isNew: this.data !== null });
    if (this.data) this.#newest = Math.max(this.#newest, event.sequence);
    if (isMissed) void this.#ask(null);
    this.render();
  }

  /** @param {Answer} event */
  #keep(event) {
    const title = event.texts.find((/** @type {Answer} */ text) => text.field === "title")?.value;
    if (event.data.milestoneId && title && (event.isNew || !this.#titles.has(event.data.milestoneId))) this.#titles.set(event.data.milestoneId, title);
    this.#events.set(event.sequence, event);
  }

  view() {
    if (!this.data) return this.waiting();
    const events = [...this.#events.values()].sort((a, b) => b.sequence - a.sequence);
    return h("div", { class: "stack" },
      h("ol", { class: "stack", part: "list", "aria-label": this.say("timeline.title"), reversed: true }, events.map((event) => this.#entryOf(event))),
      this.#before && h("button", { type: "button", "aria-disabled": this.#isAsking ? "true" : null, onclick: () => !this.#isAsking && void this.#ask(this.#before) }, this.say("timeline.earlier")));
  }

  /** @param {Answer} event */
  #entryOf(event) {
    return this.same(event.id, [event, this.#titles.get(event.data.milestoneId), this.data], () => this.#entry(event));
  }

  /** @param {Answer} event */
  #entry(event) {
    const { id, type, occurredAt, sequence, data, texts, isNew } = event;
    const title = this.#titles.get(data.milestoneId);
    const sum = SUMS.map((name) => data[name]).find((value) => value?.currency);
    return h("li", { key: id, part: "event", class: isNew ? "new" : "", "data-sequence": sequence },
      h("div", { class: "row between" },
        h("span", null, h("strong", null, this.eventText(type)), title && [" · ", words(title)], sum && ` · ${this.money(sum)}`),
        h("span", { class: "faint small" }, this.#actor(event), " · ", this.moment(occurredAt))),
      texts.map((/** @type {Answer} */ text) => this.#text(text)));
  }

  /** @param {Answer} text */
  #text({ field, value, erasedAt }) {
    if (erasedAt) return h("p", { key: field, class: "faint small" }, this.say("timeline.erased"));
    return SAID.includes(field) && typeof value === "string" && h("div", { key: field, class: "small" }, prose(value));
  }

  /** @param {Answer} event */
  #actor({ actor }) {
    const { client, freelancer } = this.data?.contract ?? {};
    const party = [client, freelancer].find((one) => one && one.id === actor.accountId);
    return party ? words(party.name) : this.say(`actor.${actor.kind}`);
  }
}

/** @param {Answer} data */
const pageBefore = ({ contract }) => (contract?.timeline.pageInfo.hasPreviousPage ? contract.timeline.pageInfo.startCursor : null);

define("earnest-timeline", EarnestTimeline);
