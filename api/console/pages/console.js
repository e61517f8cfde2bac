/**
 * Owns the frame of the console: who is signed in, where one can go, and which page the address behind `#` names.
 *
 * One event stream tells the page that is shown that something happened; the page of a contract has its own.
 */
import { EarnestSession, Failed, gql } from "../core/api.js";
import { h, words } from "../core/dom.js";
import { offer, want } from "../core/later.js";
import { follow } from "../core/stream.js";
import { isBarred, isLimited, Page, to, VIEWER } from "./page.js";
import { arrive, end, keep, takeCode } from "./session.js";
import { LANGUAGES, speak } from "./speech.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {{tag: string, subject: string | null, name: string, prepared: string | null}} Place */
/** @typedef {import("./session.js").Who} Who @typedef {import("./session.js").Choice} Choice */

const WHO = gql`query Viewer { viewer { ${VIEWER} isSandbox account { name isOperator isMediator } } }`;

/** Whether somebody proposes contracts; whoever is limited to some of them doesn't. @param {Answer} viewer */
const mayPropose = (viewer) =>
  viewer.kind === "ACCOUNT" && ["MANAGER", "OWNER"].includes(viewer.role) && viewer.scopes.includes("CONTRACTS_WRITE") && !isLimited(viewer);

/** By the first word of the address: the element, and for whom it is. @type {Record<string, {tag: string, one?: string, listens: boolean, isFor: (viewer: Answer) => boolean}>} */
const PAGES = {
  contracts: { tag: "earnest-page-contracts", one: "earnest-page-contract", listens: true, isFor: () => true },
  money: { tag: "earnest-page-money", listens: true, isFor: (viewer) => !viewer.account.isOperator },
  deliveries: { tag: "earnest-page-deliveries", one: "earnest-page-deliveries", listens: false, isFor: (viewer) => viewer.scopes.includes("WEBHOOKS_MANAGE") && !isBarred(viewer) },
  access: { tag: "earnest-page-access", listens: false, isFor: (viewer) => !isBarred(viewer) },
  calendar: { tag: "earnest-page-calendar", listens: false, isFor: (viewer) => !viewer.sessionId || !isLimited(viewer) },
  operator: { tag: "earnest-page-operator", listens: true, isFor: ({ kind, scopes, account }) => (kind === "OPERATOR" && account.sessions) || (scopes.includes("DISPUTES_DECIDE") && (account.isMediator || account.isOperator)) },
  propose: { tag: "earnest-page-propose", listens: false, isFor: () => false },
};

offer({
  "earnest-page-contracts": () => import("./contracts.js"),
  "earnest-page-contract": () => import("./contract.js"),
  "earnest-page-propose": () => import("./propose.js"),
  "earnest-page-money": () => import("./money.js"),
  "earnest-page-deliveries": () => import("./deliveries.js"),
  "earnest-page-access": () => import("./access.js"),
  "earnest-page-calendar": () => import("./calendar.js"),
  "earnest-page-operator": () => import("./operator.js"),
  "earnest-page-signin": () => import("./signin.js"),
  "earnest-test-clock": () => import("./testclock.js"),
});

