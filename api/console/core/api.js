/**
 * Owns asking the API: the session of this page, the one way to send a GraphQL operation, and what can come of it.
 *
 * A refusal that a person can act on (`userErrors`) is an answer and no exception; everything else is a `Failed`.
 * The token stays in the memory of the page; `EarnestSession.keep` also writes it to the session storage of this one tab.
 */

/**
 * @typedef {{code: string, message: string, cause?: string | null, field: string | null, details: unknown, documentation: string}} Refusal
 * @typedef {Record<string, any>} Answer
 * @typedef {{payWith?: PayWith, remember?: boolean, endpoint?: string}} SessionOptions
 * @typedef {(charge: {amount: string, currency: string} | null) => Promise<string | null>} PayWith
 */

/** Where a tab keeps its session. */
export const KEPT = "earnest.session";
const PATIENCE_MS = 30_000;
const REPEATED_AT_MOST = 4;

/**
 * Marks a GraphQL document, so that tests and registrations find it; the text itself is what is sent.
 * @param {TemplateStringsArray} strings
 * @param {...string} parts
 */
export const gql = (strings, ...parts) => strings.reduce((text, next, at) => text + parts[at - 1] + next);

/** Something that was not answered: no network, no right to read, too much asked for, or a fault. */
export class Failed extends Error {
  /**
   * @param {string} code the code of the error, or NETWORK
   * @param {string} message
   * @param {string | null} documentation where it is explained
   * @param {number} retrySeconds how long to wait before asking again; 0 if nobody said so
   */
  constructor(code, message, documentation = null, retrySeconds = 0) {
    super(message);
    this.code = code;
    this.documentation = documentation;
    this.retrySeconds = retrySeconds;
  }
}

/** The session of the whole page. Elements that have no `session` of their own take this one. */
export class EarnestSession {
  /** @type {string | null} */
  static token = null;
  /** @type {string | null} */
  static endpoint = null;
  /** @type {PayWith | null} How to get a payment token of the provider's; null to ask the person for one. */
  static payWith = null;
  /** Tells `change` whenever another session is used. */
  static changes = new EventTarget();

  /**
   * Use a token for every element of the page; it is kept in memory only.
   * @param {string | null} token
   * @param {SessionOptions} [options]
   */
  static use(token, { payWith, endpoint, remember = false } = {}) {
    EarnestSession.token = token;
    EarnestSession.endpoint = endpoint ?? EarnestSession.endpoint;
    EarnestSession.payWith = payWith ?? EarnestSession.payWith;
    if (remember) keep(token);
    EarnestSession.changes.dispatchEvent(new Event("change"));
  }

  /** Use a token and keep it for reloads of this one tab. @param {string} token */
  static keep(token) {
    EarnestSession.use(token, { remember: true });
  }

  /** Take up what this tab has kept; says whether there was anything. */
  static resume() {
    const token = kept();
    if (token) EarnestSession.use(token);
    return token !== null;
  }

  /** Forget the token, here and in this tab. */
  static end() {
    EarnestSession.use(null, { remember: true });
  }
}

/** @param {string | null} token */
function keep(token) {
  try {
    if (token) sessionStorage.setItem(KEPT, token);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // A browser may keep storage from a page; the session then lasts until the page is left.
  }
}

/** @returns {string | null} */
function kept() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** The address of a deployment's GraphQL: the one that was named, or that of the server which sent this module, in the folder of its release. @param {string | null} [named] */
export function addressOf(named) {
  const base = named ?? EarnestSession.endpoint;
  if (!base) return new URL("../../../graphql", import.meta.url).href;
  return `${new URL(base, document.baseURI).href.replace(/\/+$/, "").replace(/\/graphql$/, "")}/graphql`;
}

/** @type {Map<string, Api>} */
const apis = new Map();

/**
 * The one `Api` for an address and a token: elements that share it share streams, too.
 * @param {string | null} [endpoint]
 * @param {string | null} [token]
 */
