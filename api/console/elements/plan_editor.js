/**
 * Owns `<earnest-plan-editor>`: writing a plan for a proposal, a counter-offer, or a change request, with hints while it is written.
 *
 * `mode` is `propose` (with `client`, `freelancer` and `currency`), `revise` or `change` (with `contract`). Rows are put in order by
 * dragging, by buttons, or by Alt and the arrow keys.
 */
import { Failed, gql, newKey } from "../core/api.js";
import { documentOf } from "../core/commands.js";
import { h } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { fault, readingOf, respelt } from "../core/fields.js";
import { isAmount, typable } from "../core/money.js";
import { changesBetween, draftOf, emptyRow, isAmendable, isPlanned, milestoneOf, rowOf } from "../core/plans.js";
import { hintText, refusalView } from "../core/refusals.js";
import { refresh } from "../core/watching.js";

/** @typedef {"title" | "purpose" | "amount" | "dueOn" | "deliverables"} Column */

const PLAN = gql`query Plan($id: ID!) {
  contract(id: $id) {
    id title description currency planVersion timeZone budget { amount currency }
    milestones { id position state title purpose deliverables dueOn amount { amount currency } }
  }
}`;

const REVIEW = gql`query Review($plan: [MilestoneDraftInput!]!, $budget: MoneyInput, $timeZone: String) {
  viewer { accountId memberId }
  reviewPlan(plan: $plan, budget: $budget, timeZone: $timeZone) { code message position field details }
}`;

const SPLIT = gql`query Split($amount: MoneyInput!, $ratios: [Int!]!) {
  splitBudget(amount: $amount, ratios: $ratios) { amount currency }
}`;

const MODES = /** @type {Record<string, {mutation: string, action: string}>} */ ({
  propose: { mutation: "proposeContract", action: "PROPOSE" },
  revise: { mutation: "reviseContract", action: "REVISE" },
  change: { mutation: "fileChangeRequest", action: "FILE_CHANGE_REQUEST" },
});

const SETTLING_MS = 400;
/** @type {Column[]} */ const COLUMNS = ["title", "purpose", "amount", "dueOn", "deliverables"];

export class EarnestPlanEditor extends EarnestElement {
  static observedAttributes = [...EarnestElement.observedAttributes, "client", "freelancer", "currency"];

  /** @type {Row[]} */ #before = [];
  /** @type {Row[]} */ #rows = [];
  /** @type {Answer} */ #head = {};
  /** @type {Answer[]} */ #hints = [];
  /** @type {Refusal[]} */ #refusals = [];
  /** @type {Row | null} */ #dragged = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #key = newKey();
  #said = "";
  /** What is said of what was sent, until somebody goes on writing. */ #done = "";
  #isSending = false;
  #reviewed = 0;
  /** In which mode it was begun; none, if it is to begin anew. */ #begunAs = "";
  /** By which locale its amounts are written. */ #locale = "";
  /** Who is writing; nothing, until that is known. */ #whose = "";
  /** By which session they do. @type {Api | null} */ #by = null;

  constructor() {
    super();
    const { onDone = null, onClose = null } = /** @type {any} */ (this);
    /** Called when it was sent, with what was answered. @type {((done: Answer) => void) | null} */
    this.onDone = onDone;
    /** Called when somebody closes it without sending; without it there is no button for that. @type {(() => void) | null} */
    this.onClose = onClose;
  }

