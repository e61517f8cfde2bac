// Apollo Client as its documentation sets it up: HTTP with automatic persisted queries, subscriptions through graphql-ws.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { EVENTS, PROPOSE, VIEWER, authorization, proposal, restart, socketUrl, until, url } from './field.mjs';

globalThis.WebSocket ??= WebSocket; // as in browsers: the link asks what its errors are by it
const sent = [];
const http = new HttpLink({
  uri: url,
  headers: { authorization },
  fetch: (where, options) => {
    sent.push(JSON.parse(options.body));
    return fetch(where, options);
  },
});
const hashed = new PersistedQueryLink({ sha256: (text) => createHash('sha256').update(text).digest('hex') });
const socket = createClient({
  url: socketUrl,
  webSocketImpl: WebSocket,
  connectionParams: { authorization },
  shouldRetry: () => true, // by itself graphql-ws gives up where a connection is refused
});
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(socket),
    hashed.concat(http),
  ),
  cache: new InMemoryCache(),
});

const { data } = await client.query({ query: gql(VIEWER) });
assert.equal(data.viewer.accountId, process.env.EARNEST_ACCOUNT);
assert.ok(!('query' in sent[0]), 'the first request only names its document');
assert.ok('query' in sent[1], 'the second one has it');
console.log('a query that was first named by its hash');

const propose = (title) => client.mutate({ mutation: gql(PROPOSE), variables: { input: proposal(title) } });
const made = await propose('By Apollo');
assert.deepEqual(made.data.proposeContract.userErrors, []);
assert.ok(sent.slice(2).every((request) => 'query' in request), 'it has learnt to send documents');
await assert.rejects(client.query({ query: gql`{ nothing }` }), /nothing/);
console.log('a mutation, and an error');

const heard = [];
const watching = client.subscribe({ query: gql(EVENTS), variables: { after: 'latest' } }).subscribe({
  next: ({ data: answer, error }) => {
    assert.equal(error, undefined);
    heard.push(answer.events.stream);
  },
  error: (error) => assert.fail(error),
});
const again = [];
const proposeAgain = async () => {
  again.push((await propose('Heard')).data.proposeContract.contract.id);
};
const isHeard = () => again.some((contract) => heard.includes(contract));
await until(isHeard, proposeAgain);
await restart();
again.length = 0;
await until(isHeard, proposeAgain);
watching.unsubscribe();
await socket.dispose();
client.stop();
console.log('a subscription across a restart');
