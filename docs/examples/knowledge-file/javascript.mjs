import { readFile } from 'node:fs/promises';

const form = new FormData();
form.append('file', new Blob([await readFile('faq.md')]), 'faq.md');
const answer = await fetch('https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/sources', {
  method: 'POST',
  headers: { Authorization: `Bearer ${process.env.PARLEY_API_KEY}` },
  body: form,
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
console.log(data.id);