  get #mode() {
    const mode = this.getAttribute("mode") ?? "propose";
    return mode in MODES ? mode : "propose";
  }

  get #currency() {
    return this.data?.contract?.currency ?? (this.getAttribute("currency") || this.#head.currency || "USD").toUpperCase();
  }

  /** Whoever has begun to write a plan keeps it, also if it is for somebody else now, goes by another session of theirs, or is read in another language. */
  start() {
    const isNew = this.#mode === "propose";
    this.whenLeft(() => clearTimeout(this.#timer));
    if (this.#begunAs === this.#mode && (isNew || this.data)) this.#goOn();
    else if (isNew) this.#begin({ contract: null });
    else if (this.contract) this.askFor(PLAN, { id: this.contract }, (data) => this.#begin(data));
  }

  /** What stands there stays, its sums as the reader's locale writes them by now; by another session it is shown once that is known to be theirs. */
  #goOn() {
    const read = this.#read;
    const { locale } = this.language;
    for (const row of [...this.#rows, ...this.#before]) row.amount = respelt("money", row.amount, read, locale);
    this.#head.budget = respelt("money", this.#head.budget, read, locale);
    this.#locale = locale;
    void this.#askForHints();
    if (this.#by === this.api) this.data ??= { contract: null };
  }

  /** @param {Answer} data */
  #begin(data) {
    const { contract } = data;
    this.#begunAs = this.#mode;
    this.#by = this.api;
    this.#whose = "";
    this.#hints = this.#refusals = [];
    const shown = contract?.milestones.filter((/** @type {Answer} */ one) => this.#mode === "change" || one.state !== "CANCELLED") ?? [];
    const { locale } = this.language;
    this.#locale = locale;
    this.#before = shown.map((/** @type {Answer} */ one) => rowOf(one, locale));
    this.#rows = contract ? this.#before.map((row) => ({ ...row })) : [emptyRow()];
    this.#head = { title: contract?.title ?? "", description: contract?.description ?? "", budget: contract?.budget ? typable(locale, contract.budget.amount) : "", client: "", freelancer: "", currency: "USD" };
    this.#key = newKey();
    this.#review();
    this.receive(data);
  }

  view() {
    if (!this.data) return this.waiting();
    const isChange = this.#mode === "change";
    const submit = (/** @type {Event} */ event) => (event.preventDefault(), void this.#send());
    return h("form", { class: "stack", part: "editor", novalidate: true, onsubmit: submit, "aria-label": this.say(`action.${MODES[this.#mode]?.action}`) },
      h("p", { class: "label title", tabindex: "-1" }, this.say(`action.${MODES[this.#mode]?.action}`)),
      h("p", { key: "said", class: this.#done ? "good small" : "sr", role: "status", "aria-live": "assertive" }, this.#done || this.#said),
      !isChange && this.#headView(),
      h("ol", { key: "rows", class: "stack", part: "rows" }, this.#rows.map((row, at) => this.#rowView(row, at))),
      h("div", { key: "tools", class: "row" },
        h("button", { type: "button", onclick: () => this.#add() }, this.say("plan.add")),
        !isChange && h("button", { type: "button", onclick: () => void this.#split() }, this.say("plan.split"))),
      h("div", { key: "hints", "aria-live": "polite", class: "small" }, this.#hints.length > 0 && this.#hintsView()),
      this.#headField("message", "textarea", isChange),
      this.#refusals.length > 0 && h("div", { key: "refusals", class: "says", role: "alert" }, this.#refusals.map((refusal) => this.#refusalView(refusal))),
      h("div", { key: "buttons", class: "row" },
        h("button", { key: "send", type: "submit", class: "main", part: "confirm", "aria-disabled": this.#isSending ? "true" : null }, this.say(this.#isSending ? "form.sending" : "form.confirm")),
        this.onClose && h("button", { key: "close", type: "button", onclick: () => this.onClose?.() }, this.say("form.cancel"))));
  }

  #headView() {
    const isNew = this.#mode === "propose";
    return h("div", { key: "head", class: "stack" },
      isNew && !this.getAttribute("client") && this.#headField("client", "input", true),
      isNew && !this.getAttribute("freelancer") && this.#headField("freelancer", "input", true),
      this.#headField("title", "input", true),
      this.#headField("description", "textarea", false),
      isNew && !this.getAttribute("currency") && this.#headField("currency", "input", true),
      this.#headField("budget", "input", false));
  }

  /** @param {string} name @param {string} tag @param {boolean} isRequired */
  #headField(name, tag, isRequired) {
    const id = `head-${name}`;
    const hint = name === "budget" && this.#keptBudget;
    const typed = (/** @type {any} */ event) => this.#typeHead(name, event.target.value);
    return h("div", { key: name, class: "field" },
      h("label", { for: id }, this.say(`field.${name}`), !isRequired && h("span", { class: "faint small" }, ` ${this.say("field.optional")}`)),
      h(tag, { id, dir: "auto", value: this.#head[name] ?? "", "aria-required": isRequired ? "true" : null, "aria-invalid": this.#refusalsOf(name).length > 0 ? "true" : null, "aria-describedby": hint ? `${id}-hint` : null, oninput: typed }),
      hint && h("span", { class: "hint", id: `${id}-hint` }, this.say("plan.budgetStays", { sum: this.money(hint) })));
  }

  /** @param {Row} row @param {number} at */
  #rowView(row, at) {
    const canChange = !row.isRemoved && (isPlanned(row) || isAmendable(row));
    const hints = this.#hints.filter((hint) => hint.position === at + 1);
    return h("li", { key: row.key, id: `row-${row.key}`, class: `card stack ${this.#dragged === row ? "dragged" : ""}`, part: "row", "aria-label": this.say("plan.row", { number: at + 1, title: row.title }),
      onkeydown: (event) => this.#keyed(event, row),
      ondragover: (event) => this.#dragged && event.preventDefault(),
      ondrop: (event) => (event.preventDefault(), this.#drop(row)) },
      h("div", { class: "row between" },
        h("span", { class: "row" }, h("strong", null, `${at + 1}.`), row.id && h("span", { class: "tag" }, this.say(row.isRemoved ? "plan.removed" : `milestone.${row.state}`))),
        isPlanned(row) && this.#rowButtons(row, at)),
      canChange ? h("div", { class: "stack" }, COLUMNS.filter((column) => isPlanned(row) || column === "dueOn" || column === "deliverables").map((column) => this.#cell(row, column))) : h("bdi", { dir: "auto" }, row.title),
      hints.map((hint) => h("p", { key: hint.code + hint.field, class: "warn small" }, hintText(this, hint))));
  }

  /** @param {Row} row @param {number} at */
  #rowButtons(row, at) {
    const named = { number: at + 1, title: row.title };
    return h("span", { class: "row" },
      h("span", { draggable: "true", class: "faint", title: this.say("plan.drag"), "aria-hidden": "true", part: "handle", ondragstart: (event) => this.#drag(event, row), ondragend: () => ((this.#dragged = null), this.render()) }, "⠿"),
      h("button", { type: "button", "aria-label": this.say("plan.up", named), "aria-disabled": this.#canMove(row, at - 1) ? null : "true", onclick: () => this.#move(row, at - 1) }, "↑"),
      h("button", { type: "button", "aria-label": this.say("plan.down", named), "aria-disabled": this.#canMove(row, at + 1) ? null : "true", onclick: () => this.#move(row, at + 1) }, "↓"),
      h("button", { type: "button", "aria-label": this.say(row.isRemoved ? "plan.restore" : "plan.remove", named), onclick: () => this.#remove(row) }, row.isRemoved ? "↺" : "×"));
  }

  /** @param {Row} row @param {Column} column */
  #cell(row, column) {
    const id = `${column}-${row.key}`;
    const isLong = column === "purpose" || column === "deliverables";
    const place = this.#rows.indexOf(row);
    const said = this.#refusalsOf(`milestones.${place}.${column}`);
    const props = { id, value: row[column], dir: column === "amount" ? "ltr" : "auto", "aria-invalid": said.length > 0 ? "true" : null, oninput: (/** @type {any} */ event) => this.#type(row, column, event.target.value) };
    return h("div", { key: column, class: "field" },
      h("label", { for: id }, this.say(`field.${column}`), column === "amount" && ` (${this.#currency})`),
      isLong ? h("textarea", { ...props, rows: "2" }) : h("input", { ...props, type: column === "dueOn" ? "date" : "text", inputmode: column === "amount" ? "decimal" : null, autocomplete: "off" }));
  }

  #hintsView() {
    const all = this.#hints.filter((hint) => hint.position === null);
    return h("ul", { class: "tells" }, all.map((hint) => h("li", { key: hint.code }, hintText(this, hint))), all.length === 0 && h("li", { key: "rows" }, this.say("plan.hints", { count: this.#hints.length })));
  }

  /** Refusals name rows by their place, which only says something as a number. @param {Refusal} refusal */
  #refusalView(refusal) {
    const [, place] = /^(?:milestones|changes)\.(\d+)/.exec(refusal.field ?? "") ?? [];
    return h("div", { key: `${refusal.field} ${refusal.message}` }, place !== undefined && h("strong", null, `${Number(place) + 1}. `), refusalView(refusal, this));
  }

  /** @param {string} name @param {string} value */
  #typeHead(name, value) {
    this.#head = { ...this.#head, [name]: value };
    this.#changed();
  }

  /** @param {Row} row @param {Column} column @param {string} value */
  #type(row, column, value) {
    row[column] = value;
    this.#changed();
  }

  #changed() {
    this.#refusals = [];
    this.#done = "";
    this.#review();
    this.render();
  }

  #add() {
    const row = emptyRow();
    this.#rows = [...this.#rows, row];
    this.#changed();
    queueMicrotask(() => this.#focus(`title-${row.key}`));
  }

  /** @param {Row} row */
  #remove(row) {
    if (row.id && this.#mode === "change") row.isRemoved = !row.isRemoved;
    else this.#rows = this.#rows.filter((other) => other !== row);
    this.#said = this.say("plan.removed");
    this.#changed();
  }

  /** Nothing goes before what is under way. @param {Row} row @param {number} to */
  #canMove(row, to) {
    const other = this.#rows[to];
    return Boolean(other) && isPlanned(row) && (this.#mode !== "change" || isPlanned(/** @type {Row} */ (other)));
  }

  /** @param {Row} row @param {number} to */
  #move(row, to) {
    if (!this.#canMove(row, to)) return;
    const rows = this.#rows.filter((other) => other !== row);
    rows.splice(to, 0, row);
    this.#rows = rows;
    this.#said = this.say("plan.moved", { title: row.title, number: to + 1 });
    this.#changed();
  }

  /** @param {KeyboardEvent} event @param {Row} row */
  #keyed(event, row) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!event.altKey || !step) return;
    event.preventDefault();
    this.#move(row, this.#rows.indexOf(row) + step);
  }

  /** @param {DragEvent} event @param {Row} row */
  #drag(event, row) {
    event.dataTransfer?.setData("text/plain", row.title);
    this.#dragged = row;
    this.render();
  }

  /** @param {Row} onto */
  #drop(onto) {
    const row = this.#dragged;
    this.#dragged = null;
    if (row && row !== onto) this.#move(row, this.#rows.indexOf(onto));
    this.render();
  }

  /** @param {string} id */
  #focus(id) {
    this.shadowRoot?.getElementById(id)?.focus();
  }

  /** @param {string} path of a field, with what is below it */
  #refusalsOf(path) {
    return this.#refusals.filter(({ field }) => `${field}.`.startsWith(`${path}.`));
  }

  get #read() {
    return readingOf(this.#locale, this.#currency);
  }

  get #typedBudget() {
    return (this.#head.budget ?? "").trim();
  }

  get #budget() {
    const budget = this.#read(this.#typedBudget);
    return isAmount(budget) ? budget : null;
  }

  /** A contract has the budget that it has until it is given another: leaving it out takes nothing away. @returns {Money | null} */
  get #keptBudget() {
    return this.#typedBudget ? null : (this.data?.contract?.budget ?? null);
  }

  #review() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#askForHints(), SETTLING_MS);
  }

  /** Ask what there is to think about, and who is asking: whoever has begun goes on, and for anybody else it begins anew. */
  async #askForHints() {
    const asked = (this.#reviewed += 1);
    const { api } = this;
    const plan = this.#rows.map((row) => draftOf(row, this.#read));
    const timeZone = this.data?.contract?.timeZone ?? null;
    const isTheirs = this.#by === api || !this.#by?.token;
    const answer = await api.ask(REVIEW, { plan, budget: this.#budget, timeZone }).catch((error) => {
      if (asked === this.#reviewed && !isTheirs) this.failFor(error, () => this.#askForHints());
    });
    if (!answer || asked !== this.#reviewed) return;
    const { viewer, reviewPlan } = answer;
    const whose = viewer.accountId + viewer.memberId;
    if (this.#whose ? this.#whose !== whose : !isTheirs) return (this.#begunAs = this.#done = this.#said = ""), this.restart();
    this.#whose = whose;
    this.#by = api;
    this.#hints = reviewPlan;
    if (isTheirs) this.render();
    else this.receive({ ...this.data });
  }

  /** Share the budget among the rows, evenly and without losing a cent. */
  async #split() {
    const amount = this.#budget;
    if (!amount) return this.#focus("head-budget");
    try {
      const { splitBudget } = await this.api.ask(SPLIT, { amount, ratios: this.#rows.map(() => 1) });
      this.#rows.forEach((row, at) => (row.amount = splitBudget[at] ? typable(this.language.locale, splitBudget[at].amount) : row.amount));
      this.#changed();
    } catch (error) {
      this.fail(/** @type {Failed} */ (error));
    }
  }

  /** The input of the command, as it would be sent now. @returns {Answer} */
  get #input() {
    const { title, description, client, freelancer, message } = this.#head;
    const currency = this.#currency;
    const { contract } = this.data ?? {};
    const said = message ? { message } : {};
    if (this.#mode === "change") return { contractId: contract.id, changes: changesBetween(this.#before, this.#rows, this.#read), message: message ?? "", expectedVersion: contract.planVersion };
    const plan = { title, description, milestones: this.#rows.map((row) => milestoneOf(row, this.#read)), ...(this.#budget ? { budget: this.#budget } : {}), ...said };
    return this.#mode === "propose" ? { ...plan, clientId: this.getAttribute("client") || client, freelancerId: this.getAttribute("freelancer") || freelancer, currency } : { ...plan, contractId: contract.id, expectedVersion: contract.planVersion };
  }

  /** What can't be sent as it is written; the server says the rest. */
  #faults() {
    const budget = this.#typedBudget && !this.#budget && this.#mode !== "change" ? [fault(this, "budget", this.#typedBudget)] : [];
    const read = this.#read;
    const rows = this.#rows.flatMap((row, at) => [
      ...(isPlanned(row) && !row.isRemoved && !isAmount(read(row.amount)) ? [fault(this, `milestones.${at}.amount`, row.amount)] : []),
      ...(row.isRemoved || row.dueOn ? [] : [fault(this, `milestones.${at}.dueOn`, "")]),
    ]);
    return [...budget, ...rows];
  }

  #showFaults() {
    this.renderNow();
    /** @type {HTMLElement | null} */ (this.shadowRoot?.querySelector("[aria-invalid=true]"))?.focus();
  }

  async #send() {
    if (this.#isSending) return;
    this.#refusals = this.#faults();
    if (this.#refusals.length > 0) return this.#showFaults();
    this.#isSending = true;
    this.render();
    try {
      const { mutation, action } = /** @type {{mutation: string, action: string}} */ (MODES[this.#mode]);
      const done = await this.api.command(documentOf(mutation), this.#input, this.#key);
      this.#refusals = done.userErrors;
      this.failure = null;
      if (done.userErrors.length === 0) this.#finish(done, action);
    } catch (error) {
      this.fail(error instanceof Failed ? error : new Failed("OTHER", String(error)));
    } finally {
      this.#isSending = false;
      this.render();
    }
  }

  /** What was sent is done, and the next plan is another one: it begins anew, so that nobody sends the same twice. @param {Answer} done @param {string} action */
  #finish(done, action) {
    this.#done = this.say("form.done", { action: this.say(`action.${action}`) });
    this.#begunAs = "";
    this.restart();
    if (this.contract) refresh(this.api, this.contract);
    this.tell("earnest-done", { action, subject: done.contract?.id ?? this.contract });
    this.onDone?.(done);
  }
}

define("earnest-plan-editor", EarnestPlanEditor);
