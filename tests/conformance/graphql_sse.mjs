// The npm client `graphql-sse`, unchanged, in the mode of distinct connections.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';

const url = process.env.EARNEST_URL;
const headers = { authorization: `Bearer ${process.env.EARNEST_KEY}` };
const events = 'subscription ($after: Cursor) { events(after: $after) { cursor type stream sequence } }';

const client = createClient({ url, headers, retryAttempts: 0 });

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
  await new Promise((resolve) => setTimeout(resolve, 500));
  const milestone = { title: 'One', purpose: 'To see', amount: { amount: '10.00', currency: 'USD' }, dueOn: '2100-01-01', deliverables: ['A page'] };
  const input = { freelancerId: process.env.EARNEST_OTHER, title: 'Heard live', currency: 'USD', milestones: [milestone] };
  const mutation = `mutation ($input: ProposeContractInput!) {
    proposeContract(input: $input) { contract { id } userErrors { code message field } } }`;
  const [payload] = await take(1, mutation, { input: { ...input, clientId: viewer.accountId } });
  assert.deepEqual(payload.userErrors, []);
};
const live = await take(2, events, { after: 'latest' }, propose);
assert.deepEqual(live.map((event) => event.type), ['contract.proposed', 'milestone.added']);
assert.ok(nodes.every((one) => one.id !== live[0].stream));
console.log('what a mutation does is heard at once');

assert.equal((await failure('{ nothing }')).extensions.code, 'BAD_REQUEST');
assert.match((await failure(events, { after: 'nonsense' })).message, /no cursor/);
console.log('errors of operations');
client.dispose();

const refused = createClient({ url, headers: { authorization: 'Bearer ek_nobody' }, retryAttempts: 0 });
await assert.rejects(refused.iterate({ query: '{ __typename }' }).next(), (error) => error.response?.status === 401);
console.log('a wrong key is 401');
