// A payer in a real browser, at EARNEST_CHROMIUM. Only `Deposit.nextAction` tells it where to go, and only events tell that something happened.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { GraphQLClient } from 'graphql-request';
import { createClient } from 'graphql-sse';
import { PATIENCE_MS, PROPOSE, authorization, proposal, url } from './field.mjs';

const ASKS_THE_PAYER = 'pm_card_authenticationRequired';
const DEPOSIT = `query ($id: ID!) { contract(id: $id) {
  milestones { id state }
  deposits(last: 1) { nodes { id state actionRequired nextAction { kind url clientSecret until } order { explanation } } }
} }`;
const HAPPENED = `subscription ($contractId: ID, $type: String!) {
  events(after: "cur_0000000000000", contractId: $contractId, types: [$type]) { data texts { field value } }
}`;

const as = (key) => new GraphQLClient(url, { headers: { authorization: `Bearer ${key}` } });
const client = new GraphQLClient(url, { headers: { authorization } });
const freelancer = as(process.env.EARNEST_FREELANCER_KEY);
const operator = as(process.env.EARNEST_OPERATOR_KEY);
const stream = createClient({ url, headers: { authorization } });

async function mutate(who, name, input, answer = 'userErrors { message }') {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  const done = (await who.request(`mutation ($input: ${type}!) { ${name}(input: $input) { ${answer} userErrors { message } } }`, { input }))[name];
  assert.deepEqual(done.userErrors, []);
  return done;
}

// The first event of the type, replayed or live.
async function happened(contractId, type) {
  for await (const { data, errors } of stream.iterate({ query: HAPPENED, variables: { contractId, type } })) {
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data.events;
  }
}

async function look(who, id) {
  const { contract } = await who.request(DEPOSIT, { id });
  return { milestone: contract.milestones[0], deposit: contract.deposits.nodes[0] };
}

// A contract whose deposit waits for the payer, whose bank asks.
async function waiting(title) {
  const { contract } = (await client.request(PROPOSE, { input: proposal(title) })).proposeContract;
  await mutate(freelancer, 'acceptContract', { contractId: contract.id, revision: 1 });
  const { milestone } = await look(client, contract.id);
  await mutate(client, 'fundMilestone', { milestoneId: milestone.id, paymentToken: ASKS_THE_PAYER });
  await happened(contract.id, 'deposit.action_required');
  const { deposit } = await look(client, contract.id);
  assert.equal(deposit.nextAction.kind, 'REDIRECT');
  for (const stranger of [freelancer, operator]) {
    const seen = await look(stranger, contract.id);
    assert.deepEqual(seen.deposit, { ...deposit, nextAction: null });
  }
  return { id: contract.id, action: deposit.nextAction };
}

const browser = await chromium.launch({ executablePath: process.env.EARNEST_CHROMIUM, args: ['--no-sandbox'], timeout: PATIENCE_MS });

// Opens the page of the bank; gives what presses a button there, sees where that leads, and that the browser complains of nothing.
async function atTheBank({ url: address }) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  const visited = new Set();
  page.on('console', (message) => complaints.push(`${message.text()} ${message.location().url}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => visited.add(new URL(request.url()).origin));
  await page.goto(address);
  assert.deepEqual([...visited], [new URL(address).origin]);
  return async (button) => {
    await page.getByRole('button', { name: button }).click();
    await page.waitForURL(({ origin }) => origin === process.env.EARNEST_URL);
    assert.deepEqual([...visited].slice(1), [process.env.EARNEST_URL], 'the bank sends the payer back to the platform, and nowhere else');
    assert.deepEqual(complaints, []);
  };
}

const paid = await waiting('Paid');
const consent = await atTheBank(paid.action);
await consent('Complete authentication');
await happened(paid.id, 'deposit.confirmed');
await happened(paid.id, 'milestone.funded');
const funded = await look(client, paid.id);
assert.equal(funded.deposit.state, 'CONFIRMED');
assert.equal(funded.deposit.nextAction, null);
assert.equal(funded.milestone.state, 'ACTIVE');
console.log('a payer who says yes has funded the milestone');

const refused = await waiting('Refused');
const refuse = await atTheBank(refused.action);
await refuse('Fail authentication');
const failure = await happened(refused.id, 'deposit.failed');
assert.equal(failure.data.reason, 'REFUSED');
assert.deepEqual(failure.texts, []);
const again = await look(client, refused.id);
assert.match(again.deposit.order.explanation, /failed authentication/);
assert.equal((await look(freelancer, refused.id)).deposit.order.explanation, null);
assert.equal(again.deposit.nextAction, null);
assert.equal(again.milestone.state, 'PLANNED');
console.log('a payer who says no reads why');

const left = await waiting('Left');
await atTheBank(left.action);
let way = await mutate(operator, 'advanceTestClock', { by: 'P4D' }, 'to hasMore');
while (way.hasMore) way = await mutate(operator, 'advanceTestClock', { to: way.to }, 'to hasMore');
assert.equal((await happened(left.id, 'deposit.failed')).data.reason, 'ACTION_EXPIRED');
const after = await look(client, left.id);
assert.equal(after.deposit.nextAction, null);
assert.equal(after.milestone.state, 'PLANNED');
console.log("a payer who doesn't come lets the deposit fail");

await browser.close();