const SETTLING_MS = 100;

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
.skip:not(:focus) { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
header { border-block-end: 1px solid var(--line); padding-block-end: .75rem; margin-block-end: 1rem; }
nav a { text-decoration: none; padding: .35rem .1rem; display: inline-block; }
nav a[aria-current] { color: inherit; font-weight: 600; border-block-end: 2px solid var(--accent); }
header select { width: auto; }
h1 { font-size: 1.5em; margin: 0; visibility: visible; } h1:focus { outline: none; }
`);

export class Console extends Page {
  /** @type {(() => void) | null} */ #stopFollowing = null;
  /** What becomes of a link. @type {"" | "opening" | import("./session.js").Came} */ #link = "";
  /** Who is signed in, whose link it is, and what is to be told which of both it should be. @type {{here: Who, there: Who, answer: (choice: Choice) => void} | null} */ #question = null;
  #openings = 0;
  #asking = 0;
  /** Whether the session ended while the page is shown. */ #isOver = false;

  constructor() {
    super();
    /** @type {ShadowRoot} */ (this.shadowRoot).adoptedStyleSheets.push(sheet);
  }

  connectedCallback() {
    super.connectedCallback();
    const routed = (/** @type {HashChangeEvent} */ { oldURL }) => {
      const code = takeCode(new URL(oldURL).hash);
      if (code) void this.open(code);
      else this.#moveOn();
    };
    window.addEventListener("hashchange", routed, this.stay);
    this.addEventListener("earnest-done", () => this.#askSoon());
    this.addEventListener("earnest-failure", (/** @type {any} */ { detail }) => this.#hear(detail));
  }

  get #place() {
    const [, name = "", subject = null, prepared = null] = /^#\/?([^/?]*)\/?([^/?]+)?\/?(.+)?$/s.exec(location.hash) ?? [];
    const known = Object.hasOwn(PAGES, name) ? name : "contracts";
    const page = PAGES[known];
    return { name: known, subject: subject && page?.one ? subject : null, tag: (subject && page?.one) || page?.tag || "", prepared };
  }

  start() {
    this.#isOver = false;
    this.whenLeft(() => this.#stopFollowing?.());
    super.start();
  }

  async load() {
    if (!EarnestSession.token) return { viewer: null };
    want(this.#place.tag);
    try {
      const data = await this.api.ask(WHO);
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
    const onConnection = (/** @type {string} */ connection, /** @type {Failed | null} */ error) => {
      if (error) this.#hear(error);
      else if (connection === "live") this.#askSoon(); // no event tells what happened since the page's first answer
    };
    this.#stopFollowing = follow(this.api, { onEvent: () => this.#askSoon(), onConnection });
  }

  /** A session that is over takes nothing from the page, on which somebody may be writing; it is said there. @param {Failed} error */
  #hear({ code }) {
    if (code !== "UNAUTHENTICATED") return;
    this.#isOver = true;
    this.render();
  }

  /** A session ends at the server, too, if it can be reached; the tab forgets it whatever comes of that. @param {Answer} viewer */
  #signOut({ sessionId }) {
    end(EarnestSession.token, { sessionId });
    keep(null);
  }

  /** Open a link; the page stays as it is until it is known what comes of that. @param {string | null} code null for the one that was asked about */
  async open(code) {
    this.#question?.answer("stay");
    const opening = (this.#openings += 1);
    this.#link = "opening";
    this.render();
    const came = await arrive(code, (here, there) => this.#ask(here, there));
    if (opening !== this.#openings) return;
    this.#link = came;
    if (came === "opened") history.replaceState(null, "", location.pathname + location.search);
    this.#goTo();
  }

  /** @param {Who} here @param {Who} there @returns {Promise<Choice>} */
  #ask(here, there) {
    return new Promise((resolve) => {
      this.#question = { here, there, answer: (choice) => ((this.#question = null), resolve(choice)) };
      this.renderNow();
      this.shadowRoot?.getElementById("question")?.focus();
    });
  }

  /** Once for all that happens at about the same time. */
  #askSoon() {
    clearTimeout(this.#asking);
    this.#asking = window.setTimeout(() => this.#askAgain(), SETTLING_MS);
  }

  #askAgain() {
    for (const page of this.shadowRoot?.querySelectorAll("[data-page]") ?? []) void /** @type {Partial<Page>} */ (page).reload?.();
  }

  /** What was said of a link is read by now. */
  #moveOn() {
    if (this.#link !== "opening") this.#link = "";
    this.#goTo();
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
    if (this.#isOpening) return this.say("pages.link.opening");
    return this.say(this.data?.viewer ? `pages.title.${this.#place.name}` : "pages.title.signin");
  }

  /** @returns {import("../core/dom.js").Children} */
  view() {
    return [
      this.#headView(),
      h("main", { key: "main", id: "main", tabindex: "-1", class: "stack" },
        h("h1", { tabindex: "-1" }, this.#title()),
        this.#linkView(),
        this.#overView(),
        this.data && !this.#isOpening ? this.#pageView(this.data) : super.view()),
    ];
  }

  /** Whether nobody is signed in yet, and somebody may be in a moment. */
  get #isOpening() {
    return this.#link === "opening" && !this.data?.viewer;
  }

  /** What came of a link, or what it has to be known for. */
  #linkView() {
    if (this.#question) return this.#questionView(this.#question);
    if (!["used", "failed", "kept"].includes(this.#link)) return null;
    const isKept = this.data?.viewer ? h("span", null, " ", this.say("pages.link.stays")) : null;
    return h("p", { key: "link", class: this.#link === "kept" ? "tells" : "says", role: "alert" }, this.say(`pages.link.${this.#link}`), isKept);
  }

  /** That the session is over, and the way to the next; what was written and not sent can still be copied. */
  #overView() {
    if (!this.#isOver || !this.data?.viewer) return null;
    return h("div", { key: "over", class: "says stack", role: "alert" },
      h("p", null, this.say("pages.signin.over"), " ", this.say("pages.signin.unsent")),
      h("p", null, h("button", { type: "button", onclick: () => keep(null) }, this.say("pages.title.signin"))));
  }

  /** @param {{here: Who, there: Who, answer: (choice: Choice) => void}} question */
  #questionView({ here, there, answer }) {
    const named = (/** @type {Who} */ { name, role }) => [words(name), " ", h("span", { class: "tag" }, this.called("role", role))];
    return h("section", { key: "question", class: "card stack", "aria-labelledby": "question" },
      h("h2", { id: "question", tabindex: "-1" }, this.say("pages.link.title")),
      h("dl", { class: "facts" }, h("dt", null, this.say("pages.link.here")), h("dd", null, named(here)), h("dt", null, this.say("pages.link.there")), h("dd", null, named(there))),
      h("p", null, this.say("pages.link.says")),
      h("div", { class: "row" },
        h("button", { key: "stay", type: "button", class: "main", onclick: () => answer("stay") }, this.say("pages.link.stay", { name: here.name })),
        h("button", { key: "beside", type: "button", onclick: () => answer("beside") }, this.say("pages.link.beside", { name: there.name })),
        h("button", { key: "replace", type: "button", onclick: () => answer("replace") }, this.say("pages.link.replace", { name: there.name }))));
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
    if (!viewer) return h("earnest-page-signin", { key: `signin ${isOver}`, lang, reason: isOver ? "over" : null });
    const { tag, subject, prepared } = this.#place;
    const key = [tag, subject, prepared, viewer.accountId, viewer.memberId].join(" "); // what one has written on a page isn't another's
    return h(tag, { key, "data-page": "", subject, prepared, proposes: mayPropose(viewer), lang });
  }
}
