/**
 * Owns what every element is: attributes, the session, the language, the watched contract, and rendering that keeps the focus.
 */
import { AGAIN_MS, apiFor, EarnestSession, isFinal } from "./api.js";
import * as dates from "./dates.js";
import { h, patch, webAddress } from "./dom.js";
import { release } from "./later.js";
import { shown } from "./money.js";
import { languageOf, load } from "./texts.js";
import { theme } from "./theme.js";
import { watch } from "./watching.js";

/** Attributes that change how something is shown or by whom it is asked for, and not what it is. */
const STAYING = ["session", "lang", "dir"];

/**
 * The base of all elements. A subclass says what it shows by `document` (asked with `$id`, the contract) and `view`.
 *
 * Attributes: `contract`, `endpoint`, `session`, `lang`, `theme`. Properties: `session`, `contract`, `data`.
 * Events, which bubble and cross shadows: `earnest-change` when new data is shown, `earnest-failure` when none could be had,
 * `earnest-done` when a command was carried out, `earnest-outdated` when the server has another release than the page.
 */
export class EarnestElement extends HTMLElement {
  static observedAttributes = ["contract", "endpoint", "session", "lang", "dir", "subject", "mode"];

  /** What to ask of the contract; null for an element that watches nothing. @type {string | null} */
  static document = null;

  /** How a milestone that an event tells of is put into what was answered. @type {Piece | undefined} */
  static piece;

