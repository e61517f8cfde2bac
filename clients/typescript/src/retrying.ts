// How long to wait before the next attempt, and whether there is one.

/** Who was let go because a process went is taken by another, or by the next one, in a moment. */
const FIRST_WAIT_SECONDS = 0.05;
/** Each wait is so much longer: whoever was away is found again a quarter later on average. */
const GROWTH = 1.5;
const WAIT_SECONDS_MAX = 5;

/** What GraphQL is made of: what says nothing, strings, names, and single characters. */
const TOKEN = /([\s,\ufeff]+|#[^\n\r]*)|("""(?:\\"""|(?!\\?""")[^])*"""|"(?:\\.|[^"\\\n\r])*")|[A-Za-z_][A-Za-z_0-9]*|[^]/g;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const CLOSERS = Object.values(CLOSING);
const NAME = '[A-Za-z_][A-Za-z_0-9]* ';
const DIRECTIVES = `(?:@ ${NAME}(?:\\( \\) )?)*`;
const OTHER_DIRECTIVES = `(?:@ (?!idempotent )${NAME}(?:\\( \\) )?)*`;
const FIELD = `${NAME}(?:: ${NAME})?(?:\\( \\) )?${OTHER_DIRECTIVES}@ idempotent \\( \\) ${DIRECTIVES}(?:\\{ \\} )?`;
const MUTATION = `mutation (?:${NAME})?(?:\\( \\) )?${DIRECTIVES}\\{ (?:${FIELD})+\\} `;
const OTHER = '(?:(?:query|subscription|fragment) [^{}]*)?\\{ (?:[^{}]|\\{ \\} )*\\} ';
const REPEATABLE = new RegExp(`^(?:${MUTATION}|${OTHER})+$`);

/** The attempts of one request, or of one stream: how long to wait between them, and until when they may go on. */
export class Patience {
  #began = performance.now();
  #ceiling = FIRST_WAIT_SECONDS;
  readonly #until: number;

  constructor(seconds = Infinity) {
    this.#until = this.#began + 1000 * seconds;
  }

  /**
   * How many seconds to wait now; undefined once patience is over, or would be by then. Hardly at all at first, longer each time, and by
   * chance, so that not all come back at once. What went well for longer than the longest wait, as a stream on which nothing happened,
   * begins anew.
   */
  waitSeconds(atLeast = 0): number | undefined {
    const now = performance.now();
    if (now - this.#began > 1000 * WAIT_SECONDS_MAX) this.#ceiling = FIRST_WAIT_SECONDS;
    const wait = Math.max(atLeast, this.#ceiling * (0.5 + Math.random() / 2));
    this.#ceiling = Math.min(this.#ceiling * GROWTH, WAIT_SECONDS_MAX);
    this.#began = now + 1000 * wait;
    return this.#began < this.#until ? wait : undefined;
  }
}

/** What the header `retry-after` asks for, as seconds or as a date; 0 if it says nothing that can be read. */
export function retryAfterSeconds(told: string | null): number {
  if (/^\s*\d+\s*$/.test(told ?? '')) return Number(told);
  return Math.max(0, (Date.parse(told ?? '') - Date.now()) / 1000) || 0;
}

/** A pause that a signal ends, by throwing its reason. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, 1000 * seconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * Whether its operations may be sent again when nobody knows whether they arrived. Every field of a mutation needs its own
 * `@idempotent`. What can't be told for certain may not, as a fragment among them.
 */
export function isRepeatable(document: string): boolean {
  return REPEATABLE.test(outline(document));
}

/**
 * Definitions and the fields right in them, a space behind each token, without what is in further brackets. Empty if brackets or quotes
 * don't fit.
 */
function outline(document: string): string {
  const kept: string[] = [];
  const open: string[] = [];
  for (const [token, ignored, string] of document.matchAll(TOKEN)) {
    const text = string === undefined ? token : '""';
    if (text === '"' || (CLOSERS.includes(text) && CLOSING[open.pop() ?? ''] !== text)) return '';
    if (ignored === undefined && ['', '{'].includes(open.join(''))) kept.push(`${text} `);
    if (Object.hasOwn(CLOSING, text)) open.push(text);
  }
  return open.length ? '' : kept.join('');
}
