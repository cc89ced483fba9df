// The server route of docs/reference/clients.md, called as a framework calls it.
// {module, environment, body} → {status, header, text}

import { given, tell } from './args.mjs';

const { module, environment, body } = await given();
Object.assign(process.env, environment);
const { POST } = await import(module);
const request = new Request('http://page.example/api/chat', {
  method: 'POST',
  body: JSON.stringify(body),
});
const response = await POST(request);
tell({
  status: response.status,
  header: response.headers.get('x-vercel-ai-ui-message-stream'),
  text: await response.text(),
});
