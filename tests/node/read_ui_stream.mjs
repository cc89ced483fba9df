// Read a UI message stream with the AI SDK's own parser, schema and message builder.
// {url, method, headers, body, stopUrl} → {status, headers, chunks, invalid, message, errors}
// stopUrl: where to POST, with TURN replaced by the turn's id, after the first text delta.

import { parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema } from 'ai';
import { readArguments, writeResult } from './stdio.mjs';

const { url, method, headers, body, stopUrl } = await readArguments();
const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
const chunks = [];
const invalid = [];
const errors = [];
let stopping;

const parsed = parseJsonEventStream({ stream: response.body, schema: uiMessageChunkSchema });
const valid = parsed.pipeThrough(
  new TransformStream({
    transform(result, controller) {
      if (!result.success) {
        invalid.push(String(result.error));
        return;
      }
      chunks.push(result.value);
      controller.enqueue(result.value);
      if (stopUrl && !stopping && result.value.type === 'text-delta') {
        const turn = chunks[0].messageMetadata.turnId;
        stopping = fetch(stopUrl.replace('TURN', turn), { method: 'POST', headers });
      }
    },
  }),
);
let message;
const states = readUIMessageStream({ stream: valid, onError: error => errors.push(error.message) });
for await (const state of states) message = state;
await stopping;
writeResult({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  chunks,
  invalid,
  message,
  errors,
});
