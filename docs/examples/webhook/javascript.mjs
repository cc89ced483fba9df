const answer = await fetch('https://parley.example/api/v1/webhook-endpoints', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({
    url: 'https://hooks.example.com/parley',
    eventTypes: ['message.completed', 'turn.failed'],
  }),
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
console.log(data.secret);
