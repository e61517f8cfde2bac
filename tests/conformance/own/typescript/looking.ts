// What the installed TypeScript client makes of a service that is being updated, and when its mirror looks at everything, as JSON.
import { setTimeout as pause } from 'node:timers/promises';
import * as E from '@earnest/client';
import WebSocket from 'ws';

const BEFORE = 'cur_0000000000001'; // from before the event after which this key sees other contracts
const saw: Record<string, unknown> = {};
const options = { url: process.env['EARNEST_URL'] ?? '', key: 'ek_of_today', webSocketImpl: WebSocket };
const patient = new E.Earnest(options);
const hurried = new E.Earnest({ ...options, patienceSeconds: 0 });
const ask = (earnest: E.Earnest, document: string) => earnest.ask(new E.TypedDocumentString<unknown, object>(document), {});

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof E.OperationFailed) return error.code;
    throw error;
  }
  return 'done';
}

saw['repeated'] = await codeOf(ask(patient, 'mutation Repaint { repaint @idempotent(key: "1") { userErrors { code } } }'));
saw['bare'] = await codeOf(ask(patient, 'mutation Bare { paint { userErrors { code } } }'));
saw['hurried'] = await codeOf(ask(hurried, 'query Viewer { viewer { accountId } }'));

const store = new E.MemoryMirror();
await store.write({ cursor: BEFORE });
const mirror = new E.Mirror(hurried, store);
const kept = async () => [await store.cursor(), [...(await store.ids())].sort()];
saw['failed'] = [await codeOf(mirror.catchUp()), ...(await kept())];
saw['again'] = [await codeOf(mirror.catchUp()), ...(await kept())];

const [contract] = store.contracts.values();
await store.write({ contracts: [{ ...contract!, id: 'ctr_seen_no_more' }] });
const ending = new AbortController();
let ended: unknown = false;
const running = new E.Mirror(hurried, store).run(ending.signal).catch((error) => (ended = String(error)));
while (store.contracts.has('ctr_seen_no_more') && ended === false) await pause(10);
saw['run'] = [[...(await store.ids())].sort(), ended];
ending.abort();
await running;
console.log(JSON.stringify(saw));
