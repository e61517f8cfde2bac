// Writes, follows and mirrors by the installed TypeScript client for as long as it lives; may be killed, and goes on where it was.
//
// What it heard is in `heard` (a cursor and an event a line, so that both are written or neither), what it wrote in `wrote`, its mirror
// in `mirror.json`. Told `stop` it writes no more; then it says what its mirror holds whenever it is told `show`.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  Earnest,
  Keys,
  Mirror,
  ProposeContractDocument,
  WithdrawContractDocument,
  type Place,
  type ProposeContractInput,
} from '@earnest/client';
import { FileKeys, FileMirror } from '@earnest/client/files';
import WebSocket from 'ws';

const env = (name: string) => process.env[name] ?? '';
const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []);

/** A place of the program's own: the cursor stands in the line of its event. */
class Heard implements Place {
  eventId = '';

  async read(): Promise<string> {
    const whole = linesOf('heard');
    writeFileSync('heard', whole.map((line) => `${line}\n`).join('')); // a line that was cut off was never written
    return whole.at(-1)?.split(' ')[0] ?? env('EARNEST_START');
  }

  async write(cursor: string): Promise<void> {
    appendFileSync('heard', `${cursor} ${this.eventId}\n`);
  }
}

function proposal(title: string): ProposeContractInput {
  const amount = { amount: '10.00', currency: 'USD' };
  const milestone = { title: 'One', purpose: 'To see', amount, dueOn: '2100-01-01', deliverables: ['A page'] };
  return { clientId: env('EARNEST_ACCOUNT'), freelancerId: env('EARNEST_OTHER'), title, currency: 'USD', milestones: [milestone] };
}

const earnest = new Earnest({ url: env('EARNEST_URL'), key: env('EARNEST_KEY'), patienceSeconds: 600, webSocketImpl: WebSocket });
const keys = new Keys(new FileKeys('keys.json'));
const store = await FileMirror.open('mirror.json');
const ending = new AbortController();
let isStopped = false;

async function follow(): Promise<void> {
  const place = new Heard();
  for await (const event of earnest.follow(place, { signal: ending.signal })) place.eventId = event.id;
}

async function write(): Promise<void> {
  for (let number = linesOf('wrote').length; !isStopped; number += 1) {
    const intention = `TypeScript ${env('EARNEST_RUN')} ${number}`;
    const { proposeContract } = await earnest.ask(ProposeContractDocument, { input: proposal(intention), key: await keys.of(intention) });
    const contractId = proposeContract.contract!.id;
    if (number % 3 === 0) {
      await earnest.ask(WithdrawContractDocument, { input: { contractId }, key: await keys.of(`withdraw ${intention}`) });
    }
    appendFileSync('wrote', `${contractId}\n`);
    await keys.done(intention);
    await keys.done(`withdraw ${intention}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const ended = (error: unknown) => {
  if (ending.signal.aborted) return;
  console.error(error);
  process.exit(1);
};
const following = follow().catch(ended);
const mirroring = new Mirror(earnest, store).run(ending.signal).catch(ended);
const writing = write().catch(ended);
const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await told.next();
isStopped = true;
await writing;
console.log('stopped');
while ((await told.next()).value === 'show') console.log(copy());
ending.abort();
await Promise.all([following, mirroring]);
process.exit(0);

function copy(): string {
  const contracts = Object.fromEntries([...store.contracts.values()].map((one) => [one.id, `${one.state} ${one.version}`]));
  const milestones = Object.fromEntries(
    [...store.milestones.values()].map((one) => [one.id, `${one.state} ${one.position} ${one.amount.amount}`]),
  );
  return JSON.stringify({ contracts, milestones });
}
