// Relay's compiler on the schema as Earnest serves it; what it makes of the documents in `relay/` is then asked.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, proposal, restart, socketUrl, until, url } from './field.mjs';

const folder = await mkdtemp(join(tmpdir(), 'relay-'));
await cp('relay', join(folder, 'src'), { recursive: true });
await symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
await writeFile(join(folder, 'schema.graphql'), await (await fetch(url.replace('/graphql', '/schema.graphql'))).text());
const settings = { src: './src', schema: './schema.graphql', language: 'typescript', eagerEsModules: true };
await writeFile(join(folder, 'relay.config.json'), JSON.stringify(settings));
const compiler = join(process.cwd(), 'node_modules', 'relay-compiler', 'cli.js');
const said = execFileSync('node', [compiler, 'relay.config.json'], { cwd: folder, encoding: 'utf8' });
console.log(said.trim());

const text = async (name) => {
  const made = await readFile(join(folder, 'src', '__generated__', `${name}.graphql.ts`), 'utf8');
  return JSON.parse(/"text": ("(?:[^"\\]|\\.)*")/.exec(made)[1]);
};
async function ask(name, variables) {
  const headers = { 'content-type': 'application/json', authorization };
  const body = JSON.stringify({ query: await text(name), variables });
  const { data, errors } = await (await fetch(url, { method: 'POST', headers, body })).json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const propose = async () => {
  const { proposeContract } = await ask('documentsProposeMutation', { input: proposal('By Relay') });
  assert.deepEqual(proposeContract.userErrors, []);
  return proposeContract.contract;
};
const contract = await propose();
const list = await ask('documentsListQuery', { count: 1 });
assert.equal(list.viewer.accountId, process.env.EARNEST_ACCOUNT);
assert.equal(list.contracts.edges[0].node.id, contract.id);
const page = await ask('documentsPageQuery', { count: 1, after: list.contracts.pageInfo.endCursor });
assert.notEqual(page.contracts.edges[0].node.id, contract.id);
assert.equal((await ask('documentsContractQuery', { id: contract.id })).node.title, 'By Relay');
console.log('queries, a page, a refetch by node, and a mutation');

const socket = createClient({
  url: socketUrl,
  webSocketImpl: WebSocket,
  connectionParams: { headers: { Authorization: authorization } },
  shouldRetry: () => true,
});
const heard = [];
const payload = { query: await text('documentsEventsSubscription'), variables: { after: 'latest' } };
socket.subscribe(payload, {
  next: ({ data }) => heard.push(data.events.stream),
  error: (error) => assert.fail(error),
  complete: () => {},
});
const made = [];
const proposeAgain = async () => {
  made.push((await propose()).id);
};
const isHeard = () => made.some((one) => heard.includes(one));
await until(isHeard, proposeAgain);
await restart();
made.length = 0;
await until(isHeard, proposeAgain);
await socket.dispose();
await rm(folder, { recursive: true });
console.log('a subscription across a restart');
