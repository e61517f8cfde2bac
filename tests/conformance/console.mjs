// What the elements reckon, read and resume, without a browser: sums, plans, links, and the stream of events against a server that tears it.
import assert from 'node:assert/strict';
import { Api } from '../../api/console/core/api.js';
import { webAddress } from '../../api/console/core/dom.js';
import { span } from '../../api/console/core/dates.js';
import { difference, fromMinor, isAmount, minor, shown, sum, typable, typedMoney } from '../../api/console/core/money.js';
import { Form } from '../../api/console/core/forms.js';
import { changesBetween, rowOf } from '../../api/console/core/plans.js';
import { follow } from '../../api/console/core/stream.js';
import { watch } from '../../api/console/core/watching.js';

const usd = (amount) => ({ amount, currency: 'USD' });

// Sums are exact, however large, and read as people of any locale write them.
assert.deepEqual(sum(usd('99999999999999999.99'), usd('0.01')), usd('100000000000000000.00'));
assert.deepEqual(difference(usd('1.00'), usd('1.05')), usd('-0.05'));
assert.equal(minor({ amount: '1200', currency: 'JPY' }), 1200n);
assert.deepEqual(fromMinor(5n, usd('0.00')), usd('0.05'));
for (const typed of ['1234.5', '1,234.50', '1234,5', "1'234.50", '١٢٣٤٫٥', ' 1 234.50 ']) assert.deepEqual(typedMoney(typed, 'USD', 'en'), usd('1234.50'), typed);
assert.equal(typedMoney('1,234', 'JPY', 'en').amount, '1234');
for (const typed of ['a lot', '1,234,5', '1 2', '.5', '']) assert.equal(isAmount(typedMoney(typed, 'USD', 'en')), false, typed);
assert.equal(shown('en', usd('12345678901234567.89')), '$12,345,678,901,234,567.89');
assert.equal(span('en', 3 * 86_400_000 + 3_600_000 + 5000), '3 days 1 hour'.replace('days 1', 'days, 1'));
console.log('sums and spans are exact');

// What a reader's locale writes is read as what it is, or as nothing, with each currency's decimals; and one sign that may be either is what the locale says.
const AMOUNTS = { BHD: ['0.500', '1.250', '999.999', '1250.000', '1234567.891'], TND: ['0.001', '12.345', '12345.678'], USD: ['0.50', '1.25', '1250.00', '12345678.90'], JPY: ['1', '250', '1250', '1234567'] };
for (const locale of ['en', 'de', 'de-AT', 'de-CH', 'fr', 'fr-TN', 'es', 'pl', 'hi', 'ar', 'ar-TN', 'ar-BH', 'ar-EG', 'fa', 'bn', 'ja']) {
  for (const [currency, amounts] of Object.entries(AMOUNTS)) {
    for (const amount of amounts) {
      const written = shown(locale, { amount, currency });
      const symbol = new Intl.NumberFormat(locale, { style: 'currency', currency }).formatToParts(1).find(({ type }) => type === 'currency').value;
      const read = typedMoney(written.replace(symbol, ''), currency, locale);
      assert.ok(read.amount === amount || (locale === 'bn' && !isAmount(read)), `${written} is read as ${read.amount}`);
      assert.deepEqual(typedMoney(typable(locale, amount), currency, locale), { amount, currency });
    }
  }
}
for (const [typed, currency, locale, amount] of [
  ['0,500', 'BHD', 'en', '0.500'], ['1,250', 'TND', 'en', '1250.000'], ['1,250', 'TND', 'de', '1.250'], ['1.250', 'TND', 'de', '1250.000'], ['1250.000', 'TND', 'de', '1250.000'],
  ['1.250', 'EUR', 'de', '1250.00'], ['1 250,000', 'TND', 'en', '1250.000'], ['1.234,500', 'TND', 'en', '1234.500'], ['1.250', 'TND', 'fr-TN', ''], ['1,250', 'TND', 'de-CH', ''],
]) assert.equal(typedMoney(typed, currency, locale).amount, amount, `${typed} in ${locale}`);
console.log('amounts are read as the locale writes them');

