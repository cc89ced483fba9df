// Read Parley's server-sent events with eventsource-parser.
// {url, method, headers, body} → {status, events: [{id, event, data}]}

import { createParser } from 'eventsource-parser';
import { readArguments, writeResult } from './stdio.mjs';

const { url, method, headers, body } = await readArguments();
const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
const events = [];
const parser = createParser({
  onEvent: ({ id, event, data }) => events.push({ id, event, data }),
  onError: error => {
    throw error;
  },
});
const decoder = new TextDecoder();
for await (const bytes of response.body) parser.feed(decoder.decode(bytes, { stream: true }));
writeResult({ status: response.status, events });
