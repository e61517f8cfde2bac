// How long the installed TypeScript client waits between attempts, printed as JSON; its clock goes by what it is told.
import { Patience, retryAfterSeconds } from './node_modules/@earnest/client/dist/retrying.js'; // the package shows them to nobody

let now = 0;
performance.now = () => now;

/** Each wait, after attempts that took so long. */
function waits(patience: Patience, attemptSeconds: number, times: number): (number | null)[] {
  return Array.from({ length: times }, () => {
    now += 1000 * attemptSeconds;
    const wait = patience.waitSeconds();
    now += 1000 * (wait ?? 0);
    return wait ?? null;
  });
}

const patience = new Patience();
const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
const headers = ['7', '²', 'soon', '', 'Thu, 01 Jan 1970 00:00:00 GMT', inAnHour];
console.log(
  JSON.stringify({
    'refused at once': waits(patience, 0, 20),
    'cut after a quiet while': waits(patience, 6, 3),
    'out of patience': waits(new Patience(0.01), 0, 1),
    'asked to wait': patience.waitSeconds(30),
    headers: headers.map(retryAfterSeconds),
  }),
);
