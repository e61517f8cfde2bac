/**
 * Owns the frame of the console: who is signed in, where one can go, and which page the address behind `#` names.
 *
 * One event stream tells the page that is shown that something happened; the page of a contract has its own.
 */
import { EarnestSession, Failed, gql, newKey } from "../core/api.js";
import { COMMANDS } from "../core/commands.js";
import { h, words } from "../core/dom.js";
import { follow } from "../core/stream.js";
import { Page, to } from "./page.js";
import { keep, refusedLink } from "./session.js";
import { LANGUAGES, speak } from "./speech.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {{tag: string, subject: string | null, name: string, prepared: string | null}} Place */

const VIEWER = gql`query Viewer { viewer { kind role scopes accountId sessionId isSandbox account { name isOperator isMediator } } }`;
const END = gql`mutation EndOwnSession($input: RevokeSessionInput!, $key: String!) { done: revokeSession(input: $input) @idempotent(key: $key) { userErrors { code } } }`;

/** By the first word of the address: the element, and for whom it is. @type {Record<string, {tag: string, one?: string, listens: boolean, isFor: (viewer: Answer) => boolean}>} */
const PAGES = {
  contracts: { tag: "earnest-page-contracts", one: "earnest-page-contract", listens: true, isFor: () => true },
  money: { tag: "earnest-page-money", listens: true, isFor: (viewer) => !viewer.account.isOperator },
  deliveries: { tag: "earnest-page-deliveries", one: "earnest-page-deliveries", listens: false, isFor: (viewer) => viewer.scopes.includes("WEBHOOKS_MANAGE") },
  access: { tag: "earnest-page-access", listens: false, isFor: () => true },
  calendar: { tag: "earnest-page-calendar", listens: false, isFor: () => true },
  operator: { tag: "earnest-page-operator", listens: true, isFor: (viewer) => viewer.scopes.some((/** @type {string} */ one) => ["OPERATOR", "DISPUTES_DECIDE"].includes(one)) },
  propose: { tag: "earnest-page-propose", listens: false, isFor: () => false },
};

