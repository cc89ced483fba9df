const answer = await fetch('https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stream', {
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Last-Event-ID': '2',
  },
});
if (!answer.ok) throw new Error(await answer.text());
let rest = '';
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith('data: {')) continue;
    const event = JSON.parse(line.slice('data: '.length));
    if (event.type === 'message.delta') process.stdout.write(event.delta);
    if (event.type === 'error') throw new Error(event.error);
  }
}
