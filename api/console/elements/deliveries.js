/**
 * Owns `<earnest-deliveries>`: what was sent to the account's endpoints, each attempt with its answer, and sending again.
 *
 * `webhook` names one endpoint, `contract` keeps to one contract; without either it is all that the account has.
 */
import { gql, newKey, pause } from "../core/api.js";
import { documentOf } from "../core/commands.js";
import { h } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { refusalView } from "../core/refusals.js";
import { deliveriesTo, follow } from "../core/stream.js";

const DELIVERIES = gql`query Deliveries($filter: DeliveryFilter, $first: Int, $after: Cursor) {
  viewer { kind role }
  webhookEndpoints { id url state disabledReason }
  deliveries(filter: $filter, first: $first, after: $after) {
    nodes {
      id eventType kind state createdAt nextAttemptAt
      attempts(last: 10) { nodes { id trigger startedAt status error totalMs answer isLate } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const A_PAGE = 25;
/** Where deliveries are made by the hundred, they are asked for twice a second. */
const SETTLING_MS = 500;

const TONES = /** @type {Record<string, string>} */ ({ DELIVERED: "good", FAILED: "bad", PENDING: "now" });

export class EarnestDeliveries extends EarnestElement {
  static observedAttributes = [...EarnestElement.observedAttributes, "webhook", "state"];

  /** @type {Refusal[]} */ #refusals = [];
  #said = "";
  #since = "";
  #isSending = false;
  #isAsking = false;
  #isStale = false;

  start() {
    this.#isAsking = false;
    this.data = null;
    this.#refusals = [];
    this.#said = "";
    void this.#ask();
  }

  get #filter() {
    const state = this.getAttribute("state");
    return { endpointId: this.getAttribute("webhook"), contractId: this.contract || null, state: state ? state.split(" ") : null };
  }

  /** Whether the viewer may have something sent: managers and owners, and the operator always. */
  get #maySend() {
    const { kind, role } = this.data?.viewer ?? {};
    return kind === "OPERATOR" || role === "MANAGER" || role === "OWNER";
  }

  /** Ask for what is shown, as much of it as the API gives at once; whatever happens meanwhile is asked for in a while, once for all. */
  async #ask() {
    this.#isStale = this.#isAsking;
    if (this.#isAsking) return;
    this.#isAsking = true;
    const first = Math.min(100, Math.max(A_PAGE, this.data?.deliveries.nodes.length ?? 0));
    await this.askFor(DELIVERIES, { filter: this.#filter, first }, (data) => {
      if (!this.data && this.isConnected) this.#listen(data.webhookEndpoints);
      this.receive(data);
    });
    await pause(SETTLING_MS);
    this.#isAsking = false;
    if (this.#isStale && this.isConnected) void this.#ask();
  }

  /** @param {Answer[]} endpoints */
  #listen(endpoints) {
    const named = this.getAttribute("webhook");
    const onConnection = (/** @type {Connection} */ connection) => {
      if (connection === "live") void this.#ask(); // nothing tells what has changed since the last answer
    };
    for (const { id } of endpoints.filter((one) => !named || one.id === named).slice(0, 4)) {
      this.whenLeft(follow(this.api, { followed: deliveriesTo(id), onEvent: () => void this.#ask(), onConnection }));
    }
  }

  /** Ask for what comes after all that is shown. @param {Answer} data */
  #more(data) {
    const { nodes, pageInfo } = data.deliveries;
    void this.askFor(DELIVERIES, { filter: this.#filter, first: A_PAGE, after: pageInfo.endCursor }, ({ deliveries }) => {
      if (this.data && data !== this.data) return this.#more(this.data); // the list has begun anew meanwhile
      this.receive({ ...data, deliveries: { ...deliveries, nodes: [...nodes, ...deliveries.nodes] } });
    });
  }

  view() {
    const { data } = this;
    if (!data) return h("p", { class: "faint", "aria-busy": "true" }, this.failure ? "" : this.say("waiting"));
    const named = this.getAttribute("webhook");
    const { nodes, pageInfo } = data.deliveries;
    const endpoints = data.webhookEndpoints.filter((/** @type {Answer} */ one) => !named || one.id === named);
    return h("div", { class: "stack" },
      h("div", { key: "said", role: "status", "aria-live": "polite", class: "small" }, this.#said),
      this.#refusals.length > 0 && h("div", { key: "refusals", class: "says", role: "alert" }, this.#refusals.map((refusal) => refusalView(refusal, this))),
      endpoints.map((/** @type {Answer} */ endpoint) => this.#endpoint(endpoint)),
      nodes.length === 0 && h("p", { key: "none", class: "faint" }, this.say("deliveries.none")),
      h("ol", { key: "list", class: "stack", part: "list", "aria-label": this.say("deliveries.title") }, nodes.map((/** @type {Answer} */ one) => this.#delivery(one))),
      pageInfo.hasNextPage && h("button", { key: "more", type: "button", onclick: () => this.#more(data) }, this.say("deliveries.more")));
  }

  /** @param {Answer} endpoint */
  #endpoint({ id, url, state, disabledReason }) {
    const replay = () => void this.#send("replayEvents", { endpointId: id, since: new Date(this.#since).toISOString() }, "deliveries.replayed");
    return h("div", { key: id, role: "group", class: "card stack", part: "endpoint", "aria-labelledby": id },
      h("div", { class: "row between" }, h("p", { class: "label", id }, h("bdi", { dir: "ltr" }, url)), h("span", { class: `tag ${state === "ENABLED" ? "good" : "bad"}` }, this.say(`webhook.${state}`), disabledReason && ` (${this.say(`webhook.${disabledReason}`)})`)),
      this.#maySend && h("div", { class: "row" },
        h("button", { type: "button", "aria-disabled": this.#isSending ? "true" : null, onclick: () => void this.#send("sendTestEvent", { endpointId: id }, "deliveries.tested") }, this.say("deliveries.test")),
        h("label", { for: `since-${id}` }, this.say("deliveries.since")),
        h("span", null, h("input", { id: `since-${id}`, type: "datetime-local", value: this.#since, oninput: (event) => ((this.#since = event.target.value), this.render()) })),
        h("button", { type: "button", "aria-disabled": this.#isSending || !this.#since ? "true" : null, onclick: () => this.#since && replay() }, this.say("deliveries.replay"))));
  }

  /** @param {Answer} one */
  #delivery(one) {
    return h("li", { key: one.id, class: "card stack", part: "delivery" },
      h("div", { class: "row between" },
        h("span", null, h("strong", null, this.eventText(one.eventType)), " ", h("code", { class: "faint small", dir: "ltr" }, one.eventType)),
        h("span", { class: "row" }, one.kind !== "EVENT" && h("span", { class: "tag" }, this.say(`delivery.${one.kind}`)), h("span", { class: `tag ${TONES[one.state] ?? ""}` }, this.say(`delivery.${one.state}`)))),
      h("p", { class: "faint small" }, this.moment(one.createdAt), one.nextAttemptAt && [" · ", this.say("deliveries.next"), " ", this.moment(one.nextAttemptAt)]),
      h("details", { class: "small" }, h("summary", null, this.say("deliveries.attempts", { count: one.attempts.nodes.length })),
        h("ol", { class: "stack" }, one.attempts.nodes.map((/** @type {Answer} */ attempt) => this.#attempt(attempt)))),
      this.#maySend && h("div", null, h("button", { type: "button", "aria-disabled": this.#isSending ? "true" : null, onclick: () => void this.#send("redeliver", { deliveryId: one.id }, "deliveries.resent") }, this.say("deliveries.resend"))));
  }

  /** @param {Answer} attempt */
  #attempt({ id, trigger, startedAt, status, error, totalMs, answer, isLate }) {
    return h("li", { key: id },
      h("p", null, this.moment(startedAt), " · ", this.say(`delivery.${trigger}`), " · ", h("bdi", { class: error || status >= 300 ? "bad" : "good" }, error ? this.say(`attempt.${error}`) : status),
        totalMs !== null && ` · ${Math.round(totalMs)} ms`, isLate && ` · ${this.say("deliveries.late")}`),
      answer && h("pre", { class: "prose faint", dir: "auto" }, answer));
  }

  /** @param {string} mutation @param {Answer} input @param {string} said */
  async #send(mutation, input, said) {
    if (this.#isSending) return;
    this.#isSending = true;
    this.render();
    try {
      const done = await this.api.command(documentOf(mutation), input, newKey());
      this.#refusals = done.userErrors;
      this.#said = done.userErrors.length > 0 ? "" : this.say(said);
      void this.#ask();
    } catch (error) {
      this.fail(/** @type {any} */ (error));
    } finally {
      this.#isSending = false;
      this.render();
    }
  }
}

define("earnest-deliveries", EarnestDeliveries);