// Links lead into the web or nowhere.
assert.equal(webAddress('https://example.com/a?b'), 'https://example.com/a?b');
for (const address of ['javascript:alert(1)', ' jAvAsCrIpT:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'vbscript:x', '//x', 'x', '', null]) assert.equal(webAddress(address), null, String(address));
console.log('links lead into the web or nowhere');

// The changes that an edited plan asks for, carried out in order, give that plan.
const row = (id, state = 'PLANNED') => rowOf({ id, state, title: id, purpose: 'p', amount: usd('10.00'), dueOn: '2027-01-01', deliverables: [] }, 'en');
const read = (typed) => typedMoney(typed, 'USD', 'en');
const before = [row('a', 'RELEASED'), row('b', 'ACTIVE'), row('c'), row('d'), row('e'), row('f')];
const carriedOut = (changes) => {
  const plan = before.map((one) => one.key);
  let made = 0;
  for (const { add, move } of changes) {
    if (move) plan.splice(move.position - 1, 0, ...plan.splice(plan.indexOf(move.milestoneId), 1));
    if (add) plan.splice(add.position - 1, 0, `new ${(made += 1)}`);
  }
  return plan;
};
for (let seed = 1; seed <= 300; seed += 1) {
  const planned = before.slice(2).map((one) => ({ ...one }));
  let turn = seed;
  const next = (below) => (turn = (turn * 1103515245 + 12345) % 2147483648) % below;
  planned.sort(() => next(3) - 1);
  if (next(2)) planned.splice(next(5), 0, { ...row('x'), id: null, key: 'new 1' });
  if (next(2)) planned[next(planned.length)].isRemoved = true;
  const after = [...before.slice(0, 2).map((one) => ({ ...one })), ...planned].map((one) => (one.id === null ? { ...one, isRemoved: false } : one));
  assert.deepEqual(carriedOut(changesBetween(before, after, read)), after.map((one) => one.key), `seed ${seed}`);
}
const edited = before.map((one) => ({ ...one, title: `${one.title}!`, dueOn: '2027-02-01' }));
const asked = changesBetween(before, edited, read);
assert.deepEqual(asked.filter((one) => one.amend), [{ amend: { milestoneId: 'b', dueOn: '2027-02-01' } }]);
assert.deepEqual(asked.find((one) => one.edit?.milestoneId === 'c'), { edit: { milestoneId: 'c', title: 'c!', dueOn: '2027-02-01' } });
console.log('changes of a plan lead to that plan');

// What somebody has typed into a form means the same sums in every language that the page goes over to, and isn't taken for what stood there before.
const contract = { currency: 'TND' };
const subject = { id: 'mil_1', title: 'A', purpose: 'p', amount: { amount: '7.000', currency: 'TND' }, dueOn: '2027-01-01', deliverables: [] };
const element = { language: { locale: 'de', say: (key) => key }, say: (key) => key, render: () => {} };
const form = new Form(element, 'EDIT_MILESTONE', { contract, subject, viewer: {} }, {});
assert.equal(form.values.amount, '7,000');
element.language.locale = 'en';
assert.equal(form.values.amount, '7.000');
form.moveOn({ contract, subject: { ...subject, amount: { amount: '8.000', currency: 'TND' } }, viewer: {} });
assert.equal(form.values.amount, '8.000', 'nobody typed anything');
form.type('amount', '1,250');
form.type('title', '1,250');
element.language.locale = 'de';
assert.deepEqual(form.input.amount, { amount: '1250.000', currency: 'TND' });
assert.deepEqual([form.values.amount, form.values.title], ['1250,000', '1,250']);
form.type('amount', '1,250');
element.language.locale = 'ar-EG';
assert.deepEqual(form.input.amount, { amount: '1.250', currency: 'TND' });
assert.deepEqual(form.faults, []);
console.log('sums that were typed stay the same in another language');

// A stream that is torn at any byte, says that it goes away, or refuses for a moment, misses nothing and tells nothing twice.
const LAST = 60;
const texts = new TextEncoder();
const eventOf = (at) => `event: next\nid: cur_${at}\ndata: ${JSON.stringify({ data: { events: { cursor: `cur_${at}`, sequence: at, texts: ['ü', '\u2028', '🎈'] } } })}\n\n`;
let connections = 0;
globalThis.fetch = async (_, { body, signal }) => {
  const { variables } = JSON.parse(body);
  connections += 1;
  if (connections % 4 === 2) throw new TypeError('connection refused');
  if (connections % 4 === 3) return new Response('{"errors":[{"message":"going","extensions":{"code":"GOING_AWAY"}}]}', { status: 503 });
  const from = Number(variables.after.slice(4)) + 1;
  const all = texts.encode(`:\n\n${Array.from({ length: LAST - from + 1 }, (_, at) => eventOf(from + at)).join('')}`);
  const torn = all.slice(0, 700 + connections * 37);
  const pieces = [];
  for (let at = 0; at < torn.length; at += 11) pieces.push(torn.slice(at, at + 11));
  const stream = new ReadableStream({ pull: (controller) => (signal.aborted || pieces.length === 0 ? controller.close() : controller.enqueue(pieces.shift())) });
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
};
const api = new Api('http://earnest.invalid/graphql', 'es_token');
const seen = [];
await new Promise((resolve) => {
  const stop = follow(api, { after: 'cur_0', onEvent: ({ sequence, texts: words }) => {
    assert.deepEqual(words, ['ü', '\u2028', '🎈']);
    seen.push(sequence);
    if (sequence === LAST) resolve(stop());
  } });
});
assert.deepEqual(seen, Array.from({ length: LAST }, (_, at) => at + 1));
assert.ok(connections > 5);
console.log('a torn stream misses nothing and tells nothing twice');

// An answer that is torn on its way, or given by a proxy, is asked for again by its key, and done once.
const keys = [];
const TORN = [
  () => new Response(new ReadableStream({ start: (controller) => (controller.enqueue(texts.encode('{"data":')), controller.error(new TypeError('torn'))) })),
  () => new Response('bad gateway', { status: 502 }),
  () => new Response('{"data":{"done":{"userErrors":[]}}}'),
];
globalThis.fetch = async (_, { body }) => (keys.push(JSON.parse(body).variables.key), TORN[keys.length - 1]());
assert.deepEqual(await api.command('mutation', {}, 'once'), { userErrors: [] });
assert.deepEqual(keys, ['once', 'once', 'once']);
console.log('a torn answer is asked for again by its key');

// Who is no longer known is told once, and nothing is asked after that.
let refused = 0;
globalThis.fetch = async () => ((refused += 1), new Response('{"errors":[{"message":"no","extensions":{"code":"UNAUTHENTICATED"}}]}', { status: 401 }));
const ended = await new Promise((resolve) => follow(api, { after: 'cur_0', onEvent: () => assert.fail(), onConnection: (connection, error) => connection === 'ended' && resolve(error.code) }));
assert.equal(ended, 'UNAUTHENTICATED');
assert.equal(refused, 1);
console.log('a session that is over ends its stream');

// A page whose first question met a server that was going, full or broken listens once there is an answer; one that may not ask doesn't ask again.
const refusal = (code, status) => new Response(JSON.stringify({ errors: [{ message: code, extensions: { code } }] }), { status });
const BEGINNINGS = {
  'a proxy': () => new Response('no server', { status: 503, headers: { 'content-type': 'text/plain' } }),
  INTERNAL: () => refusal('INTERNAL', 200),
  RATE_LIMITED: () => refusal('RATE_LIMITED', 429),
  FORBIDDEN: () => refusal('FORBIDDEN', 200),
};
const questions = {};
globalThis.fetch = async (address, { body, signal }) => {
  const name = decodeURIComponent(new URL(address).hash.slice(1));
  const { query } = JSON.parse(body);
  if (query.startsWith('query Latest')) {
    questions[name] = (questions[name] ?? 0) + 1;
    return questions[name] > 4 || (name !== 'RATE_LIMITED' && questions[name] > 1) ? new Response('{"data":{"changes":{"cursor":"cur_1"}}}') : BEGINNINGS[name]();
  }
  return new Response(new ReadableStream({ start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason)) }), { headers: { 'content-type': 'text/event-stream' } });
};
const begun = await Promise.all(Object.keys(BEGINNINGS).map((name) => new Promise((resolve) => {
  const stop = watch(new Api(`http://earnest.invalid/graphql#${encodeURIComponent(name)}`, 'es_token'), 'ctr_1', {
    document: null,
    onBegun: () => name === 'FORBIDDEN' && resolve(`${name} is final`),
    onConnection: (connection) => connection === 'live' && (stop(), resolve(`${name} has passed`)),
  });
})));
assert.deepEqual(begun, ['a proxy has passed', 'INTERNAL has passed', 'RATE_LIMITED has passed', 'FORBIDDEN is final']);
assert.equal(questions.FORBIDDEN, 1);
console.log('a page whose first question failed listens all the same');

