/**
 * Owns the page about money: who can be paid, what lies where on each contract, and the payouts and refunds under way.
 */
import { gql } from "../core/api.js";
import { h, link, words } from "../core/dom.js";
import { define } from "../core/element.js";
import { isSome } from "../core/money.js";
import { ERRORS, isLimited, isOwner, listed, Page, to, VIEWER } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer */

const A_PAGE = 20;
const SUM = "{ amount currency }";

const BALANCES = gql`query Balances($first: Int!, $after: Cursor) {
  viewer { ${VIEWER} account { payee { canBePaid missing since until } } }
  contracts(orderBy: RECENTLY_UPDATED, first: $first, after: $after) {
    nodes {
      id title currency
      escrow { held ${SUM} released ${SUM} refunded ${SUM} inTransit ${SUM} payable { client ${SUM} freelancer ${SUM} } }
      paymentOrders(last: 10) { nodes { id kind state isStuck amount ${SUM} createdAt explanation } }
      allowedActions { action allowed }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const CONNECT = gql`mutation ConnectPayee($input: ConnectPayeeInput!) { done: connectPayee(input: $input) { ${ERRORS} url until } }`;

export class MoneyPage extends Page {
  #shown = A_PAGE;
  /** The contract whose actions are open. */ #acting = "";
  /** Where the provider asks what it has to know. @type {string | null} */ #url = null;

  async load() {
    return listed(this.api, BALANCES, "contracts", this.#shown);
  }

  content(/** @type {Answer} */ { nodes, viewer, hasMore }) {
    return [
      !isLimited(viewer) && this.#payeeView(viewer),
      nodes.length === 0 && h("p", { key: "none", class: "faint" }, this.say("pages.noContracts")),
      h("ul", { key: "list", class: "stack" }, nodes.map((/** @type {Answer} */ contract) => this.#contractView(contract))),
      this.moreView(hasMore, () => (this.#shown += A_PAGE)),
    ];
  }

  /** @param {Answer} viewer */
  #payeeView(viewer) {
    const { accountId, account: { payee } } = viewer;
    const back = location.protocol === "https:" ? { returnUrl: location.origin + location.pathname } : {}; // providers lead to no other
    const connect = () => ({ document: CONNECT, input: { accountId, ...back }, done: (/** @type {Answer} */ { url }) => (this.#url = url) });
    return h("section", { key: "payee", class: "card stack", "aria-labelledby": "payee" },
      h("h2", { id: "payee" }, this.say("pages.payee")),
      h("p", null, this.say(!payee ? "pages.unknownPayee" : payee.canBePaid ? "pages.canBePaid" : "pages.cannotBePaid")),
      payee?.missing.length > 0 && h("ul", null, payee.missing.map((/** @type {string} */ one) => h("li", { key: one }, h("code", { dir: "ltr" }, one)))),
      isOwner(viewer, "MONEY_WRITE") && this.byKey(viewer, this.button("connect", "pages.connect", connect)),
      this.#url && h("p", null, link(this.#url, this.say("pages.toProvider"))));
  }

  /** @param {Answer} contract */
  #contractView({ id, title, escrow, paymentOrders, allowedActions }) {
    const { payable } = escrow;
    const sums = /** @type {[string, Answer][]} */ ([
      ["held", escrow.held], ["payableFreelancer", payable.freelancer], ["payableClient", payable.client],
      ["inTransit", escrow.inTransit], ["released", escrow.released], ["refunded", escrow.refunded],
    ]);
    const mayPayOut = allowedActions.some((/** @type {Answer} */ one) => one.action === "REQUEST_PAYOUT" && one.allowed);
    const isActing = this.#acting === id;
    const act = () => ((this.#acting = isActing ? "" : id), this.renderNow());
    return h("li", { key: id, class: "card stack" },
      h("h3", null, h("a", { href: to("contracts", id), dir: "auto" }, title)),
      h("dl", { class: "facts" }, sums.filter(([name, sum]) => name === "held" || isSome(/** @type {any} */ (sum))).map(([name, sum]) => this.fact(`pages.${name}`, this.money(/** @type {any} */ (sum))))),
      paymentOrders.nodes.length > 0 && h("ul", { "aria-label": this.say("pages.orders") }, paymentOrders.nodes.map((/** @type {Answer} */ order) => this.#orderView(order))),
      (mayPayOut || isActing) && h("p", null, h("button", { type: "button", "aria-expanded": String(isActing), onclick: act }, this.say("pages.payOut"))),
      isActing && h("earnest-actions", { contract: id, lang: this.language.locale }));
  }

  /** @param {Answer} order */
  #orderView({ id, kind, state, amount, createdAt, explanation, isStuck }) {
    return h("li", { key: id, class: "row" },
      h("span", { class: isStuck ? "tag warn" : "tag" }, this.called("order", isStuck ? "stuck" : state)),
      h("span", null, this.called("order", kind)), h("span", { class: "number" }, this.money(amount)), this.moment(createdAt),
      explanation && words(explanation, { class: "faint" }));
  }
}

define("earnest-page-money", MoneyPage);
