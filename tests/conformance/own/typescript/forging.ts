// What the installed TypeScript client says of webhooks by how many digits their times have: printed as JSON.
import { createHmac } from 'node:crypto';
import { NotVerified, verify } from '@earnest/client';

const SECRET = 'of the endpoint';
const BODY = '{"type": "endpoint.test", "data": {}}';
const signature = createHmac('sha256', SECRET).update(`msg_1.1111111111.${BODY}`).digest('base64');

async function said(digits: number, id = 'msg_1'): Promise<string> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': '1'.repeat(digits), 'webhook-signature': `v1,${signature}` };
  try {
    await verify(BODY, headers, `whsec_${btoa(SECRET)}`, { toleranceSeconds: Infinity });
  } catch (error) {
    if (error instanceof NotVerified) return error.message;
    throw error;
  }
  return "It is Earnest's.";
}

const saw: Record<string, string> = {};
for (const digits of [0, 10, 12, 13, 400, 5000]) saw[digits] = await said(digits);
saw['an id that is no text'] = await said(10, 'msg_\udcff');
console.log(JSON.stringify(saw));