// What ends at once is left alone longer each time, also if it ends without an error; what lasted comes back at once. Nobody waits here: time passes by itself.
const waits = [];
const real = { setTimeout, random: Math.random, now: performance.now };
let now = 0;
globalThis.setTimeout = (run, ms) => (ms < 45_000 ? (waits.push(ms), setImmediate(run)) : undefined);
Math.random = () => 1;
performance.now = () => now;
const stream = (body) => new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
const ENDS = [
  ...Array.from({ length: 4 }, () => () => new Response('<h1>Sign in to the network</h1>', { headers: { 'content-type': 'text/html' } })),
  ...Array.from({ length: 4 }, () => () => stream(':\n\n')),
  () => ((now += 10_001), stream(':\n\n')),
  () => stream(''),
  () => stream(`${eventOf(1)}event: complete\ndata: \n\n`),
];
const states = [];
globalThis.fetch = async () => ENDS.shift()();
await new Promise((resolve) => {
  const stop = follow(api, { after: 'cur_0', onEvent: () => {}, onConnection: (connection) => {
    states.push(connection);
    if (ENDS.length === 0 && connection === 'connecting') resolve(stop());
  } });
});
[globalThis.setTimeout, Math.random, performance.now] = [real.setTimeout, real.random, real.now];
assert.deepEqual(waits, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 100, 200, 200]);
assert.deepEqual(states.slice(0, 4), Array(4).fill('connecting'), 'what is no stream of events was never live');
console.log('a stream that ends at once is left alone longer each time');

