/**
 * Owns what the operator and mediators see: disputes that wait for a decision, orders that nobody knows about, reversals, the books
 * beside the provider's, how late the deployment is, and the fees.
 */
import { gql } from "../core/api.js";
import { h, words } from "../core/dom.js";
import { ERRORS, Page, to } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {import("../core/dom.js").Children} Children */

const SUM = "{ amount currency }";

const DISPUTES = gql`query DisputesToDecide { disputes(filter: { state: [MEDIATION] }, first: 50) { nodes { id contractId claim ${SUM} openedBy dueAt timesOverdue milestone { title held ${SUM} } } } }`;
const STANDING = gql`query Standing {
  stuckOrders(first: 50) { nodes { id contractId kind state amount ${SUM} createdAt explanation } }
  reconciliationDifferences { kind subject atProvider ${SUM} inLedger ${SUM} foundAt }
  fees { clientBasisPoints freelancerBasisPoints }
}`;
const REVERSALS = gql`query Reversals { contracts(first: 50) { nodes { id title deposits(last: 10) { nodes { id charge ${SUM} reversal { state reversedAt evidenceDueAt taken ${SUM} } } } } } }`;
const SET_FEES = gql`mutation SetFees($input: SetFeesInput!, $key: String!) { done: setFees(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;

const CHECKS = ["sequencerLagSeconds", "oldestOverdueDeadlineSeconds", "contractsWithFailingDeadlines", "oldestDueDeliverySeconds", "reconciliationDifferences"];

export class OperatorPage extends Page {
  /** What is acted on at the moment. */ #acting = "";

  async load() {
    const { viewer } = await this.api.ask(WHO);
    const { disputes } = await this.api.ask(DISPUTES);
    if (!viewer.scopes.includes("OPERATOR")) return { disputes: disputes.nodes };
    const [standing, { contracts }, ready] = await Promise.all([this.api.ask(STANDING), this.api.ask(REVERSALS), readiness(this.api.address)]);
    return { disputes: disputes.nodes, ...standing, orders: standing.stuckOrders.nodes, reversals: reversalsOf(contracts.nodes), ready };
  }

  content(/** @type {Answer} */ { disputes, orders, reversals, reconciliationDifferences, fees, ready }) {
    return [
      this.#part("pages.disputes", disputes, (/** @type {Answer} */ one) => this.#actedOn(one, this.#disputeView(one))),
      orders && this.#part("pages.stuckOrders", orders, (/** @type {Answer} */ one) => this.#actedOn(one, this.#orderView(one))),
      reversals && this.#part("pages.reversals", reversals, (/** @type {Answer} */ one) => this.#actedOn(one, this.#reversalView(one))),
      reconciliationDifferences && this.#part("pages.differences", reconciliationDifferences, (/** @type {Answer} */ one) => this.#differenceView(one)),
      ready && this.#readyView(ready),
      fees && this.#feesView(fees),
    ];
  }

  /** @param {string} label @param {Answer[]} things @param {(thing: Answer) => Children} view */
  #part(label, things, view) {
    return h("section", { key: label, class: "card stack", "aria-labelledby": label },
      h("h2", { id: label }, this.say(label)),
      things.length === 0 ? h("p", { class: "faint" }, this.say("pages.none")) : h("ul", { class: "stack" }, things.map((thing) => h("li", { key: thing.id ?? thing.subject, class: "stack" }, view(thing)))));
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

  /** @param {Answer} deposit */
  #reversalView({ title, reversal }) {
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

  /** @param {Answer} fees */
  #feesView({ clientBasisPoints, freelancerBasisPoints }) {
    return h("section", { key: "fees", class: "card stack", "aria-labelledby": "fees" },
      h("h2", { id: "fees" }, this.say("pages.fees")),
      this.form("fees", [
        { name: "clientBasisPoints", type: "number", required: true, value: String(clientBasisPoints), hint: "pages.basisPoints" },
        { name: "freelancerBasisPoints", type: "number", required: true, value: String(freelancerBasisPoints), hint: "pages.basisPoints" },
      ], "pages.save", (typed) => ({ document: SET_FEES, input: { clientBasisPoints: Number(typed.clientBasisPoints), freelancerBasisPoints: Number(typed.freelancerBasisPoints) } })));
  }
}

const WHO = gql`query Who { viewer { scopes } }`;

/** Deposits whose reversal is open, with their contract. @param {Answer[]} contracts @returns {Answer[]} */
const reversalsOf = (contracts) =>
  contracts.flatMap(({ id: contractId, title, deposits }) =>
    deposits.nodes.filter((/** @type {Answer} */ one) => one.reversal?.state === "OPEN").map((/** @type {Answer} */ one) => ({ ...one, contractId, title })));

/** What the deployment says of itself. @param {string} address of its API @returns {Promise<Answer | null>} */
async function readiness(address) {
  try {
    const answer = await fetch(new URL("/readyz", address), { credentials: "omit", referrerPolicy: "no-referrer" });
    return await answer.json();
  } catch {
    return null;
  }
}
