// Proves what the log's hashes can prove: that events are as they were written, in order, with none left out.
//
// Each event names the hash of the one before it in its stream, and sequences have no gaps. What nothing follows yet, the chain can't
// vouch for: that needs the stream's head from somebody else, such as `Contract.version` and the last hash of its timeline.
import type { EventFieldsFragment } from './generated/operations.js';
import { bytesOf, isVoid, logCutOf, type StoredEvent } from './webhooks.js';

/** An event as a member of its chain. */
export interface Link {
  stream: string;
  sequence: number;
  type: string;
  /** The sha256 that was computed here, never what somebody said. */
  hash: string;
  previousHash: string | null;
  /** What of it is not as it was: `hash`, or the names of texts. */
  altered: string[];
}

/** The last event of a stream. */
export interface Head {
  sequence: number;
  hash: string;
}

/** What was found. `problems` is empty if nothing is wrong as far as it can be known. */
export interface Report {
  problems: string[];
  /** The last event that was seen of each stream. */
  heads: Map<string, Head>;
  /** The first sequence that was seen of each stream: what came before it was not looked at. */
  beginnings: Map<string, number>;
  /** Streams of which no head was given: whether something follows what was seen is not known. */
  unproven: string[];
}

type Salted = { field: string; salt: Uint8Array; text: unknown };

/** RFC 8785 for what events are made of: texts, whole numbers, truths, nulls, lists and objects. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}

/**
 * Of the bodies of webhooks those whose events still are so, in whatever order they came: without what a `log.cut` among them says never
 * happened, of which the chain knows nothing.
 */
export function stillSo(bodies: readonly string[]): string[] {
  const told = bodies.map((body) => ({ body, ...(JSON.parse(body) as { type: string; data: Record<string, unknown> }) }));
  const cuts = told.flatMap(({ type, data }) => logCutOf(type, data) ?? []);
  return told.filter(({ data }) => !cuts.some((cut) => isVoid(cut, data['cursor'] as string | null))).map(({ body }) => body);
}

/** The event of a webhook's body; undefined for a test and a `log.cut`, which stand in no chain. */
export async function linkOfWebhook(body: string): Promise<Link | undefined> {
  const { data } = JSON.parse(body) as {
    data: { test?: boolean; event: StoredEvent; texts: Record<string, { salt: string; text: unknown } | null> };
  };
  if (data.test || data.event.sequence === 0) return undefined;
  const salted = Object.entries(data.texts).flatMap(([field, words]) =>
    words ? [{ field, salt: bytesOfHex(words.salt), text: words.text }] : [],
  );
  return link(data.event, canonical(data.event), salted);
}

/** An event of the API: of a timeline, or of `follow`. */
export async function linkOfEvent(event: EventFieldsFragment): Promise<Link> {
  const salted = event.texts.flatMap(({ field, salt, value }) =>
    salt === null ? [] : [{ field, salt: bytesOf(salt) ?? new Uint8Array(), text: value }],
  );
  return link(JSON.parse(event.body) as StoredEvent, event.body, salted, event.hash);
}

async function link(event: StoredEvent, body: string, salted: Salted[], toldHash?: string): Promise<Link> {
  const hash = await sha256(new TextEncoder().encode(body));
  const said = (event.data['texts'] ?? {}) as Record<string, string>;
  const altered: string[] = [];
  for (const { field, salt, text } of salted) {
    const words = new TextEncoder().encode(canonical(text));
    if ((await sha256(new Uint8Array([...salt, ...words]))) !== said[field]) altered.push(field);
  }
  if (toldHash !== undefined && toldHash !== hash) altered.push('hash');
  const { stream, sequence, type, previousHash = null } = event;
  return { stream, sequence, type, hash, previousHash, altered };
}

/**
 * What is wrong with these events, in whatever order and however often they came. `heads` are the last events of streams as the API tells
 * them; a stream without one ends where you saw it end.
 */
export function checkChains(links: Iterable<Link | undefined>, heads: ReadonlyMap<string, Head> = new Map()): Report {
  const problems: string[] = [];
  const streams = new Map<string, Map<number, Link>>();
  for (const one of links) {
    if (!one) continue;
    for (const part of one.altered) problems.push(`${nameOf(one)}: its ${part} was altered`);
    const events = streams.get(one.stream) ?? new Map<number, Link>();
    streams.set(one.stream, events);
    const known = events.get(one.sequence) ?? one;
    events.set(one.sequence, known);
    if (known.hash !== one.hash) problems.push(`${nameOf(one)}: came twice, and differently`);
  }
  const report: Report = { problems, heads: new Map(), beginnings: new Map(), unproven: [] };
  for (const [stream, events] of streams) {
    const sequences = [...events.keys()].sort((one, other) => one - other);
    const last = events.get(sequences.at(-1)!)!;
    problems.push(...broken(stream, events, sequences[0]!, last.sequence));
    report.heads.set(stream, { sequence: last.sequence, hash: last.hash });
    report.beginnings.set(stream, sequences[0]!);
    if (!heads.has(stream)) report.unproven.push(stream);
  }
  for (const [stream, head] of heads) problems.push(...behind(stream, streams.get(stream) ?? new Map(), head));
  return report;
}

function* broken(stream: string, events: ReadonlyMap<number, Link>, first: number, last: number): Generator<string> {
  const beginning = events.get(1);
  if (beginning && beginning.previousHash !== null) yield `${nameOf(beginning)} was altered: nothing comes before the first`;
  for (let sequence = first + 1; sequence <= last; sequence += 1) {
    const [before, event] = [events.get(sequence - 1), events.get(sequence)];
    if (!event) yield `${stream} #${sequence} is missing`;
    else if (before && event.previousHash !== before.hash) yield `${nameOf(before)} was altered, or the one after it`;
  }
}

/** What the head says that isn't so. */
function* behind(stream: string, events: ReadonlyMap<number, Link>, head: Head): Generator<string> {
  const last = Math.max(0, ...events.keys());
  const there = events.get(head.sequence);
  if (last < head.sequence) yield `${stream} goes on to #${head.sequence}, but nothing after #${last} is here`;
  else if (there && there.hash !== head.hash) yield `${nameOf(there)} is not what the head says`;
}

function nameOf({ stream, sequence, type }: Link): string {
  return `${stream} #${sequence} (${type})`;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
