// The standard's own library for Node verifies what Earnest sends, unchanged. Needs EARNEST_URL and EARNEST_KEY, that of an
// owner with the scope webhooks:manage. Listens on loopback, makes an endpoint, has tests sent, rotates the secret.
import assert from 'node:assert/strict';
import http from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

const TYPES = ['endpoint.test', 'contract.proposed', 'milestone.released', 'payout.paid'];

const arrived = [];
let wake = () => {};
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    arrived.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
    response.writeHead(204).end();
    wake();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

async function ask(query, variables = {}) {
  const response = await fetch(`${process.env.EARNEST_URL}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${process.env.EARNEST_KEY}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function change(mutation, input, fields) {
  const type = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input`;
  const data = await ask(
    `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code message } } }`,
    { input },
  );
  assert.deepEqual(data[mutation].userErrors, []);
  return data[mutation];
}

async function next(eventId) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = arrived.find(({ headers }) => headers['webhook-id'] === eventId);
    if (found) return found;
    assert.ok(Date.now() < deadline, `${eventId} never came`);
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, 200);
    });
  }
}

const { webhookEndpoint, secret } = await change(
  'createWebhookEndpoint',
  {
    url: `http://127.0.0.1:${server.address().port}/`,
    algorithms: ['HMAC_SHA256', 'ED25519'],
    eventTypes: ['contract.completed'],
  },
  'webhookEndpoint { id } secret',
);
const endpointId = webhookEndpoint.id;

for (const eventType of TYPES) {
  const { delivery } = await change('sendTestEvent', { endpointId, eventType }, 'delivery { eventId }');
  const { headers, body } = await next(delivery.eventId);
  assert.deepEqual(new Webhook(secret).verify(body, headers), JSON.parse(body));
  assert.equal(JSON.parse(body).type, eventType);
  const altered = body.replace('"test":true', '"test":null');
  assert.notEqual(altered, body);
  assert.throws(() => new Webhook(secret).verify(altered, headers), WebhookVerificationError);
  console.log('verified', eventType, 'and refused it when altered');
}

const rotated = await change('rotateWebhookSecret', { endpointId }, 'secret');
assert.notEqual(rotated.secret, secret);
// Both sign for a day.
const { delivery } = await change('sendTestEvent', { endpointId }, 'delivery { eventId }');
const { headers, body } = await next(delivery.eventId);
for (const valid of [secret, rotated.secret]) new Webhook(valid).verify(body, headers);
console.log('verified with both secrets during a rotation');

await change('deleteWebhookEndpoint', { endpointId }, 'webhookEndpoint { id }');
server.closeAllConnections();
server.close();