const SETTLING_MS = 60;

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
.skip:not(:focus) { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
header { border-block-end: 1px solid var(--line); padding-block-end: .75rem; margin-block-end: 1rem; }
nav a { text-decoration: none; padding: .35rem .1rem; display: inline-block; }
nav a[aria-current] { color: inherit; font-weight: 600; border-block-end: 2px solid var(--accent); }
header select { width: auto; }
h1 { font-size: 1.5em; margin: 0; } h1:focus { outline: none; }
`);

export class Console extends Page {
  /** @type {(() => void) | null} */ #stopFollowing = null;

  constructor() {
    super();
    /** @type {ShadowRoot} */ (this.shadowRoot).adoptedStyleSheets.push(sheet);
  }

  connectedCallback() {
    const routed = () => this.#goTo();
    window.addEventListener("hashchange", routed);
    this.whenLeft(() => window.removeEventListener("hashchange", routed), true);
    this.addEventListener("earnest-done", () => this.#askAgain());
    this.addEventListener("earnest-failure", (/** @type {any} */ { detail, target }) => target !== this && detail.code === "UNAUTHENTICATED" && void this.reload());
    super.connectedCallback();
  }

  get #place() {
    const [path = "", values = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
    const [name = "", subject = null, ...prepared] = path.split("/");
    const known = Object.hasOwn(PAGES, name) ? name : "contracts";
    const page = PAGES[known];
    return { name: known, subject: subject && page?.one ? subject : null, tag: (subject && page?.one) || page?.tag || "", prepared: preparedBy(prepared, values) };
  }

  start() {
    this.whenLeft(() => this.#stopFollowing?.());
    super.start();
  }

  async load() {
    if (!EarnestSession.token) return { viewer: null };
    try {
      const data = await this.api.ask(VIEWER);
      this.#listen();
      return data;
    } catch (error) {
      if (error instanceof Failed && error.code === "UNAUTHENTICATED") return { viewer: null, isOver: true };
      throw error;
    }
  }

  /** Have the page that is shown ask again when something happens, once for all that happens at about the same time. */
  #listen() {
    this.#stopFollowing?.();
    const { name, subject } = this.#place;
    if (!PAGES[name]?.listens || subject) return;
    let timer = 0;
    const onEvent = () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => this.#askAgain(), SETTLING_MS);
    };
    const onConnection = (/** @type {string} */ _, /** @type {Failed | null} */ error) => error && void this.reload();
    this.#stopFollowing = follow(this.api, { onEvent, onConnection });
  }

  /** A session ends at the server, too, if it can be reached; the tab forgets it whatever comes of that. @param {Answer} viewer */
  #signOut({ sessionId }) {
    if (sessionId) this.api.command(END, { sessionId }, newKey()).catch(() => null);
    keep(null);
  }

  #askAgain() {
    for (const page of this.shadowRoot?.querySelectorAll("[data-page]") ?? []) void /** @type {Page} */ (page).reload();
  }

  #goTo() {
    this.renderNow();
    if (this.data?.viewer) this.#listen();
    window.scrollTo(0, 0);
    /** @type {HTMLElement | null} */ (this.shadowRoot?.querySelector("h1"))?.focus();
  }

  rendered() {
    document.title = `${this.#title()} – Earnest`;
  }

  #title() {
    return this.say(this.data?.viewer ? `pages.title.${this.#place.name}` : "pages.title.signin");
  }

  /** @returns {import("../core/dom.js").Children} */
  view() {
    return [
      this.#headView(),
      h("main", { key: "main", id: "main", tabindex: "-1", class: "stack" },
        h("h1", { tabindex: "-1" }, this.#title()),
        this.data ? this.#pageView(this.data) : super.view()),
    ];
  }

  #headView() {
    const viewer = this.data?.viewer;
    return h("header", { key: "head", class: "stack" },
      h("a", { key: "skip", class: "skip", href: "#main", onclick: (/** @type {any} */ event) => (event.preventDefault(), this.shadowRoot?.getElementById("main")?.focus()) }, this.say("pages.skip")),
      h("div", { class: "row between" },
        h("strong", null, "Earnest"),
        h("div", { class: "row" },
          viewer && h("span", { key: "who" }, words(viewer.account.name), " ", h("span", { class: "tag" }, this.called("role", viewer.role))),
          h("label", { key: "label", class: "sr", for: "language" }, this.say("pages.language")),
          h("select", { key: "language", id: "language", onchange: (/** @type {any} */ event) => void speak(event.target.value).then(() => this.restart()) },
            Object.entries(LANGUAGES).map(([language, name]) => h("option", { key: language, value: language, lang: language, selected: language === this.language.language }, name))),
          viewer && h("button", { key: "out", type: "button", onclick: () => this.#signOut(viewer) }, this.say("pages.signOut")))),
      viewer && h("nav", { key: "nav", "aria-label": this.say("pages.nav") }, h("ul", { class: "row" }, this.#links(viewer))),
      viewer?.isSandbox && h("earnest-test-clock", { key: "clock", class: "card", "data-page": "", lang: this.language.locale }));
  }

  /** @param {Answer} viewer */
  #links(viewer) {
    const here = this.#place.name;
    const own = Object.entries(PAGES).filter(([, page]) => page.isFor(viewer));
    return [
      ...own.map(([name]) => h("li", { key: name }, h("a", { href: to(name), "aria-current": name === here ? "page" : null }, this.say(`pages.title.${name}`)))),
      h("li", { key: "/graphql" }, h("a", { href: "/graphql" }, this.say("pages.explorer"))),
      h("li", { key: "/docs" }, h("a", { href: "/docs" }, this.say("pages.docs"))),
    ];
  }

  /** @param {Answer} data */
  #pageView({ viewer, isOver }) {
    const lang = this.language.locale;
    if (!viewer) return h("earnest-page-signin", { key: "signin", lang, reason: isOver ? "over" : refusedLink ? "used" : null });
    const { tag, subject, prepared } = this.#place;
    return h(tag, { key: `${tag} ${subject ?? ""} ${prepared ?? ""}`, "data-page": "", subject, prepared, lang });
  }
}

/**
 * What an address has prepared, `/APPROVE/mil_…?{"message":"…"}`, as JSON; null if nothing, or nothing that could be meant.
 * @param {string[]} path @param {string} values
 */
function preparedBy([action, on], values) {
  if (!action || !on || !Object.hasOwn(COMMANDS, action)) return null;
  try {
    const given = values ? JSON.parse(decodeURIComponent(values)) : {};
    const areNamed = typeof given === "object" && given !== null && !Array.isArray(given);
    return areNamed ? JSON.stringify({ action, on, values: given }) : null;
  } catch {
    return null;
  }
}
