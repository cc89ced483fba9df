curl https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/search \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"query": "When do you ship?"}'
