/**
 * Owns `<earnest-milestones>`: the plan, with what each milestone holds, where it stands, and what can be done with it.
 *
 * Two hundred milestones are shown as rows; what belongs to one is asked for when it is opened.
 */
import { gql } from "../core/api.js";
import { h, link, prose, words } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { isSome } from "../core/money.js";
import { MILESTONE } from "../core/stream.js";

const MILESTONES = gql`query Milestones($id: ID!) {
  viewer { now }
  contract(id: $id) { id milestones { ${MILESTONE} } }
}`;

/** A milestone as an event left it takes its place. @type {Piece} */
const into = (data, milestone) => ({ ...data, contract: data.contract && { ...data.contract, milestones: data.contract.milestones.map((/** @type {Answer} */ one) => (isSamePlace(one, milestone) ? milestone : one)) } });

const WORK = gql`query Work($id: ID!, $milestone: ID!) {
  contract(id: $id) { id }
  milestone(id: $milestone) {
    id
    submissions(last: 10) { nodes { id number message links attachments { name sha256 } submittedAt } }
    updates(last: 5) { nodes { number side message links attachments { name sha256 } postedAt } }
  }
}`;

export class EarnestMilestones extends EarnestElement {
  static document = MILESTONES;
  static piece = into;

  /** @type {Map<string, Answer>} */ #work = new Map();
  /** @type {Set<string>} */ #opened = new Set();

  start() {
    this.#work.clear();
    if (!this.data) this.#opened.clear();
    for (const milestone of this.#opened) this.#follow(milestone);
    super.start();
  }

  view() {
    if (!this.data) return this.waiting();
    const { contract } = this.data;
    if (!contract) return h("p", { class: "faint" }, this.say("notFound"));
    return h("ol", { class: "stack", part: "list", "aria-label": this.say("milestones.title") }, contract.milestones.map((/** @type {Answer} */ one) => this.#rowOf(one)));
  }

  /** @param {Answer} one */
  #rowOf(one) {
    return this.same(one.id, [one, this.#opened.has(one.id), this.#work.get(one.id)], () => this.#row(one));
  }

  /** @param {Answer} one */
  #row(one) {
    const isOpen = this.#opened.has(one.id);
    const tone = { RELEASED: "good", REFUNDED: "bad", CANCELLED: "faint" }[/** @type {string} */ (one.state)] ?? (one.position && isCurrent(one) ? "now" : "");
    return h("li", { key: one.id, class: "card stack", part: `milestone ${one.state.toLowerCase()}` },
      h("div", { class: "row between" },
        h("p", { class: "label" }, `${one.position}. `, words(one.title)),
        h("span", { class: "row" },
          one.hold !== "NONE" && h("span", { class: "tag warn" }, this.say(`hold.${one.hold}`)),
          one.frozenAt && h("span", { class: "tag warn" }, this.say("milestones.frozen")),
          h("span", { class: `tag ${tone}`, part: "state" }, this.say(`milestone.${one.state}`)),
          h("strong", { class: "number" }, this.money(one.amount)))),
      h("div", { class: "row faint small" },
        h("span", null, this.say("milestones.due", { day: this.day(one.dueOn) })),
        isSome(one.held) && h("span", null, this.say("milestones.held", { sum: this.money(one.held) })),
        isSome(one.released) && h("span", null, this.say("milestones.released", { sum: this.money(one.released) })),
        isSome(one.refunded) && h("span", null, this.say("milestones.refunded", { sum: this.money(one.refunded) })),
        one.state === "SUBMITTED" && one.reviewDueAt && h("span", null, this.say("milestones.review"), " ", this.moment(one.reviewDueAt))),
      h("details", { ontoggle: (event) => this.#toggle(one.id, event.target.open) },
        h("summary", null, this.say("milestones.more"), h("span", { class: "sr" }, ": ", words(one.title))),
        isOpen && this.#details(one)));
  }

  /** @param {Answer} one */
  #details(one) {
    const work = this.#work.get(one.id);
    return h("div", { class: "stack" },
      prose(one.purpose),
      one.deliverables.length > 0 && h("ul", { class: "small" }, one.deliverables.map((/** @type {string} */ text) => h("li", null, "• ", words(text)))),
      work?.submissions.nodes.map((/** @type {Answer} */ submission) => this.#handedIn(submission)),
      work?.updates.nodes.map((/** @type {Answer} */ update) => this.#update(update)),
      one.holdId && h("earnest-actions", { key: one.holdId, ...this.handedOn, subject: one.holdId }),
      h("earnest-actions", { key: "actions", ...this.handedOn, subject: one.id }));
  }

  /** @param {Answer} submission */
  #handedIn({ id, number, message, links, attachments, submittedAt }) {
    return h("div", { key: id, class: "tells" }, h("p", { class: "faint small" }, this.say("milestones.submission", { number }), " ", this.moment(submittedAt)), prose(message), attached(links, attachments));
  }

  /** @param {Answer} update */
  #update({ number, side, message, links, attachments, postedAt }) {
    return h("div", { key: `update ${number}` }, h("p", { class: "faint small" }, this.say(`side.${side}`), " ", this.moment(postedAt)), prose(message), attached(links, attachments));
  }

  /** @param {string} milestone @param {boolean} isOpen */
  #toggle(milestone, isOpen) {
    if (isOpen === this.#opened.has(milestone)) return;
    if (isOpen) this.#opened.add(milestone);
    else this.#opened.delete(milestone);
    if (isOpen && !this.#work.has(milestone)) this.#follow(milestone);
    this.render();
  }

  /** @param {string} milestone */
  #follow(milestone) {
    this.watch({
      document: WORK,
      variables: { milestone },
      onData: (data) => {
        this.#work.set(milestone, data.milestone);
        this.render();
      },
    });
  }
}

/** Links and the names of files that belong to what somebody wrote. @param {string[]} links @param {Answer[]} attachments */
export const attached = (links, attachments) =>
  links.length + attachments.length > 0 &&
  h("ul", { class: "small" },
    links.map((address, at) => h("li", { key: `link ${at}` }, link(address))),
    attachments.map(({ name, sha256 }, at) => h("li", { key: `file ${at}`, title: sha256 }, words(name), h("code", { class: "faint", dir: "ltr" }, ` ${sha256.slice(0, 12)}…`))));

/** What has moved is shown with the whole plan. @param {Answer} one @param {Answer} other */
const isSamePlace = (one, other) => one.id === other.id && one.position === other.position;

/** @param {Answer} one */
const isCurrent = (one) => ["ACTIVE", "SUBMITTED", "CHANGES_REQUESTED"].includes(one.state);

define("earnest-milestones", EarnestMilestones);
