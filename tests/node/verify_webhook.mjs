// Call the verification function of docs/reference/webhooks.md as a receiver would.
// {module, secret, headers, body} → {event} or {error}

import { readArguments, writeResult } from './stdio.mjs';

const { module, secret, headers, body } = await readArguments();
const { verify } = await import(module);
try {
  writeResult({ event: verify(secret, headers, body) });
} catch (error) {
  writeResult({ error: error.message });
}
