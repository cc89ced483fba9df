import { createHmac, timingSafeEqual } from 'node:crypto';

// Returns the event of a request. Throws unless Parley signed it within the last 5 minutes.
export function verify(secret, headers, body) {
  const timestamp = headers['webhook-timestamp'];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) {
    throw new Error('The request is too old.');
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const content = `${headers['webhook-id']}.${timestamp}.${body}`;
  const expected = Buffer.from(`v1,${createHmac('sha256', key).update(content).digest('base64')}`);
  for (const text of headers['webhook-signature'].split(' ')) {
    const signature = Buffer.from(text);
    if (signature.length === expected.length && timingSafeEqual(signature, expected)) {
      return JSON.parse(body);
    }
  }
  throw new Error('The signature is wrong.');
}