// Where the log was cut, what only events told is asked for anew once the stream goes on from what was kept.
const happened = [];
globalThis.fetch = async (_, { body, signal }) => {
  const { query, variables } = JSON.parse(body);
  if (query.startsWith('query Latest')) return new Response(`{"data":{"changes":{"cursor":"${happened.length ? 'cur_kept' : 'cur_void'}"}}}`);
  happened.push(variables.after);
  if (variables.after === 'cur_void') return stream('event: next\ndata: {"errors":[{"message":"cut","extensions":{"code":"LOG_CUT"}}]}\n\n');
  return new Response(new ReadableStream({ start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason)) }), { headers: { 'content-type': 'text/event-stream' } });
};
await new Promise((resolve) => {
  const stop = watch(new Api('http://earnest.invalid/graphql#cut', 'es_token'), 'ctr_1', {
    document: null,
    onBegun: () => (happened.push('begun'), happened.includes('cur_kept') && resolve(stop())),
    onConnection: (connection) => connection === 'live' && happened.push('live'),
    onFailure: (error) => happened.push(error.code),
  });
});
assert.deepEqual(happened.filter((one) => one !== 'live'), ['cur_void', 'begun', 'cur_kept', 'begun']);
assert.ok(happened.indexOf('cur_kept') < happened.lastIndexOf('begun'));
console.log('what a cut of the log took away is asked for anew');
