/**
 * Owns following events as they happen: reads an event stream by `fetch`, and goes on from the last cursor whenever it ends.
 *
 * `EventSource` can't send credentials, and retries by its own rules; so the few rules of `text/event-stream` that the server uses
 * are read here. Nothing is missed and nothing comes twice: each connection asks for what comes after the last cursor.
 */
import { Failed, failure, gql, isFinal, pause } from "./api.js";

/** @typedef {"connecting" | "live" | "ended"} Connection */
/**
 * @typedef {object} Followed another subscription than `events`
 * @property {string} document takes `$after` if its answers have a cursor
 * @property {string} field
 * @property {Answer} variables
 * @property {boolean} [tellsStates] it has no cursor and needs none
 */
/**
 * @typedef {object} Listening
 * @property {string | null} [contractId] only this contract; all that may be seen without it
 * @property {string[] | null} [types] only these types of events
 * @property {string} [after] go on after this cursor; from now on without it
 * @property {(event: Answer) => void} onEvent
 * @property {Followed} [followed]
 * @property {(connection: Connection, error: Failed | null) => void} [onConnection] with why it ended; while it is connecting only that
 * the log was cut, so that what was told may be no more: what comes once it is live goes on from what was kept
 */

const EVENT = "id cursor type occurredAt stream sequence data actor { kind accountId } texts { field value erasedAt }";

/** What is shown of a milestone. */
export const MILESTONE = `id position state title purpose deliverables dueOn hold holdId frozenAt reviewDueAt
  amount { amount currency } held { amount currency } released { amount currency } refunded { amount currency }`;

const EVENTS = gql`subscription Events($after: Cursor, $contractId: ID, $types: [String!]) {
  events(after: $after, contractId: $contractId, types: $types) { ${EVENT} }
}`;

const CHANGES = gql`subscription Changes($after: Cursor, $contractId: ID) {
  changes(after: $after, contractId: $contractId) { cursor event { ${EVENT} } milestones { ${MILESTONE} } }
}`;

const NOW = gql`query Latest { changes(after: "latest", first: 1) { cursor } }`;

const DELIVERIES = gql`subscription Deliveries($webhook: ID!) { deliveryUpdated(endpointId: $webhook) { id state } }`;

/** Each event of a contract, with the milestones that it touched, as they are by then. @param {string} contractId @returns {Followed} */
export const changesOf = (contractId) => ({ document: CHANGES, field: "changes", variables: { contractId } });

/** Each delivery to an endpoint that changes. @param {string} webhook @returns {Followed} */
export const deliveriesTo = (webhook) => ({ document: DELIVERIES, field: "deliveryUpdated", variables: { webhook }, tellsStates: true });

const SILENCE_MS = 45_000;
/** The longest wait; a stream that lasted longer went well, however it ended. */
const WAIT_MS_MAX = 10_000;

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
  const { document, field, variables, tellsStates } = followed ?? { document: EVENTS, field: "events", variables: { contractId, types } };
  let cursor = after ?? null;
  for (let failures = 0; !stopped.aborted; ) {
    const began = performance.now();
    try {
      if (!tellsStates) cursor ??= await latestCursor(api);
      for await (const { [field]: event } of answers(api, document, tellsStates ? variables : { ...variables, after: cursor }, stopped, () => onConnection("live", null))) {
        failures = 0;
        cursor = event.cursor ?? cursor;
        if (!stopped.aborted) onEvent(event);
      }
    } catch (error) {
      if (stopped.aborted) return;
      const failed = error instanceof Failed ? error : new Failed("NETWORK", String(error));
      if (failed.code === "LOG_CUT") (cursor = null), onConnection("connecting", failed); // what came last is no more: from now on
      if (isFinal(failed)) return onConnection("ended", failed);
      if (failed.code === "GOING_AWAY") failures -= 1; // another process takes it
    }
    if (stopped.aborted) return;
    onConnection("connecting", null);
    // What ends soon has failed, with or without an error: something in between may answer with nothing for as long as it is asked.
    failures = performance.now() - began > WAIT_MS_MAX ? 0 : failures + 1;
    await pause(Math.random() * Math.min(WAIT_MS_MAX, 100 * 2 ** failures)); // nearly at once at first, and not all pages together
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
  const signal = AbortSignal.any([stopped, broken.signal]);
  let timer = setTimeout(abort, SILENCE_MS);
  try {
    const body = JSON.stringify({ query, variables });
    const headers = api.headers("text/event-stream");
    const answer = await fetch(api.address, { method: "POST", body, headers, signal, credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
    if (!answer.ok || !answer.body || !answer.headers.get("content-type")?.startsWith("text/event-stream")) throw await refused(answer);
    onOpen();
    for await (const message of messages(answer.body, () => (clearTimeout(timer), (timer = setTimeout(abort, SILENCE_MS))))) {
      if (message.event === "complete") return;
      const { data, errors } = JSON.parse(message.data);
      if (errors) throw failure(errors[0]);
      yield data;
    }
  } finally {
    clearTimeout(timer);
    abort();
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
