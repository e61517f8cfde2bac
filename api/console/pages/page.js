/**
 * Owns what every page of the console is: what it asks, what it shows meanwhile, its forms and buttons, and what was said to them.
 *
 * Nothing is guessed: after each command, and when the console hears of an event, a page asks again and shows what it is told.
 */
import { Failed, newKey } from "../core/api.js";
import { h } from "../core/dom.js";
import { EarnestElement } from "../core/element.js";
import { refusalView } from "../core/refusals.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {import("../core/dom.js").Children} Children */
/** @typedef {import("../core/api.js").Refusal} Refusal */
/**
 * @typedef {object} PageField
 * @property {string} name @property {string} [type] of the input: `select`, `area`, `checkbox` or as HTML has it
 * @property {string[]} [options] of a selection @property {(option: string) => string} [told] how an option is called
 * @property {boolean} [required] @property {string} [value] what stands there first @property {string} [hint] @property {string} [label]
 */
/** @typedef {{document: string, input: Answer, done?: (payload: Answer) => void}} Order what is to be done */

/** The part of every payload that says what was refused. */
export const ERRORS = "userErrors { code message cause field details documentation }";

/** What is asked of a viewer, to know what is to be offered. */
export const VIEWER = "kind role scopes accountId memberId sessionId account { sessions(first: 1) { nodes { id } } }";

/** Whether somebody reaches some contracts alone: that one sees no sessions of the account. @param {Answer} viewer */
export const isLimited = ({ account }) => account.sessions === null;

/** Whether somebody has no say over the account at all: by a session that is limited, or as an operator who is. @param {Answer} viewer */
export const isBarred = (viewer) => isLimited(viewer) && (viewer.sessionId || viewer.kind === "OPERATOR");

/** Whether somebody may do what is for owners alone, by a key or a session that was made for that. @param {Answer} viewer @param {string} scope */
export const isOwner = (viewer, scope) => viewer.role === "OWNER" && !isBarred(viewer) && (viewer.kind === "OPERATOR" || viewer.scopes.includes(scope));

/** How many of a list the API gives at once. */
const PAGE_MAX = 100;

export class Page extends EarnestElement {
  /** What the last command of each form or button came to. @type {Record<string, Refusal[] | string>} */ #said = {};
  /** @type {{words: string, key: string}} */ #intention = { words: "", key: "" };
  /** @type {string | null} The button that has to be pressed once more. */ #asking = null;
  #isBusy = false;
  #isStale = false;
  #isLoading = false;
  /** A secret that is shown this once. @type {{label: string, value: string} | null} */ secret = null;

  /** The id that the address names. */
  get subject() {
    return this.getAttribute("subject");
  }

  start() {
    void this.reload();
  }

  /** What the page asks for. @returns {Promise<Answer>} */
  async load() {
    return {};
  }

