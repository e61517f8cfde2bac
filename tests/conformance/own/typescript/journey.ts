// The whole job by the installed TypeScript client, from the proposal to the payout; run with the demo's keys in the environment.
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as E from '@earnest/client';
import { FileKeys } from '@earnest/client/files';
import WebSocket from 'ws';

const PATIENCE_SECONDS = 120;
const env = (name: string) => process.env[name] ?? '';
const as = (name: string) => new E.Earnest({ url: env('EARNEST_URL'), key: env(name) });
const [client, freelancer, mediator] = [as('EARNEST_KEY'), as('EARNEST_FREELANCER'), as('EARNEST_MEDIATOR')];
const once = <Input>(input: Input) => ({ input, key: E.newKey() });
const usd = (amount: string): E.MoneyInput => ({ amount, currency: 'USD' });
const step = (title: string): E.MilestoneInput => ({
  title,
  purpose: 'To see',
  amount: usd('100.00'),
  dueOn: '2100-01-01',
  deliverables: ['A page'],
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 1000 * PATIENCE_SECONDS;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, 'it never came true');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const refusal = (code: E.ErrorCode) => (error: unknown) => error instanceof E.Refused && error.code === code;

// Agreed.
const keys = new E.Keys(new FileKeys('keys.json'));
const accountOf = async (one: E.Earnest) => (await one.ask(E.ViewerDocument, {})).viewer.accountId;
const parties = { clientId: await accountOf(client), freelancerId: await accountOf(freelancer) };
const offer = { ...parties, title: 'By the TypeScript client', currency: 'USD', milestones: [step('One')] };
const intention = "the journey's contract";
const propose = async () => (await client.ask(E.ProposeContractDocument, { input: offer, key: await keys.of(intention) })).proposeContract;
const contractId = (await propose()).contract!.id;
assert.equal((await propose()).contract!.id, contractId);
await keys.done(intention);
const milestones = [step('One'), step('Two'), step('Three'), step('Four')];
await freelancer.ask(E.ReviseContractDocument, once({ contractId, milestones }));
await assert.rejects(client.ask(E.AcceptContractDocument, once({ contractId, revision: 1 })), refusal('VERSION_CONFLICT'));
const { acceptContract } = await client.ask(E.AcceptContractDocument, once({ contractId, revision: 2 }));
assert.equal(acceptContract.contract!.state, 'ACTIVE');
console.log('proposed, answered with another offer, accepted');

// The plan.
const { addMilestone } = await client.ask(E.AddMilestoneDocument, once({ contractId, milestone: step('Five') }));
const five = addMilestone.milestone!.id;
await client.ask(E.EditMilestoneDocument, once({ milestoneId: five, title: 'Late' }));
await client.ask(E.MoveMilestoneDocument, once({ milestoneId: five, position: 4 }));
await client.ask(E.SetExternalReferenceDocument, once({ subjectId: five, system: 'tracker', externalId: `T-${five}` }));
assert.equal((await client.ask(E.ByExternalIdDocument, { system: 'tracker', id: `T-${five}` })).byExternalId?.id, five);
await client.ask(E.RemoveMilestoneDocument, once({ milestoneId: five }));
for (const document of [E.AcceptChangeRequestDocument, E.DeclineChangeRequestDocument]) {
  const changes = [{ add: { milestone: step('Asked for') } }];
  const filed = await freelancer.ask(E.FileChangeRequestDocument, once({ contractId, changes, message: 'There is more to do' }));
  await client.ask<unknown, E.AcceptChangeRequestMutationVariables>(
    document as E.TypedDocumentString<unknown, E.AcceptChangeRequestMutationVariables>,
    once({ changeRequestId: filed.fileChangeRequest.changeRequest!.id }),
  );
}
const requests = (await client.ask(E.ChangeRequestsDocument, { contractId })).contract!.changeRequests.nodes;
assert.deepEqual(requests.map(({ state }) => state), ['ACCEPTED', 'DECLINED']);
const plan = (await client.ask(E.ContractDocument, { id: contractId })).contract!.milestones.map(({ id }) => id);
const [one, two, three] = plan as [string, string, string];
console.log('added, edited, moved, removed; changes accepted and declined');

// The work.
const stateOf = async (id: string) => (await client.ask(E.MilestoneDocument, { id })).milestone!.state;
const becomes = (id: string, state: E.MilestoneState) => until(async () => (await stateOf(id)) === state);
const fund = (milestoneId: string, paymentToken = 'tok_ok') => client.ask(E.FundMilestoneDocument, once({ milestoneId, paymentToken }));
const handIn = (milestoneId: string) => freelancer.ask(E.SubmitMilestoneDocument, once({ milestoneId, message: 'Done' }));
await fund(one, 'tok_fail');
await becomes(one, 'PLANNED');
await assert.rejects(fund(two), refusal('OUT_OF_SEQUENCE'));
await fund(one);
await becomes(one, 'ACTIVE');
await handIn(one);
await client.ask(E.RequestChangesDocument, once({ milestoneId: one, note: 'The colour' }));
await handIn(one);
const approval = { milestoneId: one, bonus: usd('5.00'), paymentToken: 'tok_ok' };
const { approveMilestone } = await client.ask(E.ApproveMilestoneDocument, once(approval));
assert.equal(approveMilestone.milestone!.state, 'RELEASED');
assert.equal(approveMilestone.bonus!.charge.amount, '5.00');
await fund(two);
await becomes(two, 'ACTIVE');
await fund(three);
await becomes(three, 'FUNDED');
await handIn(two);
const less = await client.ask(E.ApproveMilestoneDocument, once({ milestoneId: two, amount: usd('60.00') }));
assert.equal(less.approveMilestone.milestone!.released.amount, '60.00');
console.log('a refused payment, funded, changes asked for, approved with a bonus and with less');

// The argument.
await becomes(three, 'ACTIVE');
await client.ask(E.PostUpdateDocument, once({ contractId, message: 'On we go' }));
const asked = await client.ask(E.RequestRefundDocument, once({ milestoneId: three, amount: usd('40.00') }));
await freelancer.ask(E.AcceptRefundDocument, once({ refundId: asked.requestRefund.refundRequest!.id }));
const sees = new E.MemoryMirror();
const mediators = new E.Mirror(mediator, sees);
await mediators.catchUp();
assert.ok(!sees.contracts.has(contractId));
const claim = { milestoneId: three, claim: usd('90.00'), reason: 'It is nearly done' };
const disputeId = (await freelancer.ask(E.OpenDisputeDocument, once(claim))).openDispute.dispute!.id;
await client.ask(E.RejectClaimDocument, once({ disputeId }));
await client.ask(E.AddEvidenceDocument, once({ disputeId, text: 'It is not' }));
const { offerSettlement } = await client.ask(E.OfferSettlementDocument, once({ disputeId, toFreelancer: usd('50.00') }));
assert.equal(offerSettlement.dispute!.offers[0]!.toFreelancer.amount, '50.00');
const known = [];
for await (const { id } of E.every(async (after) => (await mediator.ask(E.DisputesDocument, { after })).disputes)) known.push(id);
assert.ok(known.includes(disputeId));
const decision = { disputeId, toFreelancer: usd('70.00'), reason: 'Most of it is there' };
assert.equal((await mediator.ask(E.DecideDisputeDocument, once(decision))).decideDispute.dispute!.state, 'RESOLVED');
assert.equal(await stateOf(three), 'SETTLED');
await until(async () => {
  await mediators.catchUp();
  return plan.every((id) => sees.milestones.has(id)) && sees.milestones.get(three)?.state === 'SETTLED';
});
console.log("a refund, a dispute, and a mediator's decision");

// The money.
const { requestPayout } = await freelancer.ask(E.RequestPayoutDocument, once({ contractId }));
await until(async () => {
  const orders = (await freelancer.ask(E.PaymentOrdersDocument, { contractId })).contract!.paymentOrders.nodes;
  const isPaid = orders.some(({ id, state }) => id === requestPayout.paymentOrderId && state === 'PAID');
  return isPaid && orders.every(({ state }) => state !== 'STARTED'); // what goes back to the client, too: nothing happens after that
});
console.log('paid out');

// The proof.
const events: E.EventFieldsFragment[] = [];
let version = 0;
const timeline = async (after?: string) => {
  const { contract } = await client.ask(E.TimelineDocument, { id: contractId, first: 20, after });
  version = contract!.version;
  return contract!.timeline;
};
for await (const event of E.every(timeline)) events.push(event);
const links = await Promise.all(events.map(E.linkOfEvent));
const head = new Map([[contractId, { sequence: version, hash: events.at(-1)!.hash }]]);
const report = E.checkChains(links, head);
assert.deepEqual([report.problems, report.unproven], [[], []]);
assert.match(E.checkChains(links.slice(0, -1), head).problems[0]!, /goes on/);
assert.deepEqual(E.checkChains(links.slice(0, -1)).unproven, [contractId]);
assert.match(E.checkChains(links.toSpliced(3, 1)).problems[0]!, /is missing/);
console.log(`a chain of ${events.length} events`);

// A cursor of another log, and a contract that may be seen no more.
const store = new E.MemoryMirror();
const mirror = new E.Mirror(client, store);
await mirror.catchUp();
const seen = await store.ids();
const stranger = { ...[...store.contracts.values()][0]!, id: 'ctr_of_another_log' };
await store.write({ contracts: [stranger], cursor: 'cur_000000000zzzz' });
await mirror.catchUp();
assert.ok([...seen].every((id) => store.contracts.has(id) || store.milestones.has(id)));
assert.ok(!store.contracts.has('ctr_of_another_log'));
assert.notEqual(await store.cursor(), 'cur_000000000zzzz');
const elsewhere = new E.Earnest({ url: env('EARNEST_URL'), key: env('EARNEST_KEY'), webSocketImpl: WebSocket });
await assert.rejects(elsewhere.follow(new E.MemoryPlace('cur_000000000zzzz')).next(), E.BeyondTheLog);
console.log('a mirror of another log begins anew');

// Webhooks.
const got: { body: Buffer; headers: IncomingHttpHeaders }[] = [];
const server = createServer(async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  got.push({ body: Buffer.concat(pieces), headers: request.headers });
  response.writeHead(204).end();
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const { createWebhookEndpoint: made } = await client.ask(E.CreateWebhookEndpointDocument, once({ url, algorithms: ['HMAC_SHA256', 'ED25519'] as const }));
const endpointId = made.webhookEndpoint!.id;
const publicKey = made.webhookEndpoint!.secrets.find((secret) => secret.publicKey)!.publicKey!;
async function testEvent() {
  const tests = () => got.filter(({ body }) => JSON.parse(String(body)).type === 'endpoint.test'); // other things happen, too
  const before = tests().length;
  await client.ask(E.SendTestEventDocument, once({ endpointId }));
  await until(async () => tests().length > before);
  return tests().at(-1)!;
}
const first = await testEvent();
for (const key of [made.secret!, publicKey]) {
  assert.ok((await E.verify(first.body, first.headers, key)).isTest);
  for (const altered of [`${first.body} `, '']) await assert.rejects(E.verify(altered, first.headers, key), E.NotVerified);
}
await assert.rejects(E.verify(first.body, first.headers, publicKey, { now: Date.now() / 1000 + 301 }), E.NotVerified);
assert.equal(await E.linkOfWebhook(String(first.body)), undefined);

// What a restore undid is left out.
const undone = { keptCursor: 'cur_0000000000002', firstCursor: 'cur_00001yk000000' };
const bodyAt = (cursor: string | null, type = 'milestone.updated', more = {}) =>
  JSON.stringify({ type, data: { cursor, event: { stream: 'acc_1', sequence: 0, type, previousHash: null, data: undone }, texts: {}, ...more } });
const [kept, gone, anew] = ['cur_0000000000002', 'cur_0000000000003', 'cur_00001yk000000'].map((cursor) => bodyAt(cursor));
const cut = bodyAt(null, 'log.cut');
const tried = bodyAt(null, 'log.cut', { test: true });
assert.deepEqual(E.stillSo([gone!, kept!, cut, anew!]), [kept, cut, anew]);
assert.deepEqual(E.stillSo([gone!, tried]), [gone, tried]);
assert.equal(await E.linkOfWebhook(cut), undefined);
const { rotateWebhookSecret } = await client.ask(E.RotateWebhookSecretDocument, once({ endpointId }));
const second = await testEvent();
for (const key of [made.secret!, rotateWebhookSecret.secret!]) await E.verify(second.body, second.headers, key);
await E.verify(second.body, second.headers, [`whsec_${'A'.repeat(32)}`, rotateWebhookSecret.secret!]);
assert.ok((await client.ask(E.WebhookEndpointsDocument, {})).webhookEndpoints.some(({ id }) => id === endpointId));
const filter = { endpointId, eventType: ['endpoint.test'] };
const sent = [];
const deliveries = async (after?: string) => (await client.ask(E.DeliveriesDocument, { filter, after })).deliveries;
for await (const { eventType } of E.every(deliveries)) sent.push(eventType);
assert.deepEqual(sent, ['endpoint.test', 'endpoint.test']);
assert.ok((await client.ask(E.EventTypesDocument, {})).eventTypes.some(({ name }) => name === 'milestone.released'));
await client.ask(E.DeleteWebhookEndpointDocument, once({ endpointId }));
server.closeAllConnections();
server.close();
console.log('webhooks: verified by secret and public key, during a rotation, refused when altered or old');

const mine = [];
for await (const { id } of E.every(async (after) => (await client.ask(E.ContractsDocument, { first: 2, after })).contracts)) mine.push(id);
assert.ok(mine.includes(contractId));
console.log('the whole job');
process.exit(0);
