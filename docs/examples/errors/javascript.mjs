const answer = await fetch('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({ message: '' }),
});
const body = await answer.json();
if (!body.success) {
  console.log(body.code, body.error);
  console.log(answer.headers.get('X-Request-Id'));
}
