/**
 * Owns `<earnest-contract>`: a whole contract on one page, made of the other elements.
 *
 * `sections` names what is shown, in order: `deadline actions milestones changes disputes money timeline`.
 */
import { gql } from "../core/api.js";
import { h, prose, words } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { want } from "../core/later.js";

const CONTRACT = gql`query Contract($id: ID!) {
  viewer { accountId now }
  contract(id: $id) {
    id state title description turn
    client { id name } freelancer { id name }
    ending { by requestedAt }
    progress { total closed amount { amount currency } }
    disputes(last: 1) { nodes { id } }
    changeRequests(last: 1) { nodes { id } }
  }
}`;

const SECTIONS = "deadline actions milestones changes disputes money timeline";
/** Of what never comes up on most contracts. */
const SELDOM = ["changes", "disputes"];
/** By which element a section is shown. @param {string} name */
const tagOf = (name) => `earnest-${{ changes: "change-request", disputes: "dispute" }[name] ?? name}`;

export class EarnestContract extends EarnestElement {
  static document = CONTRACT;
  static observedAttributes = [...EarnestElement.observedAttributes, "sections"];

  /** What to show, in order. @returns {string[]} */
  get #sections() {
    return (this.getAttribute("sections") ?? SECTIONS).split(/\s+/).filter((name) => SECTIONS.split(" ").includes(name));
  }

  /** What every contract has is loaded while it is asked for. */
  start() {
    super.start();
    for (const name of this.#sections) if (!SELDOM.includes(name)) want(tagOf(name));
  }

  view() {
    if (!this.data) return this.waiting();
    const { contract } = this.data;
    if (!contract) return h("p", { class: "faint" }, this.say("notFound"));
    const sections = this.#sections.filter((name) => has(contract, name));
    return h("article", { class: "stack", "aria-labelledby": "title" },
      this.#head(contract),
      sections.map((name) => h("section", { key: name, class: "stack", part: `section ${name}`, "aria-labelledby": `about-${name}` },
        h("h3", { id: `about-${name}` }, this.say(`section.${name}`)),
        h(tagOf(name), this.handedOn))));
  }

  /** @param {Answer} contract */
  #head(contract) {
    const { title, state, client, freelancer, description, progress, turn, ending } = contract;
    return h("header", { class: "stack", part: "head" },
      h("div", { class: "row between" }, h("h2", { id: "title" }, words(title)), h("span", { class: "row" }, this.#connection(), h("span", { class: "tag now", part: "state" }, this.say(`contract.${state}`)))),
      prose(description),
      h("dl", { class: "facts" },
        h("dt", null, this.say("side.CLIENT")), h("dd", null, this.#party(client)),
        h("dt", null, this.say("side.FREELANCER")), h("dd", null, this.#party(freelancer)),
        turn && [h("dt", { key: "turn" }, this.say("contract.turn")), h("dd", { key: "turn =" }, this.say(`side.${turn}`))],
        h("dt", null, this.say("contract.total")), h("dd", null, this.money(progress.amount)),
        ending && [h("dt", { key: "ending" }, this.say("contract.ending")), h("dd", { key: "ending =" }, this.say(`side.${ending.by}`), " ", this.moment(ending.requestedAt))]),
      h("div", null, h("progress", { class: "bar", max: String(progress.total), value: String(progress.closed), "aria-label": this.say("contract.progress", progress) }), h("p", { class: "faint small" }, this.say("contract.progress", progress))));
  }

  /** @param {Answer} party */
  #party({ id, name }) {
    return [words(name), id === this.data?.viewer.accountId && h("span", { class: "faint" }, ` ${this.say("contract.you")}`)];
  }

  /** Whether what is shown is what is. */
  #connection() {
    const tone = this.connection === "live" ? "good" : "warn";
    return h("span", { class: `small ${tone}`, part: "connection", role: "status", "aria-live": "polite" }, this.say(`connection.${this.connection}`));
  }
}

/** Sections about what never came up are left out. @param {Answer} contract @param {string} name */
function has(contract, name) {
  if (name === "disputes") return contract.disputes.nodes.length > 0;
  return name !== "changes" || contract.changeRequests.nodes.length > 0;
}

define("earnest-contract", EarnestContract);
