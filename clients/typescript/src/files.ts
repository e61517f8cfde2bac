// Places, keys and mirrors in files, for Node and Deno. A file is whole whatever happens: written aside, flushed to the disk, then put
// in its place, which is flushed too.
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { KeyStore } from './keys.js';
import { MemoryMirror, type MirrorUpdate } from './mirror_stores.js';
import type { Place } from './places.js';

/** What systems say that can't open a folder, as Windows, or can't flush one, as some file systems. */
const CANNOT_BE_FLUSHED: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EISDIR', 'EINVAL', 'ENOTSUP']);

async function writeWhole(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}.new`;
  const file = await open(aside, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  await keepNamesOf(dirname(path));
}

/** Flush what a folder's files are called, since a file's own flush doesn't; where folders can't be flushed, nothing. */
async function keepNamesOf(folder: string): Promise<void> {
  try {
    const names = await open(folder, 'r');
    try {
      await names.sync();
    } finally {
      await names.close();
    }
  } catch (error) {
    if (!CANNOT_BE_FLUSHED.has((error as { code?: string }).code ?? '')) throw error;
  }
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return otherwise;
    throw error;
  }
}

/** A place in a file of its own. After a crash the last event may come again: it was handled, but not yet noted. */
export class FilePlace implements Place {
  constructor(readonly path: string) {}

  async read(): Promise<string | undefined> {
    return (await readOr(this.path, '')).trim() || undefined;
  }

  write(cursor: string): Promise<void> {
    return writeWhole(this.path, cursor);
  }
}

/** Keys in one JSON file of one process; it is written whole each time, so let it be short: forget what is done. */
export class FileKeys implements KeyStore {
  #last: Promise<unknown> = Promise.resolve();

  constructor(readonly path: string) {}

  keyOf(intention: string, proposed: string): Promise<string> {
    return this.#alone(async (keys) => {
      const known = keys[intention];
      if (known !== undefined) return known;
      await writeWhole(this.path, JSON.stringify({ ...keys, [intention]: proposed }));
      return proposed;
    });
  }

  forget(intention: string): Promise<void> {
    return this.#alone(async ({ [intention]: known, ...others }) => {
      if (known !== undefined) await writeWhole(this.path, JSON.stringify(others));
    });
  }

  /** One after the other. */
  #alone<Result>(work: (keys: Record<string, string>) => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(async () => work(JSON.parse(await readOr(this.path, '{}')) as Record<string, string>));
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

type Entries<Of> = Of extends Map<infer Key, infer Value> ? [Key, Value][] : never;
type Kept = { place?: string; contracts: Entries<MemoryMirror['contracts']>; milestones: Entries<MemoryMirror['milestones']> };

/** A copy in one JSON file, which is written whole with each page: for some thousand milestones. Beyond, keep it in a database. */
export class FileMirror extends MemoryMirror {
  private constructor(readonly path: string) {
    super();
  }

  /** What the file holds; nothing, if it isn't there. */
  static async open(path: string): Promise<FileMirror> {
    const mirror = new FileMirror(path);
    const kept = JSON.parse(await readOr(path, '{"contracts": [], "milestones": []}')) as Kept;
    for (const [id, contract] of kept.contracts) mirror.contracts.set(id, contract);
    for (const [id, milestone] of kept.milestones) mirror.milestones.set(id, milestone);
    mirror.place = kept.place;
    return mirror;
  }

  override async write(update: MirrorUpdate): Promise<void> {
    await super.write(update);
    const kept = { place: this.place, contracts: [...this.contracts], milestones: [...this.milestones] };
    await writeWhole(this.path, JSON.stringify(kept));
  }
}
