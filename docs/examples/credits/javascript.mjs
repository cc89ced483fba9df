const answer = await fetch('https://parley.example/api/v1/credits', {
  headers: { Authorization: `Bearer ${process.env.PARLEY_API_KEY}` },
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
console.log(data.balance);