  /** Ask again; what happens while an answer is under way is asked for once more. */
  async reload() {
    this.#isStale = this.#isLoading;
    if (this.#isLoading) return;
    this.#isLoading = true;
    const { api } = this;
    try {
      const data = await this.load();
      if (this.isConnected && api === this.api) this.receive(data);
    } catch (error) {
      if (api === this.api) this.failFor(error instanceof Failed ? error : new Failed("OTHER", String(error)), () => this.reload());
    } finally {
      this.#isLoading = false;
    }
    if (this.#isStale && this.isConnected) void this.reload();
  }

  /** @returns {Children} */
  view() {
    if (!this.data) return this.failure ? null : h("p", { class: "faint", "aria-busy": "true" }, this.say("waiting"));
    return h("div", { class: "stack" }, this.#secretView(), this.content(this.data));
  }

  /** What is shown once there is an answer. @param {Answer} _ @returns {Children} */
  content(_) {
    return null;
  }

  /** How a value of an enum is called. @param {string} kind @param {string | null | undefined} value */
  called(kind, value) {
    const key = `${kind}.${value}`;
    return this.language.has(key) ? this.say(key) : (value ?? "").toLowerCase().replaceAll("_", " ");
  }

  /** @param {string} label @param {Children} value */
  fact(label, value) {
    return value ? [h("dt", null, this.say(label)), h("dd", null, value)] : [];
  }

  /**
   * A form whose fields are read when it is sent.
   * @param {string} name @param {PageField[]} fields @param {string} label @param {(values: Record<string, any>) => Order} order
   */
  form(name, fields, label, order) {
    const send = (/** @type {any} */ event) => {
      event.preventDefault();
      const form = event.target;
      void this.command(name, order(valuesOf(form, fields)), () => refill(form, fields));
    };
    return h("form", { key: name, class: "stack", onsubmit: send, "aria-label": this.say(label) },
      fields.map((field) => this.#fieldView(name, field)),
      this.said(name),
      h("p", null, h("button", { class: "main" }, this.say(label))));
  }

  /** @param {string} form @param {PageField} field */
  #fieldView(form, { name, type = "text", options = [], told = (option) => option, required = false, value, hint, label: called = `pages.${name}` }) {
    const id = `${form}-${name}`;
    const props = { id, name, required, "aria-describedby": hint ? `${id}-hint` : null, autocomplete: "off" };
    const label = h("label", { for: id }, this.say(called));
    if (type === "checkbox") return h("div", { key: id, class: "row" }, h("input", { ...props, type, checked: value === "on" }), label);
    const control =
      type === "select" ? h("select", props, options.map((option) => h("option", { key: option, value: option, selected: option === value }, told(option))))
      : type === "area" ? h("textarea", { ...props, value, rows: "3", dir: "auto" })
      : h("input", { ...props, type, value, dir: type === "text" ? "auto" : null, step: type === "number" ? "any" : null });
    return h("div", { key: id, class: "field" }, label, control, hint && h("span", { class: "hint", id: `${id}-hint` }, this.say(hint)));
  }

  /**
   * What makes something that lasts longer than a session: with a key its form, with a session what to do instead.
   * @param {Answer} viewer @param {import("../core/dom.js").Children} form
   */
  byKey({ sessionId }, form) {
    return sessionId ? h("p", { key: "key", class: "faint" }, this.say("pages.needsKey")) : form;
  }

  /** A button for the rest of a list. @param {boolean} hasMore @param {() => void} show has more shown from now on */
  moreView(hasMore, show) {
    return hasMore && h("p", { key: "more" }, h("button", { type: "button", onclick: () => (show(), void this.reload()) }, this.say("pages.more")));
  }

  /**
   * A button; what can't be taken back is asked about once more, and a double click is no answer.
   * @param {string} name @param {string} label @param {() => Order} order @param {{really?: boolean, about?: string}} [options]
   */
  button(name, label, order, { really = false, about = "" } = {}) {
    const run = () => {
      this.#asking = null;
      void this.command(name, order());
    };
    const ask = () => {
      this.#asking = name;
      this.renderNow();
    };
    const isAsking = this.#asking === name;
    const press = (/** @type {MouseEvent} */ { detail }) => {
      if (!really) run();
      else if (detail < 2) isAsking ? run() : ask();
    };
    const named = { "aria-label": about ? `${this.say(label)}: ${about}` : null };
    return h("span", { key: name, class: "row" },
      h("button", { key: "act", type: "button", ...named, onclick: press }, isAsking ? this.say("pages.really") : this.say(label)),
      isAsking && h("button", { key: "no", type: "button", onclick: () => ((this.#asking = null), this.renderNow()) }, this.say("pages.no")),
      this.said(name));
  }

  /**
   * Carry out a command; the same words sent again are the same intention.
   * @param {string} name @param {Order} order @param {() => void} [whenDone]
   */
  async command(name, { document, input, done }, whenDone = () => {}) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const words = JSON.stringify([document, input]);
    if (this.#intention.words !== words) this.#intention = { words, key: newKey() };
    try {
      const payload = await this.api.command(document, input, this.#intention.key);
      const isDone = payload.userErrors.length === 0;
      this.#said = { [name]: isDone ? "pages.done" : payload.userErrors };
      if (isDone) {
        this.#intention = { words: "", key: "" };
        whenDone();
        done?.(payload);
      }
      await this.reload(); // whatever is refused may be so by what has changed since the page asked
      if (isDone) this.tell("earnest-done", { action: name });
    } catch (error) {
      this.#said = { [name]: [refusalOf(error)] };
    } finally {
      this.#isBusy = false;
      this.render();
    }
  }

  /** What was said to a form or a button. @param {string} name */
  said(name) {
    const said = this.#said[name];
    if (typeof said === "string") return h("span", { key: "said", class: "good small", role: "status" }, this.say(said));
    return said && h("div", { key: "said", class: "says", role: "alert" }, said.map((refusal) => this.#refusedView(refusal)));
  }

  /** @param {Refusal} refusal */
  #refusedView(refusal) {
    return this.language.has(`error.${refusal.code}`) ? refusalView(refusal, this) : h("p", { key: refusal.code }, this.failureText(refusal));
  }

  /** Show a secret, which nobody can ever read again. @param {string} label @param {string} value */
  reveal(label, value) {
    this.secret = { label, value };
  }

  #secretView() {
    if (!this.secret) return null;
    const { label, value } = this.secret;
    const hide = () => ((this.secret = null), this.renderNow());
    return h("div", { key: "secret", class: "tells stack", role: "status" },
      h("label", { for: "secret" }, this.say(label)),
      h("input", { id: "secret", readonly: true, dir: "ltr", value, onfocus: (/** @type {any} */ event) => event.target.select() }),
      h("p", { class: "row" },
        h("button", { type: "button", onclick: () => void navigator.clipboard?.writeText(value) }, this.say("pages.copy")),
        h("button", { type: "button", onclick: hide }, this.say("pages.hide"))));
  }
}

/** @param {HTMLFormElement} form @param {PageField[]} fields @returns {Record<string, any>} */
function valuesOf(form, fields) {
  const typed = new FormData(form);
  return Object.fromEntries(fields.map(({ name, type }) => [name, type === "checkbox" ? typed.has(name) : String(typed.get(name) ?? "").trim()]));
}

/** Let the fields of a form stand as they began. @param {HTMLFormElement} form @param {PageField[]} fields */
function refill(form, fields) {
  form.reset();
  for (const { name, type, value, options } of fields) {
    const control = /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
    if (type === "checkbox") control.checked = value === "on";
    else control.value = value ?? options?.[0] ?? "";
  }
}

/** @param {unknown} error @returns {Refusal} */
function refusalOf(error) {
  const { code = "INTERNAL", documentation = "/docs/errors" } = /** @type {any} */ (error);
  return { code, message: error instanceof Error ? error.message : String(error), field: null, details: null, documentation: documentation ?? "/docs/errors" };
}

/** What stands between spaces or commas; null for nothing. @param {string} typed */
export const listOf = (typed) => (typed ? typed.split(/[\s,]+/) : null);

/**
 * So many of a list, asked for page by page.
 * @param {import("../core/api.js").Api} api @param {string} document which takes `$first` and `$after`
 * @param {string} field by which the list is answered @param {number} shown how many, if there are as many @param {Answer} [variables]
 * @returns {Promise<Answer & {nodes: Answer[], hasMore: boolean}>} the last answer, and of all of them the nodes
 */
export async function listed(api, document, field, shown, variables = {}) {
  /** @type {Answer[]} */
  const nodes = [];
  for (let after = null; ; ) {
    const answer = await api.ask(document, { ...variables, first: Math.min(shown - nodes.length, PAGE_MAX), after });
    const { nodes: more, pageInfo } = answer[field];
    nodes.push(...more);
    after = pageInfo.endCursor;
    if (!pageInfo.hasNextPage || nodes.length >= shown) return { ...answer, nodes, hasMore: pageInfo.hasNextPage };
  }
}

/** A page of the console as an address. @param {...string} parts */
export const to = (...parts) => `#/${parts.join("/")}`;
