/**
 * Owns sending one operation the way its author wrote it: a query or a mutation is answered once, a subscription by an event stream.
 *
 * Nothing is asked of anybody but the server that sent this page.
 */

/** @typedef {{query: string, variables?: Record<string, any> | null, operationName?: string | null}} Operation */

const ADDRESS = "/graphql";
const ACCEPT = "application/json, text/event-stream;q=0.5";

/**
 * Send an operation.
 * @param {Operation} operation
 * @param {Record<string, string>} [headers] the credentials above all
 * @param {AbortSignal} [signal] ends it, a stream too
 * @returns {Promise<any | AsyncGenerator<any>>} the answer, or the answers as they come
 */
export async function send(operation, headers = {}, signal) {
  const answer = await fetch(ADDRESS, {
    method: "POST",
    body: JSON.stringify(operation),
    headers: { ...headers, accept: ACCEPT, "content-type": "application/json" },
    credentials: "omit",
    referrerPolicy: "no-referrer",
    signal,
  });
  const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream");
  return isStream && answer.body ? results(answer.body) : answer.json();
}

/**
 * The results of an event stream, until it is complete; the connection ends when nobody wants more.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<any>}
 */
async function* results(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        if (/^event: ?complete$/m.test(block)) return;
        const data = [...block.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line).join("\n");
        if (data) yield JSON.parse(data);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
