/**
 * Owns following events as they happen: reads an event stream by `fetch`, and goes on from the last cursor whenever it ends.
 *
 * `EventSource` can't send credentials, and retries by its own rules; so the few rules of `text/event-stream` that the server uses
 * are read here. Nothing is missed and nothing comes twice: each connection asks for what comes after the last cursor.
 */
import { Failed, failure, gql, pause } from "./api.js";

/** @typedef {"connecting" | "live" | "ended"} Connection */
/**
 * @typedef {object} Listening
 * @property {string | null} [contractId] only this contract; all that may be seen without it
 * @property {string[] | null} [types] only these types of events
 * @property {string} [after] go on after this cursor; from now on without it
 * @property {(event: Answer) => void} onEvent
 * @property {Followed} [followed] another subscription than `events`
 * @property {(connection: Connection, error: Failed | null) => void} [onConnection]
 */

const EVENTS = gql`subscription Events($after: Cursor, $contractId: ID, $types: [String!]) {
  events(after: $after, contractId: $contractId, types: $types) {
    id cursor type occurredAt stream sequence data
    actor { kind accountId } texts { field value erasedAt }
  }
}`;

const NOW = gql`query Latest { changes(after: "latest", first: 1) { cursor } }`;

const DELIVERIES = gql`subscription Deliveries($webhook: ID!) { deliveryUpdated(endpointId: $webhook) { id state } }`;

/** @typedef {{document: string, field: string, variables: Answer}} Followed a subscription that tells states, and needs no cursor */

/** Each delivery to an endpoint that changes. @param {string} webhook @returns {Followed} */
export const deliveriesTo = (webhook) => ({ document: DELIVERIES, field: "deliveryUpdated", variables: { webhook } });

const SILENCE_MS = 45_000;
const FINAL = ["UNAUTHENTICATED", "FORBIDDEN", "BAD_REQUEST", "NOT_FOUND", "QUERY_TOO_COMPLEX"];

/** The cursor of this moment. @param {Api} api @returns {Promise<string>} */
export async function latestCursor(api) {
  const { changes } = await api.ask(NOW);
  return changes.cursor;
}

/**
 * Follow events until told to stop, or until the session is over.
 * @param {Api} api
 * @param {Listening} listening
 * @returns {() => void} stops it
 */
export function follow(api, listening) {
  const stopped = new AbortController();
  void keepFollowing(api, listening, stopped.signal);
  return () => stopped.abort();
}

/** @param {Api} api @param {Listening} listening @param {AbortSignal} stopped */
async function keepFollowing(api, { contractId = null, types = null, after, followed, onEvent, onConnection = () => {} }, stopped) {
  let cursor = after ?? null;
  for (let failures = 0; !stopped.aborted; ) {
    try {
      if (!followed) cursor ??= await latestCursor(api);
      const { document, field, variables } = followed ?? { document: EVENTS, field: "events", variables: { after: cursor, contractId, types } };
      for await (const { [field]: event } of answers(api, document, variables, stopped, () => onConnection("live", null))) {
        failures = 0;
        cursor = event.cursor ?? cursor;
        if (!stopped.aborted) onEvent(event);
      }
    } catch (error) {
      if (stopped.aborted) return;
      const failed = error instanceof Failed ? error : new Failed("NETWORK", String(error));
      if (failed.code === "LOG_CUT") cursor = null; // what came last is no more: from now on
      if (FINAL.includes(failed.code)) return onConnection("ended", failed);
      failures += failed.code === "GOING_AWAY" ? 0 : 1;
    }
    if (stopped.aborted) return;
    onConnection("connecting", null);
    await pause(Math.min(10_000, 150 * 2 ** failures) * (0.75 + Math.random() / 2));
  }
}

/**
 * The answers of one connection, until it ends; an answer that is nothing but an error is thrown.
 * @param {Api} api @param {string} query @param {Answer} variables @param {AbortSignal} stopped @param {() => void} onOpen
 * @returns {AsyncGenerator<Answer>}
 */
async function* answers(api, query, variables, stopped, onOpen) {
  const broken = new AbortController();
  const abort = () => broken.abort();
  stopped.addEventListener("abort", abort);
  let timer = setTimeout(abort, SILENCE_MS);
  try {
    const body = JSON.stringify({ query, variables });
    const headers = api.headers("text/event-stream");
    const answer = await fetch(api.address, { method: "POST", body, headers, signal: broken.signal, credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
    if (!answer.ok || !answer.body) throw await refused(answer);
    onOpen();
    for await (const message of messages(answer.body, () => (clearTimeout(timer), (timer = setTimeout(abort, SILENCE_MS))))) {
      if (message.event === "complete") return;
      const { data, errors } = JSON.parse(message.data);
      if (errors) throw failure(errors[0]);
      yield data;
    }
  } finally {
    clearTimeout(timer);
    stopped.removeEventListener("abort", abort);
    broken.abort();
  }
}

/** @param {Response} answer */
async function refused(answer) {
  const body = await answer.json().catch(() => ({}));
  const code = answer.status === 401 ? "UNAUTHENTICATED" : "INTERNAL";
  return failure(body.errors?.[0] ?? { message: `status ${answer.status}`, extensions: { code } });
}

/**
 * The messages of an event stream. Lines that begin with a colon say only that it lives.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} onSign called whenever anything came
 * @returns {AsyncGenerator<{event: string, data: string}>}
 */
async function* messages(body, onSign) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onSign();
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    yield* blocks.map(message).filter(({ event }) => event);
  }
}

/** @param {string} block the lines between two empty ones */
function message(block) {
  const found = { event: "", data: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) found.event = line.slice(7);
    if (line.startsWith("data: ")) found.data += line.slice(6);
  }
  return found;
}
