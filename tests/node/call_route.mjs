// Call the server route of docs/reference/clients.md as a framework would.
// {module, environment, body} → {status, header, text}

import { readArguments, writeResult } from './stdio.mjs';

const { module, environment, body } = await readArguments();
Object.assign(process.env, environment);
const { POST } = await import(module);
const request = new Request('http://page.example/api/chat', {
  method: 'POST',
  body: JSON.stringify(body),
});
const response = await POST(request);
writeResult({
  status: response.status,
  header: response.headers.get('x-vercel-ai-ui-message-stream'),
  text: await response.text(),
});
