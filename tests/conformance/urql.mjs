// urql with its default settings, which name an event stream beside JSON on every request; subscriptions both ways that it has.
import assert from 'node:assert/strict';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { EVENTS, PROPOSE, VIEWER, authorization, pause, proposal, restart, socketUrl, until, url } from './field.mjs';

const accepted = new Set();
const types = new Set();
const watchedFetch = async (where, options) => {
  accepted.add(new Headers(options.headers).get('accept'));
  const answer = await fetch(where, options);
  types.add(answer.headers.get('content-type'));
  return answer;
};
const common = { url, fetch: watchedFetch, fetchOptions: { headers: { authorization } } };
const plain = new Client({ ...common, exchanges: [cacheExchange, fetchExchange] });

for (let round = 0; round < 6; round += 1) {
  const { data, error } = await plain.query(VIEWER, {}, { requestPolicy: 'network-only' }).toPromise();
  assert.equal(error, undefined);
  assert.equal(data.viewer.accountId, process.env.EARNEST_ACCOUNT);
}
const propose = async (client, title) => {
  const { data, error } = await client.mutation(PROPOSE, { input: proposal(title) }).toPromise();
  assert.equal(error, undefined);
  assert.deepEqual(data.proposeContract.userErrors, []);
  return data.proposeContract.contract.id;
};
await propose(plain, 'By urql');
assert.match((await plain.query('{ nothing }', {}).toPromise()).error.message, /nothing/);
assert.ok([...accepted].every((one) => one.includes('text/event-stream')), 'the default header names streams');
assert.ok([...types].every((one) => one.includes('json')), [...types].join());
await pause(200); // an abort that nobody handles would have ended this process by now
console.log('queries and mutations with the default settings');

async function hears(client, acrossRestart) {
  const heard = [];
  const watching = client.subscription(EVENTS, { after: 'latest' }).subscribe(({ data, error }) => {
    assert.equal(error, undefined);
    heard.push(data.events.stream);
  });
  const made = [];
  const proposeAgain = async () => {
    made.push(await propose(plain, 'Heard'));
  };
  const isHeard = () => made.some((contract) => heard.includes(contract));
  await until(isHeard, proposeAgain);
  if (acrossRestart) {
    await restart();
    made.length = 0;
    await until(isHeard, proposeAgain);
  }
  watching.unsubscribe();
}

await hears(new Client({ ...common, fetchSubscriptions: true, exchanges: [cacheExchange, fetchExchange] }), false);
console.log('a subscription as an event stream');

const socket = createClient({
  url: socketUrl,
  webSocketImpl: WebSocket,
  connectionParams: { headers: { Authorization: authorization } },
  shouldRetry: () => true, // by itself graphql-ws gives up where a connection is refused
});
const forwardSubscription = (request) => ({
  subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink) }),
});
await hears(new Client({ ...common, exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })] }), true);
await socket.dispose();
console.log('a subscription across a restart');
