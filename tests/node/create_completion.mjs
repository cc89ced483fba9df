// Ask a chatbot with the `openai` package: whole, as chunks, and with its stream helper.
// {baseURL, apiKey, model, message} → {completion, chunks, final}

import OpenAI from 'openai';
import { readArguments, writeResult } from './stdio.mjs';

const { baseURL, apiKey, model, message } = await readArguments();
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const body = { model, messages: [{ role: 'user', content: message }] };
const completion = await client.chat.completions.create(body);
const chunks = [];
for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
  chunks.push(chunk);
}
const final = await client.chat.completions.stream(body).finalChatCompletion();
writeResult({ completion, chunks, final });
