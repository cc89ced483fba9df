const answer = await fetch('https://parley.example/api/v1/conversation-exports', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({ format: 'csv', from: '2026-11-01T00:00:00Z' }),
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
console.log(data.id);
