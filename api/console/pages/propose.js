/**
 * Owns the page on which a contract is proposed.
 */
import { gql } from "../core/api.js";
import { h } from "../core/dom.js";
import { define } from "../core/element.js";
import { Page, to } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer */

const PARTIES = gql`query Parties { viewer { accountId } contracts(first: 50) { nodes { client { id name } freelancer { id name } } } }`;

export class ProposePage extends Page {
  #side = "CLIENT";
  #other = "";

  async load() {
    return this.api.ask(PARTIES);
  }

  content(/** @type {Answer} */ { viewer, contracts }) {
    const known = new Map(contracts.nodes.flatMap((/** @type {Answer} */ { client, freelancer }) => [client, freelancer]).map((/** @type {Answer} */ one) => [one.id, one.name]));
    known.delete(viewer.accountId);
    const sides = this.#side === "CLIENT" ? { client: viewer.accountId, freelancer: this.#other } : { client: this.#other, freelancer: viewer.accountId };
    return [
      h("p", { key: "back" }, h("a", { href: to("contracts") }, this.say("pages.back"))),
      h("div", { key: "sides", class: "card stack" },
        h("div", { class: "field" }, h("label", { for: "side" }, this.say("pages.mySide")),
          h("select", { id: "side", onchange: (/** @type {any} */ event) => this.#choose(() => (this.#side = event.target.value)) },
            ["CLIENT", "FREELANCER"].map((side) => h("option", { key: side, value: side }, this.say(`side.${side}`))))),
        h("div", { class: "field" }, h("label", { for: "other" }, this.say("pages.otherSide")),
          h("input", { id: "other", list: "known", dir: "ltr", autocomplete: "off", "aria-describedby": "other-hint", onchange: (/** @type {any} */ event) => this.#choose(() => (this.#other = event.target.value.trim())) }),
          h("datalist", { id: "known" }, [...known].map(([id, name]) => h("option", { key: id, value: id }, name))),
          h("span", { class: "hint", id: "other-hint" }, this.say("pages.otherSideHint")))),
      this.#other && h("earnest-plan-editor", { key: "editor", mode: "propose", ...sides, lang: this.language.locale, ".onDone": opened }),
    ];
  }

  /** @param {() => void} change */
  #choose(change) {
    change();
    this.renderNow();
  }
}

/** Go to what was proposed. @param {Answer} done */
const opened = ({ contract }) => {
  if (contract) location.hash = to("contracts", contract.id);
};

define("earnest-page-propose", ProposePage);
