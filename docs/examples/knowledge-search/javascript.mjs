const answer = await fetch('https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/search', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({ query: 'When do you ship?' }),
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
for (const result of data.results) console.log(result.text);
