/**
 * Owns `<earnest-actions>`: what the viewer can do now with a contract and what belongs to it, each by a form.
 *
 * Buttons come from `allowedActions` alone: those that are allowed first, the others grey, with the reason; what is never for the
 * viewer isn't shown. With `subject` it is about one milestone, dispute, refund request, change request, deposit or order; without,
 * about everything that is open. `prepared`, the JSON of `{action, values}`, opens a form that is filled in.
 */
import { Failed, gql } from "../core/api.js";
import { h, link, words } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { fetched } from "../core/later.js";
import { refusalText } from "../core/refusals.js";
import { refresh } from "../core/watching.js";

/** @typedef {import("../core/forms.js").Form} Form */
/** @typedef {{kind: string, subject: Answer}} Group what is acted on, and what kind of thing it is */

const ALLOWED = "allowedActions { action allowed reason { code message cause details } }";
const MONEY = "{ amount currency }";
const MILESTONE = `id position title purpose deliverables dueOn amount ${MONEY} held ${MONEY} ${ALLOWED}`;
const DISPUTE = `id offers { side toFreelancer ${MONEY} } milestone { title held ${MONEY} } ${ALLOWED}`;
const REFUND = `id milestone { title held ${MONEY} } ${ALLOWED}`;
const CHANGE = `id ${ALLOWED}`;
const DEPOSIT = `id charge ${MONEY} actionRequired nextAction { kind url clientSecret reference until } ${ALLOWED}`;
const ORDER = `id amount ${MONEY} ${ALLOWED}`;
const CONTRACT = `id state currency revision planVersion payoutsAreAutomatic client { id } freelancer { id } escrow { held ${MONEY} }`;

const ALL = gql`query Actions($id: ID!) {
  viewer { accountId memberId now isSandbox }
  contract(id: $id) {
    ${CONTRACT} ${ALLOWED}
    currentMilestone { ${MILESTONE} }
    disputes(last: 1) { nodes { ${DISPUTE} } }
    refundRequests(last: 1) { nodes { ${REFUND} } }
    changeRequests(last: 1) { nodes { ${CHANGE} } }
    deposits(last: 2) { nodes { ${DEPOSIT} } }
    paymentOrders(last: 1) { nodes { ${ORDER} } }
  }
  planned: milestones(filter: { contractId: $id, state: [PLANNED] }, orderBy: PLAN, first: 1) { nodes { ${MILESTONE} } }
}`;

const ONE = gql`query ActionsOfOne($id: ID!, $subject: ID!) {
  viewer { accountId memberId now isSandbox }
  contract(id: $id) { ${CONTRACT} }
  node(id: $subject) {
    __typename
    ... on Contract { id ${ALLOWED} }
    ... on Milestone { contractId ${MILESTONE} }
    ... on Dispute { contractId ${DISPUTE} }
    ... on RefundRequest { contractId ${REFUND} }
    ... on ChangeRequest { contractId ${CHANGE} }
    ... on Deposit { contractId ${DEPOSIT} }
    ... on PaymentOrder { contractId ${ORDER} }
  }
}`;

export class EarnestActions extends EarnestElement {
  /** @type {Form | null} */ #form = null;
  #openedAt = "";
  #said = "";
  #openings = 0;
  #hasOpened = false;
  /** For whom it is. */ #whose = "";

