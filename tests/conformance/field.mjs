// What every script of this folder needs: where Earnest is, what to ask it, and how to have it restarted.
import assert from 'node:assert/strict';

export const url = `${process.env.EARNEST_URL}/graphql`;
export const socketUrl = url.replace('http', 'ws');
export const authorization = `Bearer ${process.env.EARNEST_KEY}`;

export const VIEWER = 'query Viewer { viewer { kind accountId } }';
export const PROPOSE = `mutation Propose($input: ProposeContractInput!) {
  proposeContract(input: $input) { contract { id title } userErrors { code message field } }
}`;
export const EVENTS = 'subscription Events($after: Cursor) { events(after: $after) { id cursor type stream sequence } }';

// The input of a proposal; each makes two events, `contract.proposed` and `milestone.added`.
export function proposal(title) {
  const amount = { amount: '10.00', currency: 'USD' };
  const milestone = { title: 'One', purpose: 'To see', amount, dueOn: '2100-01-01', deliverables: ['A page'] };
  const parties = { clientId: process.env.EARNEST_ACCOUNT, freelancerId: process.env.EARNEST_OTHER };
  return { ...parties, title, currency: 'USD', milestones: [milestone] };
}

// The whole deployment ends and begins again; answers when it serves.
export async function restart() {
  const answer = await fetch(process.env.EARNEST_RESTART, { method: 'POST' });
  assert.equal(answer.status, 204);
}

// How long to wait for what comes at once on a quiet machine.
export const PATIENCE_MS = 120_000;

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Do something again and again until something is true of what came.
export async function until(isSo, act, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, 'it never came true');
    await act();
    await pause(300);
  }
}
