// The npm client `graphql-ws`, unchanged: queries, mutations and subscriptions on one socket, resuming, refusals.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, socketUrl as url, until } from './field.mjs';

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

async function take(count, query, variables) {
  const taken = [];
  for await (const answer of client.iterate({ query, variables })) {
    assert.equal(answer.errors, undefined, JSON.stringify(answer));
    taken.push(Object.values(answer.data)[0]);
    if (taken.length === count) break;
  }
  return taken;
}

// What a subscription tells, as it comes.
function listen(query, variables) {
  const told = [];
  const next = ({ data, errors }) => {
    assert.equal(errors, undefined, JSON.stringify(errors));
    told.push(Object.values(data)[0]);
  };
  const stop = client.subscribe({ query, variables }, { next, error: (error) => assert.fail(JSON.stringify(error)), complete: () => {} });
  return { told, stop };
}

async function mutate(mutation, variables) {
  assert.deepEqual((await take(1, mutation, variables))[0].userErrors, []);
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
const [{ nodes }] = await take(1, '{ contracts(orderBy: OLDEST) { nodes { id currentMilestone { id state } milestones { id state } } } }');
const contract = nodes.find((one) => one.currentMilestone?.state === 'SUBMITTED');
const planned = contract.milestones.find((one) => one.state === 'PLANNED');
const happened = listen(events, { after: 'latest' });
const updated = listen('subscription ($id: ID!) { contractUpdated(id: $id) { id version } }', { id: contract.id });
const touched = listen('subscription ($id: ID!) { milestoneUpdated(contractId: $id) { id state } }', { id: contract.id });
let edits = 0;
const edit = () =>
  mutate('mutation ($id: ID!, $title: String!) { editMilestone(input: {milestoneId: $id, title: $title}) { userErrors { code } } }', {
    id: planned.id,
    title: `Edited ${(edits += 1)}`,
  });
await until(() => [happened, updated, touched].every(({ told }) => told.length > 0), edit); // each listens by now
await mutate('mutation ($id: ID!) { approveMilestone(input: {milestoneId: $id}) { userErrors { code } } }', { id: contract.currentMilestone.id });
const release = () => happened.told.find(({ type, stream }) => type === 'milestone.released' && stream === contract.id);
const isTold = () => {
  const isUpdated = release() && updated.told.some(({ id, version }) => id === contract.id && version >= release().sequence);
  return isUpdated && touched.told.some(({ id, state }) => id === contract.currentMilestone.id && state === 'RELEASED');
};
await until(isTold, async () => {});
for (const { stop } of [happened, updated, touched]) stop();
console.log('what a mutation does is heard at once');

// What is wrong is told to the operation, and the socket lives on.
await assert.rejects(take(1, '{ nothing }'), (errors) => errors[0].extensions.code === 'BAD_REQUEST');
await assert.rejects(take(1, events, { after: 'nonsense' }), (errors) => /no cursor/.test(errors[0].message));
assert.equal((await take(1, '{ __typename }'))[0], 'Query');
console.log('errors of operations');

const waiting = listen(events);
await until(() => pongs.length > 0, async () => {});
waiting.stop();
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
