// The npm client `graphql-ws`, unchanged: queries, mutations and subscriptions on one socket, resuming, refusals.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, socketUrl as url } from './field.mjs';

const events = 'subscription ($after: Cursor) { events(after: $after) { cursor type stream sequence } }';

const pongs = [];
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization },
  keepAlive: 100,
  lazy: true,
  on: { pong: (received) => received && pongs.push(received) },
});

async function take(count, query, variables, meanwhile = async () => {}) {
  const taken = [];
  const answers = client.iterate({ query, variables });
  const started = meanwhile();
  for await (const answer of answers) {
    assert.equal(answer.errors, undefined, JSON.stringify(answer));
    taken.push(Object.values(answer.data)[0]);
    if (taken.length === count) break;
  }
  await started;
  return taken;
}

// A query and its one answer.
const [viewer] = await take(1, '{ viewer { kind accountId } }');
assert.equal(viewer.kind, 'ACCOUNT');
console.log('a query over the socket');

// A replay, left in the middle, and resumed from its cursor.
const first = await take(4, events, { after: 'cur_0000000000000' });
const rest = await take(4, events, { after: first[3].cursor });
const whole = await take(8, events, { after: 'cur_0000000000000' });
assert.deepEqual([...first, ...rest], whole);
console.log('a replay that resumes from its cursor');

// Live: what a mutation does is heard, as events and as the contract's new state.
const [{ nodes }] = await take(1, '{ contracts(orderBy: OLDEST) { nodes { id currentMilestone { id state } } } }');
const contract = nodes.find((one) => one.currentMilestone?.state === 'SUBMITTED');
const approve = async () => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  const mutation = 'mutation ($id: ID!) { approveMilestone(input: {milestoneId: $id}) { userErrors { code } } }';
  assert.deepEqual((await take(1, mutation, { id: contract.currentMilestone.id }))[0].userErrors, []);
};
const updated = take(1, 'subscription ($id: ID!) { contractUpdated(id: $id) { id version } }', { id: contract.id });
const touched = take(1, 'subscription ($id: ID!) { milestoneUpdated(contractId: $id) { id state } }', { id: contract.id });
const [released] = await take(1, events, { after: 'latest' }, approve);
assert.equal(released.type, 'milestone.released');
assert.equal(released.stream, contract.id);
assert.equal((await updated)[0].id, contract.id);
assert.deepEqual((await touched)[0], { id: contract.currentMilestone.id, state: 'RELEASED' });
console.log('what a mutation does is heard at once');

// What is wrong is told to the operation, and the socket lives on.
await assert.rejects(take(1, '{ nothing }'), (errors) => errors[0].extensions.code === 'BAD_REQUEST');
await assert.rejects(take(1, events, { after: 'nonsense' }), (errors) => /no cursor/.test(errors[0].message));
assert.equal((await take(1, '{ __typename }'))[0], 'Query');
console.log('errors of operations');

await new Promise((resolve) => {
  const waiting = client.iterate({ query: events });
  waiting.next();
  setTimeout(() => waiting.return().then(resolve), 500);
});
assert.ok(pongs.length > 0);
console.log('pings are answered');
await client.dispose();

// A key that names nobody closes the socket with the protocol's code.
const closed = await new Promise((resolve) => {
  const refused = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: 'Bearer ek_nobody' },
    retryAttempts: 0,
    lazy: false,
    onNonLazyError: () => {},
    on: { closed: resolve },
  });
  void refused;
});
assert.equal(closed.code, 4403);
console.log('a wrong key is 4403');