  start() {
    const subject = this.getAttribute("subject");
    const asked = subject ? { document: ONE, variables: { subject } } : { document: ALL };
    this.whenLeft(() => this.#form?.leave());
    if (this.contract) this.watch({ ...asked, onData: (data) => this.receive(data) });
  }

  /** A form goes on by another session of whoever is writing in it, and by nobody else's. @param {Answer} data */
  receive(data) {
    const whose = data.viewer.accountId + data.viewer.memberId;
    if (whose !== this.#whose) (this.#form = null), (this.#said = "");
    this.#whose = whose;
    const group = groupsOf(data, this.getAttribute("subject")).find(({ subject }) => subject.id === this.#form?.situation.subject.id);
    if (group && this.#form) this.#form.moveOn(situationOf(data, group));
    super.receive(data);
    this.#openPrepared();
  }

  /** Open the form that a link has prepared, once; whoever opened it sees what it would do, and sends it or not. */
  #openPrepared() {
    const prepared = JSON.parse(this.getAttribute("prepared") ?? "null");
    const [group] = this.#groups();
    if (!prepared || this.#hasOpened || !group?.subject.allowedActions.some((/** @type {Answer} */ one) => one.action === prepared.action)) return;
    this.#hasOpened = true;
    void this.open(prepared.action, group, prepared.values);
  }

  view() {
    if (!this.data) return this.waiting();
    const groups = this.#groups();
    if (groups.length === 0) return h("p", { class: "faint" }, this.say("notFound"));
    return h("div", { class: "stack" },
      h("p", { key: "said", class: "good small", role: "status", "aria-live": "polite", tabindex: "-1" }, this.#said),
      groups.map((group) => this.#groupView(group)));
  }

  /** @returns {Group[]} */
  #groups() {
    return groupsOf(this.data, this.getAttribute("subject"));
  }

  /** @param {Group} group */
  #groupView(group) {
    const { kind, subject } = group;
    const known = subject.allowedActions.filter((/** @type {Answer} */ one) => this.language.has(`action.${one.action}`));
    const allowed = known.filter((/** @type {Answer} */ one) => one.allowed);
    const refused = known.filter((/** @type {Answer} */ one) => !one.allowed && one.reason.cause !== "ONLY_SOME");
    const isHere = this.#form?.situation.subject.id === subject.id;
    return h("div", { key: subject.id, role: "group", class: "stack", part: "group", "aria-labelledby": `of-${subject.id}` },
      h("p", { class: "label", id: `of-${subject.id}` }, this.#titleOf(group)),
      kind === "Deposit" && this.#payerView(subject),
      allowed.length > 0 && h("div", { key: "allowed", class: "row" }, allowed.map((/** @type {Answer} */ one) => this.#button(group, one))),
      isHere && this.#form && this.#formView(this.#form),
      refused.length > 0 && this.#refusedView(group, refused));
  }

  /** @param {Group} group */
  #titleOf({ kind, subject }) {
    const title = subject.title ?? subject.milestone?.title;
    const sum = subject.charge ?? (kind === "PaymentOrder" ? subject.amount : null);
    return [this.say(`of.${kind}`), title && ": ", title && words(title), sum && `: ${this.money(sum)}`];
  }

  /** @param {Group} group @param {Answer} one */
  #button(group, one) {
    const isOpen = this.#form?.action === one.action && this.#form?.situation.subject.id === group.subject.id;
    const isMain = ["ACCEPT", "FUND", "FUND_CONTRACT", "SUBMIT", "APPROVE"].includes(one.action);
    return h("button", { key: one.action, type: "button", part: "action", id: `${one.action}-${group.subject.id}`, class: isMain && !this.#form ? "main" : "", "aria-expanded": String(isOpen), onclick: () => void this.open(one.action, group) }, this.#labelOf(one.action));
  }

  /** @param {string} action */
  #labelOf(action) {
    const stops = action === "SET_PAYOUTS" && this.data?.contract.payoutsAreAutomatic;
    return this.say(stops ? "action.SET_PAYOUTS.off" : `action.${action}`);
  }

  /** What can't be done now stands folded up, each with its reason. @param {Group} group @param {Answer[]} refused */
  #refusedView(group, refused) {
    return h("details", { key: "refused", class: "small" },
      h("summary", null, this.say("actions.refused", { count: refused.length })),
      h("ul", { class: "stack" }, refused.map(({ action, reason }) =>
        h("li", { key: action, class: "row" },
          h("button", { type: "button", "aria-disabled": "true", "aria-describedby": `why-${action}-${group.subject.id}` }, this.#labelOf(action)),
          h("span", { id: `why-${action}-${group.subject.id}`, class: "faint" }, refusalText(this, reason))))));
  }

  /** What the payment provider waits for the payer to do. @param {Answer} deposit */
  #payerView({ nextAction, actionRequired }) {
    if (!nextAction) return actionRequired && h("p", { key: "payer", class: "tells" }, this.say("payer.waits"));
    const { kind, url, reference, clientSecret, until } = nextAction;
    const confirm = () => this.tell("earnest-payer-action", nextAction);
    return h("div", { key: "payer", class: "tells stack", part: "payer", role: "status" },
      h("p", null, this.say(`payer.${kind}`)),
      url && h("p", null, link(url)),
      reference && h("p", null, this.say("payer.reference"), " ", h("code", { dir: "ltr" }, reference)),
      clientSecret && h("p", null, h("button", { type: "button", onclick: confirm }, this.say("payer.confirm"))),
      until && h("p", { class: "faint small" }, this.say("payer.until"), " ", this.moment(until)));
  }

  /** @param {Form} form */
  #formView(form) {
    const { plan } = form.command;
    if (!plan) return form.view();
    return h("earnest-plan-editor", { ...this.handedOn, key: "plan", mode: plan, ".onDone": () => this.#done(form), ".onClose": () => this.close() });
  }

  /**
   * Open the form of an action; its own opening is one intention. What forms are made of is loaded with the first.
   * @param {string} action @param {Group} group @param {Answer} [prepared] what somebody has filled in
   */
  async open(action, group, prepared) {
    const opening = (this.#openings += 1);
    const forms = await fetched(() => import("../core/forms.js")).catch((error) => this.fail(new Failed("NETWORK", String(error))));
    if (!forms || opening !== this.#openings) return;
    const form = new forms.Form(this, action, situationOf(this.data ?? {}, group), { onDone: (done) => this.#done(form, done), onClose: () => this.close() });
    this.#form?.leave();
    this.#openedAt = `${action}-${group.subject.id}`;
    this.#said = "";
    this.#form = form;
    if (prepared) form.fill(prepared);
    this.renderNow();
    const first = /** @type {HTMLElement | null} */ (this.shadowRoot?.querySelector("form input, form textarea, form select, form .title"));
    first?.focus();
  }

  /** Close the form; the focus goes back to where it was opened. */
  close() {
    this.#form?.leave();
    this.#form = null;
    this.renderNow();
    this.shadowRoot?.getElementById(this.#openedAt)?.focus();
  }

  /** What was sent is done, also if its form was closed meanwhile, or another one is open. @param {Form} form @param {Answer} [done] */
  #done(form, done) {
    if (this.#form === form) this.#form = null;
    this.#said = `${this.say("form.done", { action: this.#labelOf(form.action) })} ${done?.payeeHint ?? ""}`;
    this.renderNow();
    if (!this.#form) /** @type {HTMLElement | null} */ (this.shadowRoot?.querySelector("[role=status]"))?.focus();
    refresh(this.api, this.contract);
    this.tell("earnest-done", { action: form.action, subject: form.situation.subject.id });
  }
}

/** What there is to act on, the most pressing first; a subject of another contract isn't. @param {Answer | null} data @param {string | null} only @returns {Group[]} */
function groupsOf(data, only) {
  const { contract, node, planned } = data ?? {};
  if (!contract) return [];
  if (node && (node.contractId ?? node.id) === contract.id) return [{ kind: node.__typename, subject: node }];
  if (only) return [];
  const of = (/** @type {string} */ kind, /** @type {Answer} */ page) => page.nodes.map((/** @type {Answer} */ subject) => ({ kind, subject }));
  const belonging = [
    ...of("Deposit", contract.deposits), ...of("Dispute", contract.disputes), ...of("RefundRequest", contract.refundRequests),
    ...of("ChangeRequest", contract.changeRequests), ...of("PaymentOrder", contract.paymentOrders),
  ].filter(isOpen);
  const current = contract.currentMilestone ? [contract.currentMilestone] : [];
  const next = planned.nodes.filter((/** @type {Answer} */ one) => one.id !== contract.currentMilestone?.id);
  const milestones = [...current, ...next].map((subject) => ({ kind: "Milestone", subject }));
  return [...belonging, ...milestones, { kind: "Contract", subject: contract }];
}

/** @param {Answer} data @param {Group} group */
const situationOf = ({ contract, viewer }, { subject }) => ({ contract, viewer, subject });

/** What is over is not acted on, unless something about it still can be. @param {Group} group */
const isOpen = ({ subject }) => Boolean(subject.nextAction) || subject.allowedActions.some((/** @type {Answer} */ one) => one.allowed);

define("earnest-actions", EarnestActions);
