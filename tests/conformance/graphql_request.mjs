// graphql-request: a query, a mutation, and an error. It has no subscriptions.
import assert from 'node:assert/strict';
import { GraphQLClient } from 'graphql-request';
import { PROPOSE, VIEWER, authorization, proposal, url } from './field.mjs';

const client = new GraphQLClient(url, { headers: { authorization } });
const { viewer } = await client.request(VIEWER);
assert.equal(viewer.accountId, process.env.EARNEST_ACCOUNT);
const { proposeContract } = await client.request(PROPOSE, { input: proposal('By graphql-request') });
assert.deepEqual(proposeContract.userErrors, []);
await assert.rejects(client.request('{ nothing }'), (error) => error.response.errors[0].extensions.code === 'BAD_REQUEST');
const got = new GraphQLClient(url, { headers: { authorization }, method: 'GET', jsonSerializer: JSON });
assert.deepEqual((await got.request(VIEWER)).viewer, viewer);
console.log('a query, a mutation and an error');