export function apiFor(endpoint = null, token = null) {
  const address = addressOf(endpoint);
  const used = token ?? EarnestSession.token;
  const name = `${address} ${used ?? ""}`;
  const api = apis.get(name) ?? new Api(address, used);
  apis.set(name, api);
  return api;
}

/** Asks one deployment by one token. */
export class Api {
  /** @param {string} address @param {string | null} token */
  constructor(address, token) {
    this.address = address;
    this.token = token;
  }

  /** @param {string} accept @returns {Record<string, string>} */
  headers(accept) {
    const headers = { accept, "content-type": "application/json" };
    return this.token ? { ...headers, authorization: `Bearer ${this.token}` } : headers;
  }

  /**
   * Ask a query. What was refused for being too much at once is asked again when there is room.
   * @param {string} document
   * @param {Answer} [variables]
   * @returns {Promise<Answer>} the data
   */
  async ask(document, variables = {}) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#send(document, variables);
      } catch (error) {
        if (!mayRepeat(error) || attempt === REPEATED_AT_MOST) throw error;
        await pause(1000 * Math.max(/** @type {Failed} */ (error).retrySeconds, 0.5 * attempt));
      }
    }
  }

  /**
   * Give a command. Its document has the aliased field `done` and takes `$input` and `$key`; the key names one intention, so that
   * sending it twice does it once. A lost answer is asked for again by the same key.
   * @param {string} document
   * @param {Answer} input
   * @param {string} key
   * @returns {Promise<Answer & {userErrors: Refusal[]}>} the payload: with its refusals, which are none if it was done
   */
  async command(document, input, key) {
    const { done } = await this.ask(document, { input, key });
    return done;
  }

  /** @param {string} query @param {Answer} variables @returns {Promise<Answer>} */
  async #send(query, variables) {
    const { answer, body } = await this.#post(JSON.stringify({ query, variables }));
    const [error] = body.errors ?? [];
    if (error) throw failure(error, Number(answer.headers.get("retry-after") ?? 0));
    if (!answer.ok || !body.data) throw new Failed("INTERNAL", `status ${answer.status}`);
    return body.data;
  }

  /** What is torn on its way, or is a proxy's word, is no answer either. @param {string} body @returns {Promise<{answer: Response, body: Answer}>} */
  async #post(body) {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const headers = this.headers("application/graphql-response+json, application/json");
    try {
      const answer = await fetch(this.address, { method: "POST", body, headers, signal, credentials: "omit", referrerPolicy: "no-referrer" });
      return { answer, body: await answer.json() };
    } catch (error) {
      throw new Failed("NETWORK", String(error));
    }
  }
}

/**
 * @param {{message: string, extensions?: Answer}} error as GraphQL tells it
 * @param {number} [retrySeconds]
 */
export function failure(error, retrySeconds = 0) {
  const { code = "INTERNAL", documentation = null } = error.extensions ?? {};
  return new Failed(code, error.message, documentation, retrySeconds);
}

/** Whether asking the same again can help. @param {unknown} error */
const mayRepeat = (error) => error instanceof Failed && ["RATE_LIMITED", "NETWORK", "GOING_AWAY"].includes(error.code);

const FINAL = ["UNAUTHENTICATED", "FORBIDDEN", "BAD_REQUEST", "NOT_FOUND", "QUERY_TOO_COMPLEX", "OTHER"];

/** Whether the same would be said to the same in a while; what else was no answer may be one by then, whoever said it. @param {unknown} error */
export const isFinal = (error) => !(error instanceof Failed) || FINAL.includes(error.code);

/** After what time to ask again. */
export const AGAIN_MS = 2000;

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A name for one intention, which no other has. */
export const newKey = () => hex(crypto.getRandomValues(new Uint8Array(16)));

/** @param {Uint8Array} bytes */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
