const answer = await fetch('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({ message: 'Hello there' }),
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
console.log(data.response);
