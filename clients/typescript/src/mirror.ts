// A mirror: a copy of contracts and their plans that is kept equal to the server by the sync feed.
//
// What disappears without an event is found by looking at everything: words that were erased, contracts that this key may see no more, a
// log that was restored from a backup. That is what `refresh` does, and it is how a mirror begins as well.
import type { Earnest } from './client.js';
import { throwIfFinal } from './client.js';
import { BeyondTheLog, OperationFailed, RateLimited, Unreachable, isBeyond } from './errors.js';
import {
  BellDocument,
  ChangesDocument,
  ContractDocument,
  ContractsDocument,
  LatestDocument,
  MilestonesDocument,
  type ChangesQuery,
  type ContractFieldsFragment,
  type MilestoneFieldsFragment,
} from './generated/operations.js';
import { pages } from './lists.js';
import type { MirrorStore, MirrorUpdate } from './mirror_stores.js';
import { Patience, pause } from './retrying.js';
import { StreamEnded } from './transport.js';

const PAGE = 100;
/** The feed is read so often even if nothing rang. */
const READ_SECONDS = 300;
/** Faults of the service that may be gone when it is asked again, beside what something in between answers from 500 on. */
const PASSING = ['INTERNAL', 'UPDATING'];
const SEES_OTHERS_NOW = ['account.mediator_appointed', 'account.mediator_dismissed'];

/**
 * Keeps a store equal to what the client's key may see: contracts, and the milestones of their present plans. Cancelled milestones of a
 * plan stay in it as `CANCELLED`; those of a revision that was replaced go. `catchUp` alone never looks at everything once there is a
 * copy: who calls nothing else calls `refresh` now and then.
 */
