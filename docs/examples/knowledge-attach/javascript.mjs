const answer = await fetch('https://parley.example/api/v1/chatbots/CHATBOT_ID/knowledge-bases', {
  method: 'PUT',
  headers: {
    Authorization: `Bearer ${process.env.PARLEY_API_KEY}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({ knowledgeBaseIds: ['KNOWLEDGE_BASE_ID'] }),
});
if (!answer.ok) throw new Error(await answer.text());
const { data } = await answer.json();
for (const base of data.knowledgeBases) console.log(base.name);
