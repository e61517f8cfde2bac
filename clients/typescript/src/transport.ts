// Requests and streams: one operation in, its data out, tried again while that is safe and may help.
import { createClient } from 'graphql-ws/client';
import { OperationFailed, Refused, Unreachable, UnsafeToRepeat, failed } from './errors.js';
import type { TypedDocumentString, UserErrorFieldsFragment } from './generated/operations.js';
import { Patience, isRepeatable, pause, retryAfterSeconds } from './retrying.js';

const MAY_COME_BACK = [502, 503, 504];
const NOBODY_THERE = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'];
/** A stream on which nothing came for so long is dead: the service says something every 20 seconds. */
const SILENCE_SECONDS_MAX = 60;
const OPENING_SECONDS_MAX = 15;
const BUSY: readonly unknown[] = [4429, 'RATE_LIMITED'];
/** A stream that was refused or ended because there is too much isn't asked for again before that. */
const BUSY_SECONDS = 1;
/** A process of the former release did nothing; one of the new release may answer the next time. */
const UPDATING_SECONDS = 1;

type Told = Record<string, unknown>;
type ToldError = { message?: string; extensions?: Told & { code?: string } };
type Trouble = { trouble: Unreachable | OperationFailed; atLeast: number };

export interface TransportOptions {
  /** The deployment's address, such as `https://escrow.example`. */
  url: string;
  /** An API key, `ek_…`. */
  key: string;
  /** Bounds one attempt; 30 unless said. */
  timeoutSeconds?: number;
  /** Bounds a request with all its attempts; 60 unless said. */
  patienceSeconds?: number;
  /** Another `fetch` than the global one. */
  fetch?: typeof fetch;
  /** For streams in Node below 22, which has no WebSocket of its own: that of the package `ws`. */
  webSocketImpl?: unknown;
}

/** A stream was closed: `code` is the WebSocket's, or that of the operation's error. */
export class StreamEnded extends Error {
  constructor(
    readonly code: number | string | undefined,
    readonly reason: string,
  ) {
    super(`${code}: ${reason}`);
  }

  /** How long to wait at least before it is opened again. */
  get waitSeconds(): number {
    return BUSY.includes(this.code) ? BUSY_SECONDS : 0;
  }
}

/** A key at a deployment. */
export class Transport {
  readonly url: string;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.url = `${options.url.replace(/\/+$/, '').replace(/\/graphql$/, '')}/graphql`;
  }

  /**
   * The data of an operation's answer; throws `Refused` if a mutation was refused, `OperationFailed` for errors of the answer, and
   * `Unreachable` or `RateLimited` when patience is over. A mutation without `@idempotent` is sent again only where it certainly wasn't
   * done: else `UnsafeToRepeat`.
   */
  async ask<Answer, Variables>(document: TypedDocumentString<Answer, Variables>, variables: Variables): Promise<Answer> {
    const body = { query: document.toString(), variables };
    const patience = new Patience(this.#options.patienceSeconds ?? 60);
    for (;;) {
      const found = await this.#attempt(body);
      if ('data' in found) return unlessRefused(found.data) as Answer;
      const wait = patience.waitSeconds(found.atLeast);
      if (wait === undefined) throw found.trouble;
      await pause(wait);
    }
  }

  /** The data; or what stands in the way for now. */
  async #attempt(body: { query: string; variables: unknown }): Promise<{ data: Told } | Trouble> {
    let answer: Response;
    let text: string;
    try {
      answer = await (this.#options.fetch ?? fetch)(this.url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.#options.key}`,
          'content-type': 'application/json',
          accept: 'application/graphql-response+json, application/json',
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(1000 * (this.#options.timeoutSeconds ?? 30)),
      });
      text = await answer.text();
    } catch (error) {
      return { trouble: neverArrived(error) ?? unknown(body.query, String(cause(error))), atLeast: 0 };
    }
    const atLeast = retryAfterSeconds(answer.headers.get('retry-after'));
    if (MAY_COME_BACK.includes(answer.status)) return { trouble: unknown(body.query, `status ${answer.status}`), atLeast };
    const told = read(text, answer.status);
    if (!told.errors?.length) return { data: told.data! };
    const trouble = failure(told.errors[0]!);
    if (trouble.code === 'UPDATING' && isRepeatable(body.query)) return { trouble, atLeast: Math.max(atLeast, UPDATING_SECONDS) };
    if (trouble.code !== 'RATE_LIMITED') throw trouble;
    return { trouble, atLeast };
  }

  /**
   * The data of each answer of a subscription, on a connection of its own. Throws `StreamEnded` when the stream ends, whyever; `follow`
   * is what goes on then.
   */
  async *stream<Answer, Variables>(
    document: TypedDocumentString<Answer, Variables>,
    variables: Variables,
    signal?: AbortSignal,
  ): AsyncGenerator<Answer, void, undefined> {
    const watch = new Watch();
    const client = createClient({
      url: this.url.replace(/^http/, 'ws'),
      connectionParams: { authorization: `Bearer ${this.#options.key}` },
      retryAttempts: 0,
      connectionAckWaitTimeout: 1000 * OPENING_SECONDS_MAX,
      webSocketImpl: this.#options.webSocketImpl ?? globalThis.WebSocket ?? missing(),
      on: { message: () => watch.heard(), ping: () => watch.heard() },
    });
    watch.begin(() => client.terminate());
    const stop = () => client.terminate();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      signal?.throwIfAborted();
      const query = document.toString();
      for await (const { data, errors } of client.iterate<Answer>({ query, variables: variables as Told })) {
        if (errors) throw errors;
        yield data as Answer;
      }
      throw new StreamEnded(undefined, 'the stream is complete');
    } catch (error) {
      signal?.throwIfAborted();
      throw ended(error);
    } finally {
      watch.end();
      signal?.removeEventListener('abort', stop);
      client.dispose();
    }
  }
}

