// The function of docs/reference/webhooks.md, called as a receiver calls it.
// {module, secret, headers, body} → {event} or {error}

import { given, tell } from './args.mjs';

const { module, secret, headers, body } = await given();
const { verify } = await import(module);
try {
  tell({ event: verify(secret, headers, body) });
} catch (error) {
  tell({ error: error.message });
}
