// Where a reader of the log is: a cursor, kept wherever you like.

/** Before the first event of the log. */
export const BEGINNING = 'cur_0000000000000';
/** From now on. */
export const LATEST = 'latest';

/** Keeps one cursor. For exactly once, write it in the transaction in which you write what you made of the event. */
export interface Place {
  /** The cursor of the last event that was handled; undefined before the first. */
  read(): Promise<string | undefined>;
  /** Keep it instead of the one before. Called once an event was handled, before the next is given. */
  write(cursor: string): Promise<void>;
}

/** A place that is lost with the process. */
export class MemoryPlace implements Place {
  constructor(public cursor?: string) {}

  async read(): Promise<string | undefined> {
    return this.cursor;
  }

  async write(cursor: string): Promise<void> {
    this.cursor = cursor;
  }
}