export class Mirror {
  #known: Set<string> | undefined;
  /** By `performance.now()`. */
  #refreshAt = 0;
  #rung = false;
  /** Why the bell isn't listened to any more. */
  #fault: { error: unknown } | undefined;
  /** Who looks at everything and who reads the feed would take out what the other just wrote, and write older cursors: one at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => undefined;

  constructor(
    readonly earnest: Earnest,
    readonly store: MirrorStore,
    readonly options: { refreshSeconds?: number } = {},
  ) {}

  /**
   * Follow for ever: read when the bell rings, every five minutes besides, and everything at first and once a day. Throws the signal's
   * reason when it is ended, and `Unauthenticated` when the key is: the copy stays as it is.
   */
  async run(signal?: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const both = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal;
    this.#fault = undefined;
    const bell = this.#listen(both).catch((error: unknown) => {
      this.#fault = { error };
      this.#rings();
    });
    this.#refreshAt = 0; // nobody knows when a program before this one did
    try {
      for (;;) {
        this.#rung = false; // before reading: what rings from here on is read in the next round
        await this.#forSure(() => this.catchUp(), both);
        if (performance.now() >= this.#refreshAt) await this.#forSure(() => this.refresh(), both);
        this.#throwFault(); // of the store, or because there is no WebSocket here
        await this.#ring(Math.min(READ_SECONDS, Math.max(this.#refreshAt - performance.now(), 0) / 1000), both);
      }
    } finally {
      ending.abort();
      await bell;
    }
  }

  /**
   * Write what the log has by now; by a `refresh` from nothing, from a cursor of another log, and where an event changed which contracts
   * may be seen.
   */
  catchUp(): Promise<void> {
    return this.#alone(async () => {
      for (let more = true; more; ) {
        const cursor = await this.store.cursor();
        try {
          more = cursor === undefined ? await this.#begin() : await this.#take(cursor);
        } catch (error) {
          if (!(error instanceof BeyondTheLog)) throw error;
          more = await this.#begin();
        }
      }
    });
  }

  /** Look at everything: write all that may be seen, and take out what may be seen no more. May be called beside `run`. */
  refresh(): Promise<void> {
    return this.#alone(() => this.#lookAtEverything());
  }

  #alone(work: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #lookAtEverything(): Promise<void> {
    const nextAt = performance.now() + 1000 * (this.options.refreshSeconds ?? 24 * 3600);
    const { cursor } = (await this.earnest.ask(LatestDocument, {})).changes; // first: what changes meanwhile comes again after it
    const seen = new Set<string>();
    for await (const contracts of pages(async (after) => (await this.earnest.ask(ContractsDocument, { first: PAGE, after })).contracts)) {
      await this.store.write({ contracts });
      for (const { id } of contracts) seen.add(id);
    }
    for await (const milestones of pages(async (after) => (await this.earnest.ask(MilestonesDocument, { first: PAGE, after })).milestones)) {
      await this.store.write({ milestones });
      for (const { id } of milestones) seen.add(id);
    }
    const gone = [...(await this.store.ids())].filter((id) => !seen.has(id));
    await this.store.write({ gone, cursor });
    this.#known = undefined;
    this.#refreshAt = nextAt;
  }

  async #begin(): Promise<boolean> {
    await this.#lookAtEverything();
    return true;
  }

  /** One page into the store, with its cursor. Answers whether more is there already. */
  async #take(cursor: string): Promise<boolean> {
    const page = await this.#page(cursor);
    // In its place: were the page written first and this failed, nothing would tell of it again.
    if (page.nodes.some(({ event }) => SEES_OTHERS_NOW.includes(event.type))) return this.#begin();
    const update = await this.#contents(page);
    await this.store.write({ ...update, cursor: page.cursor });
    for (const { id } of update.contracts) this.#known?.add(id);
    return page.hasMore;
  }

  async #page(after: string): Promise<ChangesQuery['changes']> {
    try {
      return (await this.earnest.ask(ChangesDocument, { after, first: PAGE })).changes;
    } catch (error) {
      if (error instanceof OperationFailed && isBeyond(error.code, error.message)) throw new BeyondTheLog(error.message);
      throw error;
    }
  }

  /** What a page says of contracts and milestones, each once, and which are of the past. */
  async #contents(page: ChangesQuery['changes']): Promise<Required<Pick<MirrorUpdate, 'contracts' | 'milestones' | 'gone'>>> {
    const contracts = new Map<string, ContractFieldsFragment>();
    const milestones = new Map<string, MilestoneFieldsFragment>();
    for (const { contract, event, milestones: touched } of page.nodes) {
      if (!contract) continue;
      const isNew = !contracts.has(contract.id) && (await this.#isNew(contract.id, event.type));
      const whole = isNew ? ((await this.earnest.ask(ContractDocument, { id: contract.id })).contract?.milestones ?? []) : [];
      contracts.set(contract.id, contract);
      for (const milestone of [...touched, ...whole]) milestones.set(milestone.id, milestone);
    }
    const isPast = (one: MilestoneFieldsFragment) => one.revision !== contracts.get(one.contractId)?.revision;
    const all = [...milestones.values()];
    return {
      contracts: [...contracts.values()],
      milestones: all.filter((one) => !isPast(one)),
      gone: all.filter(isPast).map(({ id }) => id),
    };
  }

  /** Whether its beginning was kept from this key: a mediator sees a contract from its first dispute on. */
  async #isNew(contractId: string, eventType: string): Promise<boolean> {
    this.#known ??= await this.store.ids();
    return !this.#known.has(contractId) && eventType !== 'contract.proposed';
  }

  /** Do it, however long nobody answers. */
  async #forSure(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const patience = new Patience();
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const passes = error instanceof Unreachable || error instanceof RateLimited;
        if (!passes && !(error instanceof OperationFailed && isPassing(error.code))) throw error;
      }
      await pause(patience.waitSeconds() ?? 0, signal);
    }
  }

  /** Wait until it rings, or for so long. */
  async #ring(seconds: number, signal: AbortSignal): Promise<void> {
    if (this.#rung) return signal.throwIfAborted();
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await pause(seconds, AbortSignal.any([signal, woken.signal])).catch(() => signal.throwIfAborted());
  }

  /** Ring for whatever comes after the store's cursor, so that nothing is missed between reading and listening. */
  async #listen(signal: AbortSignal): Promise<void> {
    let patience = new Patience();
    for (;;) {
      let atLeast = 0;
      try {
        const after = await this.store.cursor();
        if (after !== undefined) {
          for await (const _ of this.earnest.stream(BellDocument, { after }, signal)) {
            patience = new Patience();
            this.#rings();
          }
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof StreamEnded)) throw error;
        await this.#unlessFinal(error, signal);
        atLeast = error.waitSeconds;
      }
      await pause(patience.waitSeconds(atLeast) ?? 0, signal);
    }
  }

  /** Where the bell can't be heard any more, the feed says the same, and is heard. */
  async #unlessFinal(ended: StreamEnded, signal: AbortSignal): Promise<void> {
    try {
      throwIfFinal(ended);
    } catch (error) {
      this.#rings();
      // Whoever reads the feed begins anew after a cut, from a cursor that can be listened after.
      if (!(error instanceof BeyondTheLog)) await pause(READ_SECONDS, signal);
    }
  }

  #throwFault(): void {
    if (this.#fault) throw this.#fault.error;
  }

  #rings(): void {
    this.#rung = true;
    this.#wake();
  }
}

function isPassing(code: string): boolean {
  return PASSING.includes(code) || code.startsWith('HTTP_5');
}
