// The npm client `graphql-sse`, unchanged, in the mode of distinct connections.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';
import { PROPOSE, authorization, pause, proposal, restart, until, url } from './field.mjs';

const headers = { authorization };
const events = 'subscription ($after: Cursor) { events(after: $after) { cursor type stream sequence } }';

const client = createClient({ url, headers, retryAttempts: 0 });

async function take(count, query, variables) {
  const taken = [];
  for await (const answer of client.iterate({ query, variables })) {
    assert.equal(answer.errors, undefined, JSON.stringify(answer));
    taken.push(Object.values(answer.data)[0]);
    if (taken.length === count) break;
  }
  return taken;
}

async function failure(query, variables) {
  for await (const answer of client.iterate({ query, variables })) return answer.errors[0];
}

const [viewer] = await take(1, '{ viewer { kind accountId } }');
assert.equal(viewer.kind, 'ACCOUNT');
console.log('a query as a stream of one answer');

const first = await take(4, events, { after: 'cur_0000000000000' });
const rest = await take(4, events, { after: first[3].cursor });
const whole = await take(8, events, { after: 'cur_0000000000000' });
assert.deepEqual([...first, ...rest], whole);
console.log('a replay that resumes from its cursor');

const [{ nodes }] = await take(1, '{ contracts { nodes { id title } } }');
const propose = async () => {
  const [payload] = await take(1, PROPOSE, { input: proposal('By graphql-sse') });
  assert.deepEqual(payload.userErrors, []);
  return payload.contract.id;
};
const made = [];
const live = [];
const fromNow = client.iterate({ query: events, variables: { after: 'latest' } });
const taking = (async () => {
  for await (const { data } of fromNow) live.push(data.events);
})();
const told = () => live.filter((event) => event.stream === made.find((id) => live.some(({ stream, sequence }) => stream === id && sequence === 1)));
await until(() => told().length === 2, async () => made.push(await propose()));
await fromNow.return();
await taking;
assert.deepEqual(told().map((event) => event.type), ['contract.proposed', 'milestone.added']);
assert.ok(live.every((event) => nodes.every((one) => one.id !== event.stream)));
console.log('what a mutation does is heard at once');

assert.equal((await failure('{ nothing }')).extensions.code, 'BAD_REQUEST');
assert.match((await failure(events, { after: 'nonsense' })).message, /no cursor/);
console.log('errors of operations');

// Across a restart, going on from the last cursor whenever a stream ends.
let { cursor: after } = whole[7];
const heard = [];
let goesOn = true;
const listening = (async () => {
  while (goesOn) {
    try {
      for await (const { data } of client.iterate({ query: events, variables: { after } })) {
        if (!data) break; // the server stops
        heard.push(data.events.cursor);
        after = data.events.cursor;
      }
    } catch {
      // nobody listens yet
    }
    await pause(200);
  }
})();
await propose();
await until(() => heard.length > 1, async () => {});
await restart();
const before = heard.length;
await propose();
await until(() => heard.length >= before + 2, async () => {});
goesOn = false;
client.dispose();
await listening;
assert.deepEqual(heard, [...new Set(heard)].sort());
const logged = [];
const again = createClient({ url, headers, retryAttempts: 0 });
for await (const { data } of again.iterate({ query: events, variables: { after: whole[7].cursor } })) {
  logged.push(data.events.cursor);
  if (data.events.cursor === heard.at(-1)) break;
}
again.dispose();
assert.deepEqual(heard, logged);
console.log('a subscription across a restart');

const refused = createClient({ url, headers: { authorization: 'Bearer ek_nobody' }, retryAttempts: 0 });
await assert.rejects(refused.iterate({ query: '{ __typename }' }).next(), (error) => error.response?.status === 401);
console.log('a wrong key is 401');
