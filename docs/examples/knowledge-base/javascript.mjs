const answer = await fetch('https://parley.example/api/v1/knowledge-bases', {
  method: 'POST',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({ name: 'Help center' }),
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
console.log(data.id);
