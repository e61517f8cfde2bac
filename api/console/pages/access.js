/**
 * Owns the page about who may do what for the account: keys, sessions and the links that open them, and members.
 */
import { gql } from "../core/api.js";
import { h, words } from "../core/dom.js";
import { define } from "../core/element.js";
import { ERRORS, isBarred, isLimited, isOwner, listOf, Page } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {import("./page.js").PageField} PageField */

const ACCESS = gql`query Access {
  viewer {
    kind accountId memberId keyId sessionId role scopes
    account {
      name members { id person name role addedAt removedAt }
      apiKeys { id name hint scopes contractIds createdAt expiresAt revokedAt lastUsedAt }
      sessions(last: 50) { nodes { id memberId scopes contractIds origins hint isWaiting expiresAt endedAt } }
    }
  }
}`;

const CREATE_KEY = gql`mutation CreateKey($input: CreateApiKeyInput!, $key: String!) { done: createApiKey(input: $input) @idempotent(key: $key) { ${ERRORS} secret } }`;
const REVOKE_KEY = gql`mutation RevokeKey($input: RevokeApiKeyInput!, $key: String!) { done: revokeApiKey(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const CREATE_LINK = gql`mutation CreateLink($input: CreateSessionLinkInput!, $key: String!) { done: createSessionLink(input: $input) @idempotent(key: $key) { ${ERRORS} url } }`;
const REVOKE_SESSION = gql`mutation RevokeSession($input: RevokeSessionInput!, $key: String!) { done: revokeSession(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const ADD_MEMBER = gql`mutation AddMember($input: AddMemberInput!, $key: String!) { done: addMember(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const REMOVE_MEMBER = gql`mutation RemoveMember($input: RemoveMemberInput!, $key: String!) { done: removeMember(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;

const ROLES = ["VIEWER", "MEMBER", "MANAGER", "OWNER"];
const SCOPES = ["CONTRACTS_READ", "CONTRACTS_WRITE", "MONEY_WRITE", "WEBHOOKS_MANAGE", "DISPUTES_DECIDE", "OPERATOR"];
const HOUR_SECONDS = 3600;

const sheet = new CSSStyleSheet();
sheet.replaceSync("input[type=checkbox] { min-height: 1.25rem; width: 1.25rem; margin: 0; }");

export class AccessPage extends Page {
  constructor() {
    super();
    /** @type {ShadowRoot} */ (this.shadowRoot).adoptedStyleSheets.push(sheet);
  }

  async load() {
    return this.api.ask(ACCESS);
  }

  content(/** @type {Answer} */ { viewer }) {
    const { account } = viewer;
    const parts = [
      this.#list("pages.sessions", account.sessions?.nodes.toReversed(), (one) => this.#sessionView(one, viewer), mayLink(viewer) && this.byKey(viewer, this.#linkForm(viewer))),
      this.#list("pages.keys", account.apiKeys, (one) => this.#keyView(one, viewer), isOwner(viewer, "CONTRACTS_WRITE") && this.byKey(viewer, this.#keyForm(viewer))),
      this.#list("pages.members", account.members?.filter((/** @type {Answer} */ one) => !one.removedAt), (one) => this.#memberView(one, viewer), !isLimited(viewer) && isOwner(viewer, "MONEY_WRITE") && this.byKey(viewer, this.#memberForm(viewer))),
    ];
    return parts.some(Boolean) ? parts : h("p", { key: "nothing" }, this.say("pages.notFound"));
  }

  /**
   * What somebody sees of a kind and can make; whoever is limited to some contracts sees none of it, and nothing is said of how many there are.
   * @param {string} label @param {Answer[] | null | undefined} things @param {(thing: Answer) => import("../core/dom.js").Children} view @param {import("../core/dom.js").Children} form
   */
  #list(label, things, view, form) {
    if (!things && !form) return null;
    return h("section", { key: label, class: "card stack", "aria-labelledby": label },
      h("h2", { id: label }, this.say(label)),
      things?.length === 0 && h("p", { class: "faint" }, this.say("pages.none")),
      things && h("ul", { class: "stack" }, things.map((thing) => h("li", { key: thing.id, class: "row between" }, view(thing)))),
      form && h("details", null, h("summary", null, this.say("pages.new")), form));
  }

  /** @param {Answer} one */
  #boundsView({ scopes, contractIds, expiresAt, lastUsedAt, origins }) {
    return h("dl", { class: "facts small" },
      this.fact("pages.scopes", scopes.map((/** @type {string} */ scope) => this.called("scope", scope)).join(", ")),
      this.fact("pages.contractIds", contractIds && h("span", { dir: "ltr" }, contractIds.join(", "))),
      this.fact("pages.origins", origins?.length > 0 && h("span", { dir: "ltr" }, origins.join(", "))),
      this.fact("pages.expires", expiresAt && this.moment(expiresAt)),
      this.fact("pages.lastUsed", lastUsedAt && this.moment(lastUsedAt)));
  }

  /** @param {Answer} key @param {Answer} viewer */
  #keyView(key, viewer) {
    return [
      h("div", { class: "stack" }, h("span", null, words(key.name), " ", h("code", { dir: "ltr" }, key.hint)), this.#boundsView(key)),
      key.revokedAt ? h("span", { class: "tag" }, this.say("pages.revoked")) : isOwner(viewer, "CONTRACTS_WRITE") && this.button(key.id, "pages.revoke", () => ({ document: REVOKE_KEY, input: { keyId: key.id } }), { really: true, about: key.name }),
    ];
  }

  /** @param {Answer} session @param {Answer} viewer */
  #sessionView(session, viewer) {
    const { id, memberId, hint, isWaiting, endedAt } = session;
    const isOwn = id === viewer.sessionId || (memberId !== null && memberId === viewer.memberId);
    return [
      h("div", { class: "stack" }, h("span", null, h("code", { dir: "ltr" }, hint), " ", isWaiting && h("span", { class: "tag" }, this.say("pages.waits"))), this.#boundsView(session)),
      endedAt ? h("span", { class: "tag" }, this.say("pages.revoked")) : (isOwn || isOwner(viewer, "CONTRACTS_WRITE")) && this.button(id, "pages.revoke", () => ({ document: REVOKE_SESSION, input: { sessionId: id } }), { really: true, about: hint }),
    ];
  }

  /** @param {Answer} member @param {Answer} viewer */
  #memberView({ id, name, person, role }, viewer) {
    return [
      h("span", null, words(name), " ", words(person, { class: "faint" }), " ", h("span", { class: "tag" }, this.called("role", role))),
      isOwner(viewer, "MONEY_WRITE") && this.button(id, "pages.remove", () => ({ document: REMOVE_MEMBER, input: { memberId: id } }), { really: true, about: name }),
    ];
  }

  /** One box for each scope that the viewer has. @param {Answer} viewer @returns {PageField[]} */
  #scopeFields({ scopes }) {
    return SCOPES.filter((scope) => scopes.includes(scope)).map((scope) => ({ name: scope, label: `scope.${scope}`, type: "checkbox", value: scope === "OPERATOR" ? "" : "on" }));
  }

  /** @param {Answer} viewer */
  #linkForm(viewer) {
    const fields = [{ name: "hours", type: "number", value: "1", hint: "pages.hoursHint" }, { name: "contractIds", hint: "pages.contractIdsHint" }, ...this.#scopeFields(viewer)];
    return this.form("link", fields, "pages.createLink", (typed) => ({
      document: CREATE_LINK,
      input: { lifetimeSeconds: Math.round(Number(typed.hours) * HOUR_SECONDS), contractIds: listOf(typed.contractIds), scopes: chosen(typed) },
      done: ({ url }) => url && this.reveal("pages.newLink", new URL(url, location.href).href),
    }));
  }

  /** @param {Answer} viewer */
  #keyForm(viewer) {
    const fields = [{ name: "name", required: true }, { name: "contractIds", ...contractsOf(viewer) }, ...this.#scopeFields(viewer)];
    return this.form("key", fields, "pages.create", (typed) => ({
      document: CREATE_KEY,
      input: { accountId: viewer.accountId, name: typed.name, contractIds: listOf(typed.contractIds), scopes: chosen(typed) },
      done: ({ secret }) => secret && this.reveal("pages.newKey", secret),
    }));
  }

  /** @param {Answer} viewer */
  #memberForm({ accountId }) {
    /** @type {PageField[]} */
    const fields = [{ name: "name", required: true }, { name: "person", required: true, hint: "pages.personHint" }, { name: "role", type: "select", options: ROLES, told: (role) => this.called("role", role) }];
    return this.form("member", fields, "pages.add", (typed) => ({ document: ADD_MEMBER, input: { accountId, ...typed } }));
  }
}

/** Whoever is limited to some contracts makes keys for some of those, and none for all. @param {Answer} viewer */
const contractsOf = (viewer) => (isLimited(viewer) ? { required: true } : { hint: "pages.contractIdsHint" });

/** Whether somebody makes links: whoever reads contracts, by a key of the account's or of a member's. @param {Answer} viewer */
const mayLink = (viewer) =>
  !isBarred(viewer) && (viewer.kind === "OPERATOR" || viewer.scopes.includes("CONTRACTS_READ")) && Boolean(viewer.keyId ?? viewer.sessionId ?? !viewer.memberId);

/** @param {Record<string, any>} typed */
const chosen = (typed) => SCOPES.filter((scope) => typed[scope]);

define("earnest-page-access", AccessPage);
