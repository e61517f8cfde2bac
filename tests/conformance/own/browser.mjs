// Our client in a real browser, at EARNEST_CHROMIUM: a page of an allowed origin with the packed modules of EARNEST_PACKAGE, unbundled.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { PATIENCE_MS } from '../field.mjs';

const modules = join(process.env.EARNEST_PACKAGE, 'node_modules');
const imports = {
  '@earnest/client': '/@earnest/client/dist/index.js',
  'graphql-ws/client': '/graphql-ws/dist/client.js',
};
const page = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>`;

const server = http.createServer(async ({ url }, response) => {
  if (!url.endsWith('.js')) return response.setHeader('content-type', 'text/html').end(page);
  response.setHeader('content-type', 'text/javascript').end(await readFile(join(modules, url)));
});
await new Promise((resolve) => server.listen(Number(process.env.EARNEST_ALLOWED_PAGE_PORT), '127.0.0.1', resolve));
const browser = await chromium.launch({ executablePath: process.env.EARNEST_CHROMIUM, args: ['--no-sandbox'], timeout: PATIENCE_MS });
const tab = await browser.newPage();
tab.setDefaultTimeout(PATIENCE_MS);
await tab.goto(`http://127.0.0.1:${server.address().port}/`);

const found = await tab.evaluate(
  async ({ url, key, other, secret, signed }) => {
    const E = await import('@earnest/client');
    const earnest = new E.Earnest({ url, key });
    const { viewer } = await earnest.ask(E.ViewerDocument, {});
    const milestone = { title: 'One', purpose: 'To see', amount: { amount: '10.00', currency: 'USD' }, dueOn: '2100-01-01' };
    const terms = { clientId: viewer.accountId, freelancerId: other, title: 'In a browser', currency: 'USD', milestones: [milestone] };
    const { proposeContract } = await earnest.ask(E.ProposeContractDocument, { input: terms, key: E.newKey() });
    const events = [];
    for await (const event of earnest.follow(new E.MemoryPlace(), { begin: E.BEGINNING })) {
      events.push(event);
      if (event.stream === proposeContract.contract.id && event.sequence === 2) break;
    }
    const store = new E.MemoryMirror();
    await new E.Mirror(earnest, store).catchUp();
    const { type } = await E.verify(signed.body, signed.headers, secret, { now: signed.now });
    return {
      accountId: viewer.accountId,
      problems: E.checkChains(await Promise.all(events.map(E.linkOfEvent))).problems,
      mirrored: store.contracts.has(proposeContract.contract.id),
      type,
    };
  },
  {
    url: process.env.EARNEST_URL,
    key: process.env.EARNEST_KEY,
    other: process.env.EARNEST_OTHER,
    secret: process.env.EARNEST_SECRET,
    signed: JSON.parse(process.env.EARNEST_SIGNED),
  },
);
assert.deepEqual(found, {
  accountId: process.env.EARNEST_ACCOUNT,
  problems: [],
  mirrored: true,
  type: 'milestone.released',
});
console.log('a browser asks, follows, mirrors, proves, and verifies by a public key');
await browser.close();
server.closeAllConnections();
server.close();
