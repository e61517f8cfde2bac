// Tells whether a webhook is Earnest's, whole and fresh: Standard Webhooks 1.0, with secrets and with public keys.
//
// Give the bytes as they came: a body that was parsed and written again has another signature.
import { EarnestError } from './errors.js';

const SECRET_PREFIX = 'whsec_';
const PUBLIC_KEY_PREFIX = 'whpk_';
/** Tens of thousands of years; what is longer may be beyond all numbers. */
const TIMESTAMP = /^[0-9]{1,12}$/;

/** Answer it with 401 and do nothing: it is not ours, was altered, or is too old. */
export class NotVerified extends EarnestError {}

/** The event as it is stored; fields that you don't know may be among it. */
export interface StoredEvent {
  id: string;
  type: string;
  stream: string;
  sequence: number;
  previousHash?: string | null;
  data: Record<string, unknown>;
  [field: string]: unknown;
}

/**
 * The log was restored to an earlier moment: what you got between these two cursors never happened, unless it came with a later one,
 * too.
 */
export interface LogCut {
  keptCursor: string;
  firstCursor: string;
}

/** Whether that cursor stands for nothing any more. An event is no more if all that it came with do so. */
export function isVoid({ keptCursor, firstCursor }: LogCut, cursor: string | null | undefined): boolean {
  return !!cursor && keptCursor < cursor && cursor < firstCursor;
}

/** What a body says if it is a `log.cut`, which comes to every endpoint; null for all others, and for a test. */
export function logCutOf(type: string, data: Record<string, unknown>): LogCut | null {
  if (type !== 'log.cut' || data['test'] === true) return null;
  const { keptCursor, firstCursor } = (data['event'] as StoredEvent).data;
  return { keptCursor: String(keptCursor), firstCursor: String(firstCursor) };
}

/**
 * A request that was verified. Remember `id` with `cursor`, and do nothing the second time: the same may come again. With another
 * cursor the event has another place, as after a restore: note that.
 */
export interface Webhook {
  id: string;
  type: string;
  event: StoredEvent;
  /** Its place in the log, where `follow` and `changes` can go on; null for what is in no log. */
  cursor: string | null;
  /** Whether it never happened. */
  isTest: boolean;
  /** What it says if it is a `log.cut`: undo what is void, or read everything anew. */
  logCut: LogCut | null;
  data: Record<string, unknown>;
}

export interface Verifying {
  /** How long ago, or later, it may have been signed; 300 unless said. */
  toleranceSeconds?: number;
  /** The time in seconds since 1970, if not this machine's. */
  now?: number;
}

type Headers = { get(name: string): string | null } | Record<string, string | string[] | undefined>;

/**
 * The request, if one of its signatures is by one of the keys: secrets `whsec_…`, or public keys `whpk_…` of your endpoint. During a
 * rotation give the old and the new one. Throws `NotVerified`.
 */
export async function verify(
  body: Uint8Array | string,
  headers: Headers,
  keys: string | readonly string[],
  { toleranceSeconds = 300, now = Date.now() / 1000 }: Verifying = {},
): Promise<Webhook> {
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = header(headers, 'webhook-signature').split(' ');
  if (!TIMESTAMP.test(timestamp)) throw new NotVerified('Its timestamp is no number of seconds.');
  const age = now - Number(timestamp);
  if (Math.abs(age) > toleranceSeconds) throw new NotVerified(`It was signed ${Math.round(age)} seconds ago.`);
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const content = joined(new TextEncoder().encode(`${id}.${timestamp}.`), bytes);
  const verdicts = [keys].flat().map((key) => isBy(key, content, signatures));
  if (!(await Promise.all(verdicts)).includes(true)) throw new NotVerified('None of its signatures is by any of the keys.');
  const { type, data } = JSON.parse(new TextDecoder().decode(bytes)) as { type: string; data: Record<string, unknown> };
  return {
    id,
    type,
    data,
    event: data['event'] as StoredEvent,
    cursor: (data['cursor'] as string | null | undefined) ?? null,
    isTest: data['test'] === true,
    logCut: logCutOf(type, data),
  };
}

function header(headers: Headers, name: string): string {
  const found = isBag(headers) ? headers.get(name) : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof found !== 'string') throw new NotVerified(`The header ${name} is missing.`);
  return found;
}

function isBag(headers: Headers): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}

async function isBy(key: string, content: Uint8Array<ArrayBuffer>, signatures: string[]): Promise<boolean> {
  const isPublic = key.startsWith(PUBLIC_KEY_PREFIX);
  const scheme = isPublic ? 'v1a,' : 'v1,';
  const algorithm = isPublic ? { name: 'Ed25519' } : { name: 'HMAC', hash: 'SHA-256' };
  const raw = bytesOf(key.slice((isPublic ? PUBLIC_KEY_PREFIX : SECRET_PREFIX).length));
  if (!raw?.length || !(isPublic || key.startsWith(SECRET_PREFIX))) throw new Error('A key is `whsec_` or `whpk_`, and base64.');
  const imported = await crypto.subtle.importKey('raw', raw, algorithm, false, ['verify']);
  for (const signature of signatures.filter((one) => one.startsWith(scheme))) {
    const told = bytesOf(signature.slice(scheme.length));
    if (told && (await crypto.subtle.verify(algorithm.name, imported, told, content))) return true;
  }
  return false;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

/** What base64 stands for; undefined, if it is none. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
