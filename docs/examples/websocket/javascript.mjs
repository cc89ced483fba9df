const socket = new WebSocket('wss://parley.example/ws/v1/chatbots/CHATBOT_ID/chat', [
  'parley.v1',
  `parley.key.${process.env.PARLEY_API_KEY}`,
]);
socket.onopen = () => {
  socket.send(JSON.stringify({ type: 'chat.send', message: 'Hello there' }));
};
socket.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  if (event.type === 'message.delta') process.stdout.write(event.delta);
  if (event.type === 'error') console.error(event.error);
  if (event.type === 'message.end' || event.type === 'error') socket.close();
};
