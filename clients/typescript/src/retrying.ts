// How long to wait before the next attempt, and whether there is one.

const FIRST_WAIT_SECONDS = 0.1;
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

/** The attempts of one request: how often it failed, and until when it may go on. */
export class Patience {
  #failures = 0;
  readonly #until: number;

  constructor(seconds = Infinity) {
    this.#until = performance.now() + 1000 * seconds;
  }

  /** How many seconds to wait now, longer each time; undefined once patience is over, or would be by then. */
  waitSeconds(atLeast = 0): number | undefined {
    const ceiling = Math.min(FIRST_WAIT_SECONDS * 2 ** this.#failures, WAIT_SECONDS_MAX);
    this.#failures += 1;
    const wait = Math.max(atLeast, ceiling * (0.5 + Math.random() / 2));
    return performance.now() + 1000 * wait < this.#until ? wait : undefined;
  }
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
