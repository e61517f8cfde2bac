// The recipe of docs/integrating/live.md at EARNEST_RECIPE, unchanged, while contracts are proposed and Earnest is restarted.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';
import { PROPOSE, authorization, pause, proposal, restart, socketUrl, until, url } from './field.mjs';

const { listen } = await import(pathToFileURL(process.env.EARNEST_RECIPE));
const PROPOSALS = 60;

async function ask(query, variables) {
  const headers = { 'content-type': 'application/json', authorization };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

// Asked again under the same key until there is an answer, so that a restart loses and doubles nothing.
async function proposed(number) {
  const query = PROPOSE.replace('(input: $input)', `(input: $input) @idempotent(key: "resuming-${Date.now()}-${number}")`);
  for (;;) {
    try {
      return (await ask(query, { input: proposal(`Proposal ${number}`) })).proposeContract.contract.id;
    } catch {
      await pause(100);
    }
  }
}

// Everything that the log has after a cursor.
async function logged(after) {
  const found = [];
  for (;;) {
    const { changes } = await ask(
      'query ($after: Cursor!) { changes(after: $after, first: 100) { nodes { event { id } } cursor hasMore } }',
      { after },
    );
    found.push(...changes.nodes.map((change) => change.event.id));
    after = changes.cursor;
    if (!changes.hasMore) return found;
  }
}

const { changes: { cursor: start } } = await ask('{ changes(after: "latest", first: 1) { cursor } }');
const heard = [];
const heardFromNow = [];
const handle = (into) => async (event) => {
  into.push(event.id);
  if (into.length % 10 === 0) await pause(20); // slower than what comes: something always waits
};
const options = { url: socketUrl, key: process.env.EARNEST_KEY, webSocketImpl: WebSocket };
listen({ ...options, after: start, handle: handle(heard) });
listen({ ...options, handle: handle(heardFromNow) }); // without a cursor: from now on, restarts included

const contracts = [];
const write = async () => {
  for (let number = 0; number < PROPOSALS; number += 1) contracts.push(await proposed(number));
};
await until(() => heardFromNow.length > 0, () => proposed('first')); // the second listener has its cursor
const writing = write();
await until(() => contracts.length > PROPOSALS / 4, async () => {});
await restart();
await writing;
let all = [];
const fromThen = () => all.slice(all.indexOf(heardFromNow[0]));
await until(() => all.length >= 2 * PROPOSALS && heard.length >= all.length && heardFromNow.length >= fromThen().length, async () => {
  all = await logged(start);
});
await pause(1_500); // what came twice would have come by now
assert.deepEqual(heard, all);
assert.deepEqual(heardFromNow, fromThen());
console.log(`${all.length} events, none lost, none doubled, across a restart`);
process.exit(0); // the recipe listens for ever
