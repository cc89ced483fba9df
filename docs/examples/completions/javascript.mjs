const answer = await fetch('https://parley.example/api/v1/openai/chat/completions', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({
    model: 'CHATBOT_ID',
    messages: [{ role: 'user', content: 'Hello there' }],
  }),
});
if (!answer.ok) throw new Error(await answer.text());
const { choices } = await answer.json();
console.log(choices[0].message.content);
