// What the installed TypeScript client makes of a server of tomorrow, on a bad day: printed as JSON.
import * as E from '@earnest/client';
import WebSocket from 'ws';

const saw: Record<string, unknown> = {};
const earnest = new E.Earnest({ url: process.env['EARNEST_URL'] ?? '', key: 'ek_of_today', webSocketImpl: WebSocket });

const input = { clientId: 'acc_1', freelancerId: 'acc_2', title: 'Of tomorrow', currency: 'USD', milestones: [] };
try {
  await earnest.ask(E.ProposeContractDocument, { input, key: await new E.Keys().of('paint it') });
} catch (error) {
  if (error instanceof E.Refused) saw['refused'] = [error.code, error.errors[0]?.details];
}

try {
  await earnest.ask(new E.TypedDocumentString<unknown, object>('mutation Bare { paint }'), {});
} catch (error) {
  if (error instanceof E.UnsafeToRepeat) saw['bare'] = 'unsafe to repeat';
}

const store = new E.MemoryMirror();
await new E.Mirror(earnest, store).catchUp();
saw['mirror'] = [...store.contracts.values()].map(({ id, state, turn }) => [id, state, turn]);

const VOID = 'cur_0000000000666'; // a cursor of what was cut off
await store.write({ gone: ['ctr_1'], cursor: VOID });
await new E.Mirror(earnest, store).catchUp();
const cut: unknown[] = [await store.cursor(), [...store.contracts.values()].map(({ id, state, turn }) => [id, state, turn])];
saw['cut'] = cut;
try {
  for await (const { id } of earnest.follow(new E.MemoryPlace(VOID))) cut.push(id);
} catch (error) {
  if (error instanceof E.BeyondTheLog) cut.push('beyond the log');
}

const place = new E.MemoryPlace('cur_0000000000001');
const events: unknown[] = [];
saw['events'] = events;
try {
  for await (const { id, type, actor } of earnest.follow(place)) events.push([id, type, actor.kind]);
} catch (error) {
  if (error instanceof E.Unauthenticated) saw['place'] = place.cursor;
}
console.log(JSON.stringify(saw));
