// A real browser, at EARNEST_CHROMIUM, with pages of two origins: one that the operator allowed, and one that nobody did.
import assert from 'node:assert/strict';
import http from 'node:http';
import { chromium } from 'playwright-core';
import { PATIENCE_MS, authorization, socketUrl, url } from './field.mjs';

async function origin(port) {
  const server = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}

const friend = await origin(Number(process.env.EARNEST_ALLOWED_PAGE_PORT));
const stranger = await origin(0);
const browser = await chromium.launch({ executablePath: process.env.EARNEST_CHROMIUM, args: ['--no-sandbox'], timeout: PATIENCE_MS });

// What a page can do, run in it.
const attempts = async ({ url, socketUrl, authorization }) => {
  const ask = (headers) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-of-the-client': 'any', ...headers },
      body: '{"query": "{ viewer { accountId } }"}',
    }).then(
      async (answer) => ({ status: answer.status, trace: answer.headers.get('x-trace-id'), body: await answer.json() }),
      (error) => error.name,
    );
  const speak = () =>
    new Promise((resolve) => {
      const socket = new WebSocket(socketUrl, 'graphql-transport-ws');
      socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init', payload: { headers: { Authorization: authorization } } }));
      socket.onmessage = ({ data }) => {
        resolve(JSON.parse(data).type);
        socket.close();
      };
      socket.onclose = ({ code }) => resolve(code);
    });
  return { answer: await ask({ authorization }), refusal: await ask({ authorization: 'Bearer ek_nobody' }), socket: await speak() };
};
async function tried({ address }) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(address);
  return page.evaluate(attempts, { url, socketUrl, authorization });
}

const allowed = await tried(friend);
assert.equal(allowed.answer.body.data.viewer.accountId, process.env.EARNEST_ACCOUNT);
assert.match(allowed.answer.trace, /^[0-9a-f]{32}$/);
assert.equal(allowed.refusal.status, 401);
assert.equal(allowed.refusal.body.errors[0].extensions.code, 'UNAUTHENTICATED');
assert.equal(allowed.socket, 'connection_ack');
console.log('a page of an allowed origin asks, reads answers, refusals and trace ids, and opens a socket');

const refused = await tried(stranger);
assert.deepEqual(refused, { answer: 'TypeError', refusal: 'TypeError', socket: 4403 });
console.log('a page of another origin gets nothing');

await browser.close();
for (const { server } of [friend, stranger]) {
  server.closeAllConnections();
  server.close();
}