  /** What was answered last. @type {Answer | null} */
  data = null;
  /** @type {Failed | null} */
  failure = null;
  /** @type {Connection} */
  connection = "connecting";
  /** @type {string | null} */
  #session = null;
  /** Aborted when it leaves the page; given with a listener, it takes that along. */
  stay = new AbortController();
  /** @type {(() => void)[]} */
  #endings = [];
  #isPlanned = false;
  /** Whether the server has another release than this page. */
  #isOutdated = false;
  /** By whom it was asked since it began. @type {Api | null} */
  #by = null;
  /** Whether what is shown was answered to another session, which may be somebody else's: nobody sees it until this one has its answer. */
  #isFormer = false;
  /** What had the focus when that was hidden. @type {HTMLElement | null} */
  #focused = null;
  /** Counts how often it began: what was asked before it began anew is about something else. */
  #begun = 0;
  /** The language while something is rendered, looked up once for all of it. @type {import("./texts.js").Language | null} */
  #spoken = null;
  /** Parts of the view, and what they were made of. @type {Map<unknown, {of: unknown[], part: Described}>} */
  #parts = new Map();

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [theme];
    this.#takeUp("session");
    this.#takeUp("contract");
  }

  /** A property that was set before this module was there hides the one of the class. @param {"session" | "contract"} name */
  #takeUp(name) {
    if (!Object.hasOwn(this, name)) return;
    const { [name]: value } = this;
    delete (/** @type {any} */ (this)[name]);
    if (name === "session") this.session = value;
    else if (value) queueMicrotask(() => (this.contract = /** @type {string} */ (value)));
  }

  /** The token that this element uses; without one the page's session. */
  get session() {
    return this.#session ?? this.getAttribute("session");
  }

  set session(token) {
    this.#session = token;
    this.restart();
  }

  /** The contract that it is about. */
  get contract() {
    return this.getAttribute("contract") ?? "";
  }

  set contract(id) {
    this.setAttribute("contract", id);
  }

  /** How it asks. */
  get api() {
    return apiFor(this.getAttribute("endpoint"), this.session);
  }

  /** What elements inside of this one need, to be of the same contract by the same session. @returns {Record<string, any>} */
  get handedOn() {
    return { contract: this.contract, endpoint: this.getAttribute("endpoint"), ".session": this.session, lang: this.language.locale };
  }

  get language() {
    return this.#spoken ?? languageOf(this);
  }

  connectedCallback() {
    this.stay = new AbortController();
    EarnestSession.changes.addEventListener("change", () => this.restart(), this.stay);
    release.addEventListener("outdated", () => this.#growOld(), this.stay);
    this.restart();
  }

  disconnectedCallback() {
    this.stay.abort();
    for (const end of this.#endings.splice(0)) end();
  }

  attributeChangedCallback(/** @type {string} */ name, /** @type {string | null} */ before, /** @type {string | null} */ now) {
    if (before === now) return;
    if (!STAYING.includes(name)) this.data = null;
    this.restart();
  }

  /** Have something ended when the element starts anew or leaves the page. @param {() => void} end */
  whenLeft(end) {
    this.#endings.push(end);
  }

  /** Begin to show what the attributes say, once for all that change together. */
  restart() {
    const begun = (this.#begun += 1);
    queueMicrotask(() => {
      if (begun === this.#begun && this.isConnected) void this.#start();
    });
  }

  /** What is shown stays until there is an answer in another language; to another session it stays unseen, and with it what somebody is writing. */
  async #start() {
    for (const end of this.#endings.splice(0)) end();
    const begun = this.#begun;
    const { api } = this;
    if (!api.token) this.data = null;
    this.failure = null;
    if (this.data && this.#by?.token && this.#by !== api) this.#hide();
    this.#by = api;
    await load(this).catch(() => this.#loadLater());
    if (begun !== this.#begun || !this.isConnected) return;
    this.start();
    this.renderNow();
  }

  /** Who asks now may be somebody else. */
  #hide() {
    this.#isFormer = true;
    let focused = this.shadowRoot?.activeElement;
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
    this.#focused = /** @type {HTMLElement | null} */ (focused);
    this.renderNow();
  }

  /** Without its texts it shows what it can, and begins anew until they are there. */
  #loadLater() {
    const timer = setTimeout(() => this.restart(), 3000);
    this.whenLeft(() => clearTimeout(timer));
  }

  /** Watch the contract by the element's document. Elements that show something else have their own. */
  start() {
    const { document, piece } = /** @type {typeof EarnestElement} */ (this.constructor);
    if (document && this.contract) this.watch({ document, piece, onData: (data) => this.receive(data) });
  }

  /** @param {Watcher} watcher */
  watch(watcher) {
    const onFailure = (/** @type {Failed} */ error) => this.fail(error);
    const onConnection = (/** @type {Connection} */ connection) => {
      this.connection = connection;
      this.render();
    };
    this.whenLeft(watch(this.api, this.contract, { onFailure, onConnection, ...watcher }));
  }

  /** Show what was answered, unless it is shown already. @param {Answer} data */
  receive(data) {
    if (data === this.data && !this.failure && !this.#isFormer) return;
    this.data = data;
    this.failure = null;
    this.#isFormer = false;
    this.renderNow();
    if (document.activeElement === document.body) this.#focused?.focus();
    this.#focused = null;
    this.tell("earnest-change", data);
  }

  /** @param {Failed} error */
  fail(error) {
    if (this.#isFormer && isFinal(error)) this.data = null;
    this.failure = error;
    this.render();
    this.tell("earnest-failure", error);
  }

  /**
   * Ask about what is shown now, until there is an answer; nothing is done with it if something else is shown by then.
   * @param {string} document @param {Answer} variables @param {(data: Answer) => void} take
   */
  async askFor(document, variables, take) {
    const begun = this.#begun;
    try {
      const data = await this.api.ask(document, variables);
      if (begun === this.#begun) take(data);
    } catch (error) {
      if (begun === this.#begun) this.failFor(error, () => this.askFor(document, variables, take));
    }
  }

  /** Something wasn't answered: it is asked again in a while, unless that can't help or something else is shown by then. @param {unknown} error @param {() => unknown} ask */
  failFor(error, ask) {
    this.fail(/** @type {Failed} */ (error));
    if (isFinal(error) || !this.isConnected) return;
    const timer = setTimeout(ask, AGAIN_MS);
    this.whenLeft(() => clearTimeout(timer));
  }

  /** The outermost element says it for all that are in it. */
  #growOld() {
    const root = this.getRootNode();
    if (this.#isOutdated || (root instanceof ShadowRoot && root.host instanceof EarnestElement)) return;
    this.#isOutdated = true;
    this.render();
    this.tell("earnest-outdated", null);
  }

  /** @param {string} type @param {unknown} detail */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, detail }));
  }

  /** Render soon, once for all that asks for it. */
  render() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => this.isConnected && this.renderNow());
  }

  /** Make the shadow look like `view` says, and leave the focus where it is. */
  renderNow() {
    this.#isPlanned = false;
    const shadow = /** @type {ShadowRoot} */ (this.shadowRoot);
    const focused = /** @type {HTMLElement | null} */ (shadow.activeElement);
    const { direction, language } = (this.#spoken = languageOf(this));
    try {
      patch(shadow, h("div", { class: "root", part: "root", dir: direction, lang: language, "aria-busy": this.#isFormer && "true" }, this.#outdatedView(), this.#failureView(), this.view()));
    } finally {
      this.#spoken = null;
    }
    if (focused?.isConnected && shadow.activeElement !== focused) focused.focus();
    this.rendered();
  }

  /** What to show. @returns {Children} */
  view() {
    return null;
  }

  /**
   * A part of the view as it was, if all that it is made of is the same as then: nothing of it is looked at again.
   * @param {unknown} key @param {unknown[]} of @param {() => Described} make
   */
  same(key, of, make) {
    const known = this.#parts.get(key);
    const all = [this.language, ...of];
    if (known?.of.every((one, at) => one === all[at])) return known.part;
    const part = make();
    this.#parts.set(key, { of: all, part });
    return part;
  }

  /** Called after each rendering. */
  rendered() {}

  #outdatedView() {
    return this.#isOutdated && h("p", { key: "outdated", class: "tells row", part: "outdated", role: "status" },
      h("span", null, this.say("outdated")), h("button", { type: "button", onclick: () => location.reload() }, this.say("outdated.reload")));
  }

  #failureView() {
    if (!this.failure) return null;
    const { documentation } = this.failure;
    return h("p", { class: "says", part: "failure", role: "alert" }, this.failureText(this.failure), documentation && [" ", this.documentationLink(documentation)]);
  }

  /** What kept something from being answered, in the reader's words and in the server's. @param {{code: string, message: string}} failure */
  failureText({ code, message }) {
    return [this.say(this.language.has(`failure.${code}`) ? `failure.${code}` : "failure.OTHER"), " ", h("bdi", { lang: "en", class: "small" }, message)];
  }

  /** Where an error is explained; a deployment that doesn't know its own address tells a path. @param {string} address */
  documentationLink(address) {
    return h("a", { href: webAddress(new URL(address, this.api.address).href), target: "_blank", rel: "noopener noreferrer" }, this.say("error.more"));
  }

  /** A text of the catalogue. @param {string} key @param {Record<string, unknown>} [values] */
  say(key, values) {
    return this.language.say(key, values);
  }

  /** What an event is called. @param {string} type */
  eventText(type) {
    return this.language.has(`event.${type}`) ? this.say(`event.${type}`) : type;
  }

  /** @param {Money | null | undefined} money */
  money(money) {
    return shown(this.language.locale, money);
  }

  /** A calendar date. @param {string | null | undefined} date */
  day(date) {
    return dates.day(this.language.locale, date);
  }

  /** A moment as words. @param {string | null | undefined} at */
  at(at) {
    return dates.moment(this.language.locale, at);
  }

  /** A moment, exact for machines. @param {string | null | undefined} at */
  moment(at) {
    return at && h("time", { datetime: at }, this.at(at));
  }

  /** Nothing to show yet. */
  waiting() {
    return h("p", { class: "faint", "aria-busy": "true" }, this.failure ? "" : this.contract ? this.say("waiting") : this.say("nothing"));
  }
}

/** Register an element, once. @param {string} tag @param {CustomElementConstructor} element */
export function define(tag, element) {
  if (!customElements.get(tag)) customElements.define(tag, element);
}
