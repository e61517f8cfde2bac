// How long to wait before the next attempt, and whether there is one.

const FIRST_WAIT_SECONDS = 0.1;
const WAIT_SECONDS_MAX = 5;

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

/** Whether an operation may be sent again when nobody knows whether it arrived. */
export function isRepeatable(document: string): boolean {
  const text = document.replace(/#[^\n]*/g, '');
  return text.includes('@idempotent') || !/\bmutation\b/.test(text);
}
