const url = new URL('https://parley.example/api/v1/conversations/CONVERSATION_ID/messages');
url.searchParams.set('limit', '100');
for (;;) {
  const answer = await fetch(url, {
    headers: { Authorization: `Bearer ${process.env.PARLEY_API_KEY}` },
  });
  if (!answer.ok) throw new Error(await answer.text());
  const { data } = await answer.json();
  for (const { role, text } of data.messages) console.log(`${role}: ${text}`);
  if (data.nextCursor === null) break;
  url.searchParams.set('cursor', data.nextCursor);
}
