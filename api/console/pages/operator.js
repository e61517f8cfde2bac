/**
 * Owns what the operator and mediators see: disputes that wait for a decision, orders that nobody knows about, reversals, the books
 * beside the provider's, how late the deployment is, and the fees.
 */
import { gql } from "../core/api.js";
import { h, words } from "../core/dom.js";
import { define } from "../core/element.js";
import { ERRORS, isLimited, listed, Page, to, VIEWER } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {import("../core/dom.js").Children} Children */

const A_PAGE = 20;
/** Of which the API tells at once. */
const IDS_MAX = 100;

const SUM = "{ amount currency }";

const PAGE = "pageInfo { hasNextPage endCursor }";

const DISPUTES = gql`query DisputesToDecide($first: Int!, $after: Cursor) {
  viewer { ${VIEWER} }
  disputes(filter: { state: [MEDIATION] }, first: $first, after: $after) { nodes { id contractId claim ${SUM} openedBy dueAt timesOverdue milestone { title held ${SUM} } } ${PAGE} }
}`;
const ORDERS = gql`query StuckOrders($first: Int!, $after: Cursor) { stuckOrders(first: $first, after: $after) { nodes { id contractId kind state amount ${SUM} createdAt explanation } ${PAGE} } }`;
const REVERSALS = gql`query Reversals($first: Int!, $after: Cursor) {
  reversedDeposits(first: $first, after: $after) { nodes { id contractId charge ${SUM} reversal { state reversedAt evidenceDueAt taken ${SUM} } } ${PAGE} }
}`;
const TITLES = gql`query Titles($ids: [ID!]!) { nodes(ids: $ids) { ... on Contract { id title } } }`;
const STANDING = gql`query Standing {
  reconciliationDifferences { kind subject atProvider ${SUM} inLedger ${SUM} foundAt }
  fees { clientBasisPoints freelancerBasisPoints }
}`;
const SET_FEES = gql`mutation SetFees($input: SetFeesInput!, $key: String!) { done: setFees(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;

const CHECKS = ["sequencerLagSeconds", "oldestOverdueDeadlineSeconds", "contractsWithFailingDeadlines", "oldestDueDeliverySeconds", "reconciliationDifferences"];

export class OperatorPage extends Page {
  /** What is acted on at the moment. */ #acting = "";
  /** How many of each list are shown. @type {Record<string, number>} */ #shown = {};

  async load() {
    const disputes = await this.#listed(DISPUTES, "disputes");
    if (disputes.viewer.kind !== "OPERATOR" || isLimited(disputes.viewer)) return { disputes };
    const [orders, reversals, standing, ready] = await Promise.all([
      this.#listed(ORDERS, "stuckOrders"), this.#listed(REVERSALS, "reversedDeposits"), this.api.ask(STANDING), readiness(this.api.address),
    ]);
    const titles = await titlesOf(this.api, reversals.nodes);
    return { disputes, orders, reversals, titles, ...standing, ready };
  }

  /** @param {string} document @param {string} field */
  #listed(document, field) {
    return listed(this.api, document, field, this.#shown[field] ?? A_PAGE);
  }

  content(/** @type {Answer} */ { disputes, orders, reversals, titles, reconciliationDifferences, fees, ready }) {
    return [
      this.#part("disputes", disputes, (one) => this.#actedOn(one, this.#disputeView(one))),
      orders && this.#part("stuckOrders", orders, (one) => this.#actedOn(one, this.#orderView(one))),
      reversals && this.#part("reversedDeposits", reversals, (one) => this.#actedOn(one, this.#reversalView(one, titles.get(one.contractId)))),
      reconciliationDifferences && this.#part("differences", { nodes: reconciliationDifferences }, (one) => this.#differenceView(one)),
      ready && this.#readyView(ready),
      fees && this.#feesView(fees, disputes.viewer.role === "OWNER"),
    ];
  }

  /** @param {string} field @param {Answer} list @param {(thing: Answer) => Children} view */
  #part(field, { nodes, hasMore }, view) {
    const more = () => (this.#shown[field] = nodes.length + A_PAGE);
    return h("section", { key: field, class: "card stack", "aria-labelledby": field },
      h("h2", { id: field }, this.say(`pages.${field}`)),
      nodes.length === 0 ? h("p", { class: "faint" }, this.say("pages.none")) : h("ul", { class: "stack" }, nodes.map((/** @type {Answer} */ thing) => h("li", { key: thing.id ?? `${thing.kind} ${thing.subject} ${thing.atProvider.currency}`, class: "stack" }, view(thing)))),
      this.moreView(hasMore, more));
  }

  /** What something is, a link to its contract, and what can be done about it. @param {Answer} thing @param {Children} view */
  #actedOn({ id, contractId }, view) {
    const isActing = this.#acting === id;
    const act = () => ((this.#acting = isActing ? "" : id), this.renderNow());
    return [
      h("div", { key: "what", class: "row" }, view, h("a", { href: to("contracts", contractId) }, this.say("pages.toContract")),
        h("button", { type: "button", "aria-expanded": String(isActing), onclick: act }, this.say("pages.act"))),
      isActing && h("earnest-actions", { key: "act", contract: contractId, subject: id, lang: this.language.locale }),
    ];
  }

  /** @param {Answer} dispute */
  #disputeView({ milestone, claim, openedBy, dueAt, timesOverdue }) {
    return [h("h3", null, words(milestone.title)), h("span", null, this.money(milestone.held)), h("span", null, this.say("pages.claimOf", { side: this.called("side", openedBy), sum: this.money(claim) })),
      this.moment(dueAt), timesOverdue > 0 && h("span", { class: "tag bad" }, this.say("pages.overdue", { times: timesOverdue }))];
  }

  /** @param {Answer} order */
  #orderView({ kind, amount, createdAt, explanation }) {
    return [h("h3", null, this.called("order", kind)), h("span", null, this.money(amount)), this.moment(createdAt), explanation && words(explanation, { class: "faint" })];
  }

  /** @param {Answer} deposit @param {string} title */
  #reversalView({ reversal }, title) {
    return [h("h3", null, words(title)), h("span", null, this.money(reversal.taken)), this.moment(reversal.reversedAt), reversal.evidenceDueAt && h("span", { class: "warn" }, this.say("pages.evidenceUntil"), " ", this.moment(reversal.evidenceDueAt))];
  }

  /** @param {Answer} difference */
  #differenceView({ kind, subject, atProvider, inLedger, foundAt }) {
    return h("div", { class: "row" }, h("span", null, this.called("difference", kind)), h("code", { dir: "ltr" }, subject), h("span", null, this.say("pages.atProvider", { sum: this.money(atProvider) })), h("span", null, this.say("pages.inLedger", { sum: this.money(inLedger) })), this.moment(foundAt));
  }

  /** @param {Answer} ready */
  #readyView({ status, checks }) {
    return h("section", { key: "ready", class: "card stack", "aria-labelledby": "ready" },
      h("h2", { id: "ready" }, this.say("pages.ready"), " ", h("span", { class: status === "ready" ? "tag good" : "tag bad" }, this.called("ready", status))),
      h("dl", { class: "facts" }, CHECKS.filter((name) => name in (checks ?? {})).map((name) => this.fact(`pages.${name}`, String(checks[name])))));
  }

  /** @param {Answer} fees @param {boolean} isOwner who alone sets them */
  #feesView({ clientBasisPoints, freelancerBasisPoints }, isOwner) {
    return h("section", { key: "fees", class: "card stack", "aria-labelledby": "fees" },
      h("h2", { id: "fees" }, this.say("pages.fees")),
      !isOwner ? h("dl", { class: "facts" }, this.fact("pages.clientBasisPoints", String(clientBasisPoints)), this.fact("pages.freelancerBasisPoints", String(freelancerBasisPoints))) : this.form("fees", [
        { name: "clientBasisPoints", type: "number", required: true, value: String(clientBasisPoints), hint: "pages.basisPoints" },
        { name: "freelancerBasisPoints", type: "number", required: true, value: String(freelancerBasisPoints), hint: "pages.basisPoints" },
      ], "pages.save", (typed) => ({ document: SET_FEES, input: { clientBasisPoints: Number(typed.clientBasisPoints), freelancerBasisPoints: Number(typed.freelancerBasisPoints) } })));
  }
}

/** What the contracts of some things are called, by their ids. @param {import("../core/api.js").Api} api @param {Answer[]} things @returns {Promise<Map<string, string>>} */
async function titlesOf(api, things) {
  const ids = [...new Set(things.map(({ contractId }) => contractId))];
  const titles = new Map();
  for (let at = 0; at < ids.length; at += IDS_MAX) {
    const { nodes } = await api.ask(TITLES, { ids: ids.slice(at, at + IDS_MAX) });
    for (const one of nodes) if (one) titles.set(one.id, one.title);
  }
  return titles;
}

/** What the deployment says of itself. @param {string} address of its API @returns {Promise<Answer | null>} */
async function readiness(address) {
  try {
    const answer = await fetch(new URL("/readyz", address), { credentials: "omit", referrerPolicy: "no-referrer" });
    return await answer.json();
  } catch {
    return null;
  }
}

define("earnest-page-operator", OperatorPage);
