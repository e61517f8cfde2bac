/**
 * Owns the list of contracts: search by words of the title, by state, in an order, page after page.
 */
import { gql } from "../core/api.js";
import { h, words } from "../core/dom.js";
import { define } from "../core/element.js";
import { listed, Page, to } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer */

const CONTRACTS = gql`query Contracts($filter: ContractFilter, $orderBy: ContractOrder!, $first: Int!, $after: Cursor) {
  viewer { accountId kind }
  contracts(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    nodes {
      id title state turn client { id name } freelancer { id name }
      progress { total closed amount { amount currency } }
      escrow { held { amount currency } }
      currentMilestone { title state }
      nextDeadline { at action inFavourOf }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const STATES = ["", "PROPOSED", "ACTIVE", "COMPLETED", "ENDED", "DECLINED", "WITHDRAWN", "EXPIRED"];
/** Those over all accounts, which are the operator's, and those that an account has beside them. */
const ORDERS_OF_ALL = ["NEWEST", "OLDEST", "DEADLINE"];
const ORDERS = [...ORDERS_OF_ALL, "RECENTLY_UPDATED", "LONGEST_UNCHANGED"];
const A_PAGE = 20;
const SOON_MS = 250;

export class ContractsPage extends Page {
  static observedAttributes = [...Page.observedAttributes, "proposes"];

  #title = "";
  #state = "";
  #order = "NEWEST";
  #shown = A_PAGE;
  #typing = 0;

  async load() {
    const filter = { title: this.#title || null, state: this.#state ? [this.#state] : null };
    return listed(this.api, CONTRACTS, "contracts", this.#shown, { filter, orderBy: this.#order });
  }

  content(/** @type {Answer} */ { nodes, hasMore, viewer }) {
    return [
      this.#searchView(viewer.kind === "OPERATOR" ? ORDERS_OF_ALL : ORDERS),
      this.hasAttribute("proposes") && h("p", { key: "new" }, h("a", { href: to("propose") }, this.say("pages.propose"))),
      h("p", { key: "count", class: "sr", role: "status" }, this.say("pages.found", { count: nodes.length })),
      nodes.length === 0 && h("p", { key: "none", class: "faint" }, this.say("pages.noContracts")),
      h("ul", { key: "list", class: "stack" }, nodes.map((/** @type {Answer} */ contract) => this.#contractView(contract, viewer.accountId))),
      this.moreView(hasMore, () => (this.#shown += A_PAGE)),
    ];
  }

  /** @param {() => void} change */
  #again(change) {
    change();
    void this.reload();
  }

  /** @param {string[]} orders */
  #searchView(orders) {
    const search = (/** @type {any} */ event) => {
      const title = event.target.value.trim();
      clearTimeout(this.#typing);
      this.#typing = window.setTimeout(() => this.#again(() => ((this.#title = title), (this.#shown = A_PAGE))), SOON_MS);
    };
    const choice = (/** @type {string} */ name, /** @type {string[]} */ options, /** @type {(chosen: string) => void} */ choose, /** @type {string} */ kind) =>
      h("div", { key: name, class: "field" }, h("label", { for: name }, this.say(`pages.${name}`)),
        h("select", { id: name, onchange: (/** @type {any} */ event) => this.#again(() => choose(event.target.value)) },
          options.map((option) => h("option", { key: option, value: option }, option ? this.called(kind, option) : this.say("pages.all")))));
    return h("div", { key: "search", class: "row", role: "search" },
      h("div", { key: "title", class: "field" }, h("label", { for: "title" }, this.say("pages.search")), h("input", { id: "title", type: "search", maxlength: 100, dir: "auto", oninput: search })),
      choice("state", STATES, (chosen) => (this.#state = chosen), "contract"),
      choice("order", orders, (chosen) => (this.#order = chosen), "sort"));
  }

  /** @param {Answer} contract @param {string} viewer */
  #contractView(contract, viewer) {
    const { id, title, state, client, freelancer, progress, escrow, currentMilestone, nextDeadline } = contract;
    const others = [client, freelancer].filter((/** @type {Answer} */ side) => side.id !== viewer);
    return h("li", { key: id, class: "card stack" },
      h("div", { class: "row between" }, h("h2", null, h("a", { href: to("contracts", id), dir: "auto" }, title)), h("span", { class: "tag" }, this.called("contract", state))),
      h("p", { class: "faint" }, others.map((/** @type {Answer} */ side, /** @type {number} */ at) => [at > 0 && " · ", words(side.name)])),
      h("dl", { class: "facts" },
        this.fact("pages.progress", this.say("pages.progressOf", { closed: progress.closed, total: progress.total, amount: this.money(progress.amount) })),
        this.fact("pages.held", this.money(escrow.held)),
        this.fact("pages.now", currentMilestone && [words(currentMilestone.title), " · ", this.called("milestone", currentMilestone.state)]),
        this.fact("pages.deadline", nextDeadline && [this.moment(nextDeadline.at), " · ", this.eventText(nextDeadline.action)])));
  }
}

define("earnest-page-contracts", ContractsPage);
