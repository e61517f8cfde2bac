// The client: any operation by its document, and events that go on where they stopped.
import { BeyondTheLog, failed, isBeyond } from './errors.js';
import { EventsDocument, LatestDocument, type EventFieldsFragment } from './generated/operations.js';
import { LATEST, type Place } from './places.js';
import { Patience, pause } from './retrying.js';
import { StreamEnded, Transport } from './transport.js';

const KEY_ENDED: readonly unknown[] = [4401, 4403, 'UNAUTHENTICATED'];
const NEVER_RIGHT: readonly unknown[] = [4400, 4406, 'BAD_REQUEST', 'DOCUMENT_NOT_FOUND', 'FORBIDDEN', 'NOT_FOUND', 'QUERY_TOO_COMPLEX'];

export interface Following {
  /** Where to begin if the place has no cursor: `LATEST`, unless said, or `BEGINNING`. */
  begin?: string;
  contractId?: string;
  types?: string[];
  /** Ends it, by throwing the signal's reason. */
  signal?: AbortSignal;
}

/** A key at a deployment of Earnest: `await earnest.ask(ApproveMilestoneDocument, { input, key })`. */
export class Earnest extends Transport {
  /**
   * Each event after the place, in order, once, for ever: whenever the stream ends it is opened again from there. An event counts as handled
   * when the next one is asked for; its cursor is written then. Throws `Unauthenticated` when the key has ended, and `BeyondTheLog`.
   */
  async *follow(place: Place, options: Following = {}): AsyncGenerator<EventFieldsFragment, void, undefined> {
    const { begin = LATEST, contractId, types, signal } = options;
    let after = await place.read();
    if (after === undefined) {
      after = begin === LATEST ? (await this.ask(LatestDocument, {})).changes.cursor : begin;
      await place.write(after);
    }
    let patience = new Patience();
    for (;;) {
      let atLeast = 0;
      try {
        for await (const { events: event } of this.stream(EventsDocument, { after, contractId, types }, signal)) {
          patience = new Patience();
          yield event;
          if (event.cursor !== null) {
            after = event.cursor;
            await place.write(after);
          }
        }
      } catch (error) {
        if (!(error instanceof StreamEnded)) throw error;
        throwIfFinal(error);
        atLeast = error.waitSeconds;
      }
      await pause(patience.waitSeconds(atLeast) ?? 0, signal);
    }
  }
}

/** Throw what can't be helped by opening the stream again. */
export function throwIfFinal({ code, reason }: StreamEnded): void {
  if (KEY_ENDED.includes(code)) throw failed('UNAUTHENTICATED', reason);
  if (isBeyond(code, reason)) throw new BeyondTheLog(reason);
  if (NEVER_RIGHT.includes(code)) throw failed(String(code), reason);
}
