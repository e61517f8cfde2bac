// What the installed TypeScript client flushes before it gives a key: printed as JSON.
import { open, type FileHandle } from 'node:fs/promises';
import { FileKeys } from '@earnest/client/files';

const any = await open('.', 'r');
const handles = Object.getPrototypeOf(any) as FileHandle;
await any.close();
const flush = handles.sync;
const flushed: string[] = [];
let trouble: string | undefined;
handles.sync = async function (this: FileHandle) {
  const isFolder = (await this.stat()).isDirectory();
  flushed.push(isFolder ? 'folder' : 'file');
  if (isFolder && trouble !== undefined) throw Object.assign(new Error(trouble), { code: trouble });
  await flush.call(this);
};

async function keyWhen(folderSays: string): Promise<string> {
  trouble = folderSays;
  return new FileKeys('keys.json').keyOf(`under ${folderSays}`, 'key').catch(() => 'no key');
}

await new FileKeys('keys.json').keyOf('pay', 'key');
const saw: Record<string, unknown> = { flushed: [...flushed] };
saw["where folders can't be flushed"] = await keyWhen('EINVAL');
saw['where the disk fails'] = await keyWhen('EIO');
console.log(JSON.stringify(saw));
