// Idempotency keys that are made once for each intention and kept, so that a retry after a crash is the same request.
//
// An intention is what your program means to do, in words of its own: "fund milestone 3 of order 1841". Its key is kept *before* the
// request leaves; whoever means the same again, in this process or the next, sends the same key, and the service does it once.

/** A key for what is meant once, here and now: it covers the retries of the client, and no crash. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Where keys are kept by their intention: a table of yours, for one. */
export interface KeyStore {
  /** The key that is kept for it; if there is none, `proposed` is kept first. Two who ask at once get the same. */
  keyOf(intention: string, proposed: string): Promise<string>;
  /** Keep it no longer; one that isn't kept is no error. */
  forget(intention: string): Promise<void>;
}

/** Keys of this process, forgotten with it. */
export class MemoryKeys implements KeyStore {
  readonly #keys = new Map<string, string>();

  async keyOf(intention: string, proposed: string): Promise<string> {
    const key = this.#keys.get(intention) ?? proposed;
    this.#keys.set(intention, key);
    return key;
  }

  async forget(intention: string): Promise<void> {
    this.#keys.delete(intention);
  }
}

/** Gives each intention its key. */
export class Keys {
  constructor(readonly store: KeyStore = new MemoryKeys()) {}

  /** The key to send with what is meant; the same whenever the same is meant, until it is done. */
  of(intention: string): Promise<string> {
    return this.store.keyOf(intention, newKey());
  }

  /** Say that the result was written down, so that nobody will ask for the same again. */
  done(intention: string): Promise<void> {
    return this.store.forget(intention);
  }
}