/** Ends what has been silent for too long. */
class Watch {
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = performance.now();

  begin(terminate: () => void): void {
    this.#timer = setInterval(() => {
      if (performance.now() - this.#last > 1000 * SILENCE_SECONDS_MAX) terminate();
    }, 5000);
  }

  heard(): void {
    this.#last = performance.now();
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

function missing(): never {
  throw new Error('There is no WebSocket here (Node has one from 22 on): give `webSocketImpl`, such as that of the package `ws`.');
}

/** That nobody was there to take it, which Node and Deno tell and browsers don't. */
function neverArrived(error: unknown): Unreachable | undefined {
  const why = cause(error) as { code?: string } | undefined;
  return NOBODY_THERE.includes(why?.code ?? '') ? new Unreachable(String(why)) : undefined;
}

/** Nobody knows whether it arrived: repeatable operations go on, others end here. */
function unknown(query: string, why: string): Unreachable {
  if (!isRepeatable(query)) throw new UnsafeToRepeat(why);
  return new Unreachable(why);
}

function cause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

function unlessRefused(data: Told): Told {
  for (const payload of Object.values(data)) {
    const errors = (payload as { userErrors?: UserErrorFieldsFragment[] } | null)?.userErrors;
    if (errors?.length) throw new Refused(errors, payload as Told);
  }
  return data;
}

function read(text: string, status: number): { data?: Told; errors?: ToldError[] } {
  try {
    const told = JSON.parse(text) as { data?: Told; errors?: ToldError[] } | null;
    if (told && isAnswer(told.data, told.errors)) return told;
  } catch {
    // no JSON: something in between answered
  }
  const code = status === 429 ? 'RATE_LIMITED' : `HTTP_${status}`;
  return { errors: [{ message: text.slice(0, 200), extensions: { code } }] };
}

/** Whether these are GraphQL's, and not what a wall in between calls so. */
function isAnswer(data: unknown, errors: unknown): boolean {
  const isObject = (one: unknown) => typeof one === 'object' && one !== null;
  if (!Array.isArray(errors)) return !errors && isObject(data);
  return errors.length ? errors.every(isObject) : isObject(data);
}

function failure({ message = '', extensions = {} }: ToldError): OperationFailed {
  return failed(extensions.code ?? 'UNKNOWN', message, extensions);
}

/** What graphql-ws throws: errors of the operation, the event of a closed socket, or an error of its own. */
function ended(error: unknown): StreamEnded {
  if (error instanceof StreamEnded) return error;
  if (Array.isArray(error)) {
    const [first] = error as ToldError[];
    return new StreamEnded(first?.extensions?.code, first?.message ?? '');
  }
  const { code, reason, message } = error as { code?: number; reason?: string; message?: string };
  return new StreamEnded(typeof code === 'number' ? code : undefined, reason || message || String(error));
}
