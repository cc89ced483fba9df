// Parley's own server-sent events, read with eventsource-parser.
// {url, method, headers, body} → {status, events: [{id, event, data}]}

import { createParser } from 'eventsource-parser';
import { given, tell } from './args.mjs';

const { url, method, headers, body } = await given();
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
tell({ status: response.status, events });
