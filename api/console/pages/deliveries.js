/**
 * Owns the page about webhooks: endpoints, made, changed, tried and deleted, and of one endpoint all that was sent to it.
 */
import { gql } from "../core/api.js";
import { h, words } from "../core/dom.js";
import { define } from "../core/element.js";
import { ERRORS, isLimited, isOwner, listOf, Page, to, VIEWER } from "./page.js";

/** @typedef {import("../core/api.js").Answer} Answer @typedef {import("./page.js").PageField} PageField */

const ENDPOINT = "id url description eventTypes contractIds state disabledReason version secrets { algorithm createdAt expiresAt }";

const ENDPOINTS = gql`query Endpoints { viewer { ${VIEWER} } webhookEndpoints { ${ENDPOINT} } }`;

const CREATE = gql`mutation CreateEndpoint($input: CreateWebhookEndpointInput!, $key: String!) { done: createWebhookEndpoint(input: $input) @idempotent(key: $key) { ${ERRORS} secret webhookEndpoint { id } } }`;
const UPDATE = gql`mutation UpdateEndpoint($input: UpdateWebhookEndpointInput!, $key: String!) { done: updateWebhookEndpoint(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const ENABLE = gql`mutation EnableEndpoint($input: EnableWebhookEndpointInput!, $key: String!) { done: enableWebhookEndpoint(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const DISABLE = gql`mutation DisableEndpoint($input: DisableWebhookEndpointInput!, $key: String!) { done: disableWebhookEndpoint(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const DELETE = gql`mutation DeleteEndpoint($input: DeleteWebhookEndpointInput!, $key: String!) { done: deleteWebhookEndpoint(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
const ROTATE = gql`mutation RotateSecret($input: RotateWebhookSecretInput!, $key: String!) { done: rotateWebhookSecret(input: $input) @idempotent(key: $key) { ${ERRORS} secret } }`;

const SCOPE = "WEBHOOKS_MANAGE";

/** Whether somebody says where events are sent: whoever does must be able to read what is sent, too. @param {Answer} viewer */
const mayWrite = (viewer) => isOwner(viewer, SCOPE) && isOwner(viewer, "CONTRACTS_READ");

export class DeliveriesPage extends Page {
  async load() {
    const { viewer, webhookEndpoints } = await this.api.ask(ENDPOINTS);
    return { viewer, endpoints: webhookEndpoints };
  }

  content(/** @type {Answer} */ { viewer, endpoints }) {
    const endpoint = endpoints.find((/** @type {Answer} */ one) => one.id === this.subject);
    if (this.subject) return endpoint ? this.#oneView(endpoint, viewer) : h("p", null, this.say("pages.notFound"));
    return [
      endpoints.length === 0 && h("p", { key: "none", class: "faint" }, this.say("pages.noEndpoints")),
      h("ul", { key: "list", class: "stack" }, endpoints.map((/** @type {Answer} */ one) => h("li", { key: one.id, class: "card stack" }, this.#endpointView(one)))),
      mayWrite(viewer) && h("section", { key: "new", class: "card stack" }, h("h2", null, this.say("pages.newEndpoint")), this.byKey(viewer, this.form("endpoint", fieldsOf(viewer), "pages.create", (typed) => ({
        document: CREATE,
        input: inputOf(typed),
        done: ({ secret }) => secret && this.reveal("pages.newSecret", secret),
      })))),
    ];
  }

  /** @param {Answer} endpoint */
  #endpointView({ id, url, description, state, disabledReason, eventTypes, contractIds, secrets }) {
    return [
      h("div", { class: "row between" }, h("h2", null, h("a", { href: to("deliveries", id), dir: "ltr" }, url)), h("span", { class: state === "ENABLED" ? "tag good" : "tag bad" }, this.called("webhook", state))),
      description && words(description),
      h("dl", { class: "facts" },
        this.fact("pages.disabledReason", disabledReason && this.called("webhook", disabledReason)),
        this.fact("pages.eventTypes", h("span", { dir: "ltr" }, eventTypes.length > 0 ? eventTypes.join(", ") : "*")),
        this.fact("pages.contractIds", contractIds && h("span", { dir: "ltr" }, contractIds.join(", "))),
        this.fact("pages.secrets", secrets.map((/** @type {Answer} */ one) => h("div", { key: one.createdAt }, `${one.algorithm} `, this.moment(one.createdAt), one.expiresAt && [" – ", this.moment(one.expiresAt)])))),
    ];
  }

  /** @param {Answer} endpoint @param {Answer} viewer */
  #oneView(endpoint, viewer) {
    const { id, state } = endpoint;
    const input = { endpointId: id };
    const gone = () => (location.hash = to("deliveries"));
    return [
      h("p", { key: "back" }, h("a", { href: to("deliveries") }, this.say("pages.back"))),
      h("div", { key: "endpoint", class: "card stack" }, this.#endpointView(endpoint),
        isOwner(viewer, SCOPE) && h("div", { class: "row" },
          state === "ENABLED" ? this.button("disable", "pages.disable", () => ({ document: DISABLE, input }), { really: true }) : this.byKey(viewer, this.button("enable", "pages.enable", () => ({ document: ENABLE, input }))),
          !viewer.sessionId && this.button("rotate", "pages.rotate", () => ({ document: ROTATE, input, done: ({ secret }) => secret && this.reveal("pages.newSecret", secret) }), { really: true }),
          this.button("delete", "pages.delete", () => ({ document: DELETE, input, done: gone }), { really: true })),
        mayWrite(viewer) && h("details", null, h("summary", null, this.say("pages.change")),
          this.byKey(viewer, this.form("change", fieldsOf(viewer, endpoint), "pages.save", (typed) => ({ document: UPDATE, input: { ...inputOf(typed), ...input, expectedVersion: endpoint.version } }))))),
      h("earnest-deliveries", { key: "deliveries", webhook: id, lang: this.language.locale }),
    ];
  }
}

/** @param {Answer} viewer @param {Answer} [endpoint] @returns {PageField[]} */
const fieldsOf = (viewer, endpoint) => [
  { name: "url", type: "url", required: true, value: endpoint?.url ?? "" },
  { name: "description", value: endpoint?.description ?? "" },
  { name: "eventTypes", value: endpoint?.eventTypes.join(" ") ?? "", hint: "pages.eventTypesHint" },
  { name: "contractIds", value: endpoint?.contractIds?.join(" ") ?? "", ...(isLimited(viewer) ? { required: true } : { hint: "pages.contractIdsHint" }) },
];

/** @param {Answer} typed */
const inputOf = ({ url, description, eventTypes, contractIds }) => ({
  url,
  description,
  eventTypes: listOf(eventTypes),
  contractIds: listOf(contractIds),
});

define("earnest-page-deliveries", DeliveriesPage);
